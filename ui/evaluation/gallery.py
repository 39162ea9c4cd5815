"""A page of small images as buttons: what each is, what it was taken for, how sure the model was. A click opens one."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from streamlit.components.v2 import component

from ui import thumbnails

if TYPE_CHECKING:
    from torch import Tensor


PAGE = 96  # images: divides by 2, 3, 4, 6, 8 and 12, so that the last row of a full page is full

_FILES = Path(__file__).with_suffix("")
_draw = component(
    "gallery",
    html='<div class="frame"><div class="images" role="group"></div></div>',
    css=_FILES.with_suffix(".css").read_text(encoding="utf-8"),
    js=_FILES.with_suffix(".js").read_text(encoding="utf-8"),
)


@dataclass(frozen=True)
class Item:
    """One image of the page."""

    index: int  # in its split
    truth: int  # 0-9
    guess: int
    confidence: float  # of the guess, 0-1
    note: str = ""  # a fainter line below


def show(items: Sequence[Item], sheet: str, *, key: str) -> int | None:
    """Draw a page; returns the index of the image that was just opened.

    Args:
        items: at most `PAGE`.
        sheet: their images side by side, in this order: see `sheet`.
    """
    from fmnist.data import CLASS_NAMES  # with PyTorch

    data = {
        "index": [item.index for item in items],
        "truth": [item.truth for item in items],
        "guess": [item.guess for item in items],
        "share": [round(item.confidence, 4) for item in items],
        "notes": [item.note for item in items] if any(item.note for item in items) else [],
        "names": CLASS_NAMES,
        "sheet": sheet,
        "label": f"{len(items)} images. Arrow keys move, Enter opens one.",
    }
    return _draw(data=data, key=key, on_opened_change=lambda: None).opened


def sheet(images: "Tensor") -> str:
    """Images side by side in one PNG, as a data address: uint8 (N, 28, 28), N > 0."""
    return thumbnails.png(images.permute(1, 0, 2).reshape(28, -1).numpy())
