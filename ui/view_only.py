"""What every page says when the disk of the runs cannot be written: everything can be looked at, and nothing changed."""

import streamlit as st

from fmnist import disk
from ui.labels import plain


def show() -> None:
    """A warning at the head of the page; nothing while all is well."""
    if why := disk.obstacle():
        st.warning(
            f"{plain(why)} Until then everything can be looked at, and nothing is trained or changed.",
            title="View only",
            icon=":material/lock:",
        )
