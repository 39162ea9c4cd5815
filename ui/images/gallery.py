"""A page of small images as buttons: what each is, what it was taken for, how sure the model was. A click opens one."""

from collections.abc import Sequence
from dataclasses import dataclass

from ui.images.buttons import Buttons

_BUTTONS = Buttons("gallery")


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
        items: at most `buttons.PAGE`.
        sheet: their images side by side, in this order: see `buttons.sheet`.
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
    }
    return _BUTTONS.show(len(items), data, key=key)
