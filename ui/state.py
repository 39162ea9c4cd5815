"""What all screens and sessions share: the run store and the dataset."""

from typing import TYPE_CHECKING

import streamlit as st

from fmnist.store import Store
from ui import preparation

if TYPE_CHECKING:
    from fmnist.data import Dataset


@st.cache_resource(show_spinner=False)
def store() -> Store:
    """The run store, one for the whole server."""
    return Store()


def dataset() -> "Dataset":
    """The dataset. Until it is there the page shows how it is found or fetched, and stops here."""
    found = dataset_preparation()
    if found.dataset is None:
        preparation.show(found)
        st.stop()
    return found.dataset


@st.cache_resource(show_spinner=False)
def dataset_preparation() -> preparation.Preparation:
    """The one preparation of the dataset for all sessions; the first who asks begins it."""
    begun = preparation.Preparation()
    begun.begin()
    return begun
