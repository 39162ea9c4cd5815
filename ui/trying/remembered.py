"""What a person set stays set when they come back from another page: Streamlit forgets a widget that is not on the screen."""

from collections.abc import Collection
from typing import Any, TypeVar

import streamlit as st

Value = TypeVar("Value")


def begin(key: str, default: Value, allowed: Collection[Value] | None = None) -> None:
    """Before a widget with this key: it begins with what was set last, or with the default."""
    if key not in st.session_state:
        last = st.session_state.get(_place(key), default)
        st.session_state[key] = default if allowed is not None and last not in allowed else last


def keep(key: str) -> Any:
    """After the widget: what it says now, kept for the next time it is drawn."""
    st.session_state[_place(key)] = st.session_state[key]
    return st.session_state[key]


def put(key: str, value: object) -> None:
    """Set a widget from a callback, whether it is on the screen or not."""
    st.session_state[key] = st.session_state[_place(key)] = value


def of(key: str, default: Value) -> Value:
    """What was set last, without a widget."""
    return st.session_state.get(_place(key), default)


def _place(key: str) -> str:
    return f"{key}.kept"
