"""The confusion matrix with what a person can change about it, and the most frequent mistakes beside it."""

from typing import cast

import streamlit as st

from ui import choices
from ui.evaluation import cell_filter, matrix
from ui.evaluation.evaluated import View
from ui.evaluation.matrix import Chosen, Mode
from ui.labels import plain

FREQUENT = 10  # mistakes in the list
NUMBERS = {"counts": "Counts", "rows": "% of each truth", "columns": "% of each guess"}


def show(view: View) -> Chosen | None:
    """Draw it; returns what is chosen now, which then stands in the address."""
    mode, diagonal, similar = _controls()
    before, (table, mistakes) = cell_filter.read(), st.columns([7, 3], gap="large")
    with table:
        chosen = matrix.show(
            view.report.confusion, order=_order(view, similar), mode=mode, diagonal=diagonal, selected=before, key="evaluate.matrix"
        )
    if chosen != before:
        cell_filter.write(chosen)
    with mistakes:
        _frequent(view)
    return chosen


def _controls() -> tuple[Mode, bool, bool]:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        mode = choices.one_of(
            "Numbers",
            NUMBERS,
            key="numbers",
            help="Shares of a row say what becomes of a class; shares of a column say what a guess is worth.",
        )
        diagonal = st.toggle("Right answers", True, key="diagonal", bind="query-params", help="Show or hide the diagonal.")
        similar = st.toggle(
            "Group similar classes", key="similar", bind="query-params", help="Classes that are taken for each other stand side by side."
        )
    return cast(Mode, mode), diagonal, similar


def _order(view: View, similar: bool) -> list[int]:
    return _similarity(*view.key, view.report.confusion) if similar else list(range(len(view.report.confusion)))


@st.cache_data(show_spinner=False, max_entries=64)
def _similarity(sha256: str, split: str, epoch: int | None, _confusion: list[list[int]]) -> list[int]:
    from fmnist.evaluation import similarity_order

    return similarity_order(_confusion)


def _frequent(view: View) -> None:
    """The cells with the most mistakes; a click chooses one."""
    from fmnist.data import CLASS_NAMES

    cells = [
        (count, Chosen(truth, guess))
        for truth, row in enumerate(view.report.confusion)
        for guess, count in enumerate(row)
        if truth != guess and count
    ]
    st.markdown("**Most frequent mistakes**" if cells else "**No mistake at all**")
    with st.container(gap=None):
        for count, cell in sorted(cells, key=lambda each: -each[0])[:FREQUENT]:
            st.button(
                plain(f"{CLASS_NAMES[cell.truth or 0]} → {CLASS_NAMES[cell.guess or 0]} · {count:,}"),
                key=f"evaluate.mistake.{cell.truth}.{cell.guess}",
                type="tertiary",
                on_click=cell_filter.write,
                args=(cell,),
            )
