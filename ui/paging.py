"""A long list, a page at a time; the page is in the address."""

from collections.abc import Hashable

import streamlit as st


def page(count: int, size: int, about: Hashable, *, key: str) -> slice:
    """Which of `count` things are looked at now. A list about something else begins at its first page.

    Args:
        about: what the list is.
        key: of the widget; one list with pages is on a screen at a time.
    """
    if st.session_state.setdefault(key, about) != about:
        st.session_state[key] = about
        st.query_params.pop("page", None)
    number, said = -(-count // size), st.query_params.get("page", "1")
    if number <= 1:
        return slice(0, size)
    widget = f"{key}.{hash(about)}"
    first = min(int(said), number) if said.isdecimal() and int(said) else 1
    turned = st.pagination(number, default=first, key=widget, on_change=_turn, args=(widget,))
    return slice(size * (turned - 1), size * turned)


def _turn(widget: str) -> None:
    st.query_params["page"] = str(st.session_state[widget])
