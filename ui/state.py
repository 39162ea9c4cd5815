"""What all screens and sessions share: the store, the dataset, and the curves that are read once and then only continued."""

import streamlit as st

from fmnist.store import Store


@st.cache_resource(show_spinner=False)
def store() -> Store:
    """The run store, one for the whole server."""
    return Store()
