"""Images of the dataset with words below: one to a tile, or two that belong together. A click opens one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import streamlit as st

from fmnist.config import TRAIN_IMAGES
from ui import state
from ui.images import buttons
from ui.images.buttons import Buttons
from ui.picture import picture_panel

if TYPE_CHECKING:
    from torch import Tensor

_BUTTONS = Buttons("tiles")


@dataclass(frozen=True)
class Tile:
    """What is shown together. The place of an image counts the training split, then the test split, as in `fmnist.duplicates`."""

    places: tuple[int, ...]  # one or two
    title: str
    lines: tuple[str, ...] = ()  # fainter, below the title
    marked: bool = False  # with a frame


def show(tiles: Sequence[Tile], word: str, *, key: str) -> None:
    """A page of tiles, at most `buttons.PAGE`; the image that is clicked opens in the panel.

    Args:
        word: the model that the panel asks.
    """
    places = tuple(place for tile in tiles for place in tile.places)
    names = iter(_names(places))
    data = {
        "tiles": [
            {"title": tile.title, "lines": tile.lines, "marked": tile.marked, "images": [next(names) for _ in tile.places]}
            for tile in tiles
        ],
        "sheet": _sheet(places),
        "pairs": any(len(tile.places) > 1 for tile in tiles),
    }
    open_panel(word, _BUTTONS.show(len(places), data, key=key))


def open_panel(word: str, place: int | None) -> None:
    """The panel of an image, if one was opened."""
    if place is not None:
        picture_panel.open_dialog(word, *split_of(place), key="explore.picture")


def split_of(place: int) -> tuple[Literal["train", "test"], int]:
    """The split of an image, and where it stands there."""
    return ("train", place) if place < TRAIN_IMAGES else ("test", place - TRAIN_IMAGES)


def place_of(split: str, index: int) -> int:
    """The reverse of `split_of`; validation images stand in the training split."""
    return index + (TRAIN_IMAGES if split == "test" else 0)


def labels_at(places: Sequence[int]) -> list[str]:
    """The names of the classes of images."""
    from fmnist.data import CLASS_NAMES

    dataset, found = state.dataset(), (split_of(place) for place in places)
    return [CLASS_NAMES[int((dataset.train if split == "train" else dataset.test).labels[index])] for split, index in found]


def _images_at(places: Sequence[int]) -> "Tensor":
    """uint8 (N, 28, 28), N > 0"""
    import torch

    dataset, found = state.dataset(), (split_of(place) for place in places)
    return torch.stack([(dataset.train if split == "train" else dataset.test).images[index] for split, index in found])


def _names(places: Sequence[int]) -> list[dict[str, object]]:
    """Each image, and what it is called for who does not see it."""
    words = {"train": "training", "test": "test"}
    found = zip(places, map(split_of, places), labels_at(places), strict=True)
    return [{"place": place, "name": f"{words[split]} image {index}", "label": label} for place, (split, index), label in found]


@st.cache_data(show_spinner=False, max_entries=128)
def _sheet(places: tuple[int, ...]) -> str:
    """The images side by side in one PNG: a data address."""
    return buttons.sheet(_images_at(places)) if places else ""
