"""What the last action came to, said when the page is drawn next."""

from collections.abc import Callable

import streamlit as st

from fmnist.errors import FmnistError
from ui.labels import plain

_KEY = "notice"


def later(words: str) -> None:
    """Leave a sentence for the next drawing of the page."""
    st.session_state[_KEY] = words


def waits() -> bool:
    """Whether there is one."""
    return _KEY in st.session_state


def show() -> None:
    """The sentence that was left, once."""
    if words := st.session_state.pop(_KEY, None):
        st.toast(plain(words))


def do(act: Callable[[], object], words: str = "") -> None:
    """Change something in the store, then draw the page anew and say what happened; a refusal (somebody else was faster) is said, too.

    Args:
        act: may return the sentence itself.
    """
    try:
        found = act()
        words = found if isinstance(found, str) else words
    except FmnistError as error:
        words = str(error)
    if words:
        later(words)
    st.rerun()
