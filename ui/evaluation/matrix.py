"""Who is taken for whom: a confusion matrix whose cells, rows and columns can be chosen by mouse, finger and keyboard."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import streamlit as st
from streamlit.components.v2 import component

Mode = Literal["counts", "rows", "columns", "difference"]
PLURALS = ("T-shirts/tops", "Trousers", "Pullovers", "Dresses", "Coats", "Sandals", "Shirts", "Sneakers", "Bags", "Ankle boots")
SHORT = ("T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Boot")

_FILES = Path(__file__).with_suffix("")
_draw = component(
    "confusion_matrix",
    html='<div class="frame"><table role="grid"></table></div>',
    css=_FILES.with_suffix(".css").read_text(encoding="utf-8"),
    js=_FILES.with_suffix(".js").read_text(encoding="utf-8"),
)


class Chosen(NamedTuple):
    """A cell, a row (no guess) or a column (no truth); classes 0-9."""

    truth: int | None
    guess: int | None


@dataclass(frozen=True)
class _Shown:
    """What the browser knows: the last click in it, and what Python told it at which turn."""

    chosen: Chosen | None
    told: Chosen | None
    turn: int
    click: Any = None


def show(
    counts: Sequence[Sequence[int]], *, order: Sequence[int], mode: Mode, diagonal: bool, selected: Chosen | None, key: str
) -> Chosen | None:
    """Draw the matrix; returns what is chosen now: the new choice after a click, None after a second click on the same.

    Args:
        counts: 10 x 10, row = truth, column = guess; differences of two such for the mode "difference", where more right answers or
            fewer mistakes are good.
        order: the classes 0-9 as they shall stand, in rows and columns alike.
        selected: what is chosen if nobody clicked, for example by the address.
    """
    from fmnist.data import CLASS_NAMES  # with PyTorch

    shown = _shown(selected, key)
    st.session_state[f"{key}.shown"] = shown
    data = {
        "counts": counts,
        "order": order,
        "mode": mode,
        "diagonal": diagonal,
        "names": CLASS_NAMES,
        "plurals": PLURALS,
        "short": SHORT,
        "label": "Confusion matrix: the row is the truth, the column the guess. Arrow keys move, Enter chooses.",
        "chosen": shown.told,
        "turn": shown.turn,
    }
    _draw(data=data, key=key, on_click_change=lambda: None)
    return shown.chosen


def _shown(selected: Chosen | None, key: str) -> _Shown:
    """What the browser shows in this run. A click is not told back to it: its data stays the same and is not sent again."""
    state, before = st.session_state.get(key), st.session_state.get(f"{key}.shown")
    if before is None or state is None:  # it was not on the page before
        return _Shown(selected, selected, before.turn + 1 if before else 0)
    click = state.get("click")
    if click is not None and click != before.click:
        chosen = Chosen(*click["chosen"]) if click["chosen"] else None
        return _Shown(chosen, before.told, before.turn, click)
    if selected != before.chosen:
        return _Shown(selected, selected, before.turn + 1, click)
    return before
