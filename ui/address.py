"""Choices that stand in the address under short words, so that a link shows the same.

Streamlit's own `bind="query-params"` writes what a person reads ("% of each truth", ":material/groups: All runs", a run's name with
its accuracy) and forgets a link when these words change; here the address has the option itself. Yes and no and numbers may be bound.
"""

from collections.abc import Collection, Sequence

import streamlit as st


def follow(key: str, options: Collection[str], default: str) -> None:
    """Before a widget with this key: it begins with what the address says, and follows when somebody goes to another address.

    Args:
        key: of the widget, and the name in the address.
        options: what the address may say; anything else counts as the default.
        default: what is not written into the address.
    """
    said = st.query_params.get(key, default)
    if key not in st.session_state or st.session_state.get(f"{key}.said") != said or st.session_state[key] not in options:
        st.session_state[key] = said if said in options else default
    st.session_state[f"{key}.said"] = said


def tell(key: str, default: str) -> None:
    """After a choice (the widget's on_change): write it into the address."""
    chosen = st.session_state[key] or default
    if chosen != default:
        st.query_params[key] = chosen
    elif key in st.query_params:
        del st.query_params[key]
    st.session_state[f"{key}.said"] = chosen


def follow_many(key: str, options: Collection[str], default: Sequence[str]) -> None:
    """`follow` for a widget with several answers: they stand in the address with commas between them."""
    said = st.query_params.get(key)
    if key not in st.session_state or st.session_state.get(f"{key}.said") != said:
        st.session_state[key] = list(default) if said is None else [word for word in said.split(",") if word in options]
    st.session_state[f"{key}.said"] = said


def tell_many(key: str, default: Sequence[str]) -> None:
    """`tell` for a widget with several answers."""
    chosen = st.session_state[key]
    if chosen != list(default):
        st.query_params[key] = ",".join(chosen)
    else:
        st.query_params.pop(key, None)
    st.session_state[f"{key}.said"] = st.query_params.get(key)
