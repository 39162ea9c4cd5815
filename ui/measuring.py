"""A forecast that takes seconds when a visit first asks for it (PyTorch is loaded, this machine is measured): the page says so."""

from collections.abc import Callable
from typing import TypeVar

import streamlit as st

from fmnist.errors import FmnistError
from ui.labels import plain

_KEY = "measured"
T = TypeVar("T")


def show(kind: object, measure: Callable[[], T], draw: Callable[[T], None]) -> None:
    """Draw what was measured, in the place of a line that says that it is being measured; an error in its own words.

    Args:
        kind: what of the question needs a measurement of its own; one that this visit has made comes at once.
    """
    slot = st.empty()
    made: set[object] = st.session_state.setdefault(_KEY, set())
    if kind not in made:  # no st.spinner: its timer prints a traceback when a visitor leaves meanwhile
        slot.markdown(":material/hourglass_top: Measuring this machine…")
    try:
        found = measure()
    except FmnistError as error:
        slot.error(plain(str(error)), icon=":material/error:")
        return
    made.add(kind)
    with slot.container():
        draw(found)
