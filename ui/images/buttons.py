"""What every page of small images has in common: the sheet that they are cut from, buttons that a mouse, a finger and arrow keys reach."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamlit.components.v2 import component

from ui import thumbnails

if TYPE_CHECKING:
    from torch import Tensor

PAGE = 96  # images: divides by 2, 3, 4, 6, 8 and 12, so that the last row of a full page is full
_HERE = Path(__file__).parent
ARROWS = (_HERE / "arrows.js").read_text(encoding="utf-8")  # what a script of buttons begins with


class Buttons:
    """A component of one kind of page; it is told apart by its script and its looks, `NAME.js` and `NAME.css`."""

    def __init__(self, name: str) -> None:
        html = '<div class="frame"><div class="page" role="group"></div></div>'
        self._draw = component(name, html=html, css=_both(name, "css"), js=ARROWS + _both(name, "js"))

    def show(self, count: int, data: Mapping[str, Any], *, key: str) -> Any:
        """Draw a page of so many images; returns what was just opened, or None."""
        label = f"{count} images. Arrow keys move, Enter opens one."
        return self._draw(data={**data, "label": label}, key=key, on_opened_change=lambda: None).opened


def sheet(images: "Tensor") -> str:
    """Images side by side in one PNG, as a data address: uint8 (N, 28, 28); empty if there is none."""
    return thumbnails.png(images.permute(1, 0, 2).reshape(28, -1).numpy()) if len(images) else ""


def _both(name: str, ending: str) -> str:
    return "".join((_HERE / f"{each}.{ending}").read_text(encoding="utf-8") for each in ("buttons", name))
