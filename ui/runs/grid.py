"""A table whose rows can be ticked, and whose first words can be clicked; what was ticked stays so when rows come, go and move.

Streamlit keeps a selection by the places of the rows. So a table of other rows, or in another order, is another widget, which begins
with the ticks that its rows had before: no click meets another row than the one that the person saw.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

if TYPE_CHECKING:
    from pyarrow import Table

ROW, HEAD = 35, 37  # pixels


def ticked(key: str) -> list[str]:
    """The ids of the ticked rows, in the order of the table as it was drawn last."""
    widget, ids = _drawn(key)
    state = st.session_state.get(widget)
    rows = state["selection"]["rows"] if state else []
    return [ids[row] for row in rows if row < len(ids)]


def clicked(key: str) -> str | None:
    """The id of the row whose name was clicked just now."""
    widget, ids = _drawn(key)
    click = st.session_state.get(f"{widget}.name")
    return ids[click["row"]] if click and click["row"] < len(ids) else None


def untick(key: str) -> None:
    """Remove every tick, before the table is drawn."""
    st.session_state[_drawn(key)[0]] = {"selection": {"rows": [], "columns": [], "cells": []}}


def draw(
    rows: "Table",
    ids: Sequence[str],
    columns: Mapping[str, Any],
    *,
    key: str,
    alt: str,
    name: str | None = None,
    most_rows: int = 15,
) -> list[str]:
    """Draw the table; returns the ids of the ticked rows.

    Args:
        rows: a line for each id.
        name: the column whose cells can be clicked.
        most_rows: so many are seen at once; of more, half a row says that they can be scrolled.
    """
    before = set(ticked(key))
    widget = f"{key}.{hash(tuple(ids)):x}"
    st.session_state[f"{key}.drawn"] = widget, list(ids)
    click = {name: st.column_config.ButtonColumn(**columns[name], type="tertiary", alignment="left", key=f"{widget}.name")} if name else {}
    st.dataframe(
        rows,
        key=widget,
        hide_index=True,
        height="content" if len(ids) <= most_rows else HEAD + ROW * most_rows + ROW // 2,
        on_select="rerun",
        selection_mode="multi-row",
        selection_default={"selection": {"rows": [row for row, each in enumerate(ids) if each in before]}},
        column_config={**columns, **click},
        placeholder="–",
        alt=alt,
    )
    return ticked(key)


def _drawn(key: str) -> tuple[str, list[str]]:
    return st.session_state.get(f"{key}.drawn", (key, []))
