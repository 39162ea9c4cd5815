"""Pictures to choose from, as buttons: samples, and images to begin a drawing with."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import streamlit as st
from streamlit.components.v2 import component

from ui.images.buttons import ARROWS

_FILES = Path(__file__).with_suffix("")
_draw = component(
    "picks",
    html='<div class="frame"><div class="picks" role="group"></div></div>',
    css=_FILES.with_suffix(".css").read_text(encoding="utf-8"),
    js=ARROWS + _FILES.with_suffix(".js").read_text(encoding="utf-8"),
)


@dataclass(frozen=True)
class Pick:
    """A picture that can be chosen."""

    word: str
    name: str
    source: str  # a data address
    line: str = ""  # fainter, below the name
    small: bool = False  # 28 x 28: its pixels are shown as squares
    shown: bool = True  # the name stands below it


def show(picks: Sequence[Pick], label: str, on_pick: Callable[[str], None], *, key: str, chosen: str | None = None, side: int = 72) -> None:
    """Draw them; a click calls `on_pick` with the word before the page is drawn again.

    Args:
        label: what they are, for who does not see them.
        chosen: the one that is looked at now, where one always is.
        side: pixels that one has at least.
    """

    def picked() -> None:
        if word := st.session_state[key].picked:
            on_pick(word)

    items = [asdict(pick) for pick in picks]
    data = {"items": items, "label": label, "chosen": chosen, "choosing": chosen is not None, "side": side}
    _draw(data=data, key=key, on_picked_change=picked)
