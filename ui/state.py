"""What all screens and sessions share: the run store, the dataset, the models."""

from typing import TYPE_CHECKING

import streamlit as st

from fmnist.store import Store
from ui import preparation

if TYPE_CHECKING:
    from fmnist.data import Dataset
    from fmnist.prediction import Model, Source


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


def model(word: str) -> "Model":
    """A model by a person's word for it (bundled, best, latest, a run), loaded once for each version of its weights.

    It imports PyTorch, which takes seconds: a page sees first that `dataset` or `models.warming` is done.

    Raises:
        FmnistError: there is none, or its weights are damaged.
    """
    from fmnist.prediction import stored

    source = stored(word, store())
    return _model(source.sha256, source)


@st.cache_resource(show_spinner=False, max_entries=24)
def _model(sha256: str, _source: "Source") -> "Model":
    from fmnist.prediction import read

    return read(_source)
