"""The dataset as it is: every image of a split, by class."""

from typing import TYPE_CHECKING

import streamlit as st

from ui import choices, paging, state
from ui.images import buttons, tiles
from ui.images.tiles import Tile

if TYPE_CHECKING:
    from torch import Tensor


def show(word: str) -> None:
    """A gallery of the images of a class or of all, a page at a time.

    Args:
        word: the model that an opened image is shown to.
    """
    from fmnist.data import CLASS_NAMES

    with st.container(horizontal=True, vertical_alignment="top", gap="medium"):
        split = choices.one_of("Images", choices.SPLITS, key="split")
        label = choices.class_of(CLASS_NAMES)
    images = state.dataset().train if split == "train" else state.dataset().test
    indices = _indices(images.labels, label)
    st.caption(f"{len(indices):,} images in the order of the file. Click one to see what the model makes of it.")
    shown = indices[paging.page(len(indices), buttons.PAGE, (split, label), key="explore.browse")].tolist()
    found = [Tile((tiles.place_of(split, index),), CLASS_NAMES[int(images.labels[index])], (f"No. {index:,}",)) for index in shown]
    tiles.show(found, word, key="explore.images")


def _indices(labels: "Tensor", label: int | None) -> "Tensor":
    """int64 (M,)"""
    import torch

    return torch.arange(len(labels)) if label is None else (labels == label).nonzero()[:, 0]
