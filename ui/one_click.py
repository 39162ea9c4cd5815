"""One click, one thing: the second half of a double click is known as such."""

import time
import uuid

import streamlit as st

DOUBLE_CLICK_SECONDS = 2.0  # clicks this close on the same thing are one


def token(key: str, about: object) -> str:
    """What names a click on a button; the same again for another click on the same thing right after it.

    Args:
        key: of the button.
        about: what is clicked for, such as the settings of a training.
    """
    name, asked, at = st.session_state.get(f"{key}.click", ("", None, 0.0))
    if asked != about or time.monotonic() - at > DOUBLE_CLICK_SECONDS:
        name = uuid.uuid4().hex
        st.session_state[f"{key}.click"] = (name, about, time.monotonic())
    return name
