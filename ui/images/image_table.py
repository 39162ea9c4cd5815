"""A table with an image in each row: choosing a row opens its image."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

FEW = 12  # rows that are shown without scrolling


def show(frame: Any, images: Sequence[int], columns: dict[str, Any], alt: str, *, key: str) -> int | None:
    """Draw the table; returns what stands in `images` at the row that was just chosen, by its box or with Shift and Space.

    Args:
        frame: a pandas frame.
        images: the image of each row, in the order of the frame.
        columns: as in `st.dataframe`.
    """
    opened: int | None = st.session_state.pop(f"{key}.opened", None)
    st.dataframe(
        frame,
        key=key,
        hide_index=True,
        height="content" if len(frame) <= FEW else 480,
        column_config=columns,
        alt=alt,
        on_select=lambda: _note(key, images),  # only when the choice changes: what stays chosen does not open again
        selection_mode="single-row",
    )
    return opened


def _note(key: str, images: Sequence[int]) -> None:
    """Remember what was chosen among the rows that the person saw."""
    rows = st.session_state[key]["selection"]["rows"]
    if rows and rows[0] < len(images):
        st.session_state[f"{key}.opened"] = images[rows[0]]
