"""Which cell, row or column of the confusion matrix is looked at: in the address, in words, as a chip that can be removed."""

from typing import TYPE_CHECKING

import streamlit as st

from ui.choices import address_word
from ui.evaluation.matrix import PLURALS, Chosen
from ui.labels import plain

if TYPE_CHECKING:
    from torch import Tensor

TRUE, PREDICTED = "true", "predicted"  # the names in the address; the values are classes as in the address of Explore


def read() -> Chosen | None:
    """The choice in the address; what is no class there counts as nothing."""
    chosen = Chosen(_class(st.query_params.get(TRUE)), _class(st.query_params.get(PREDICTED)))
    return None if chosen == Chosen(None, None) else chosen


def write(chosen: Chosen | None) -> None:
    """Put a choice into the address, so that a link shows the same."""
    from fmnist.data import CLASS_NAMES

    for name, label in zip((TRUE, PREDICTED), chosen or Chosen(None, None), strict=True):
        if label is not None:
            st.query_params[name] = address_word(CLASS_NAMES[label])
        elif name in st.query_params:
            del st.query_params[name]


def words(chosen: Chosen) -> str:
    """A choice as a person would say it: "Shirts taken for Coat", "all Shirts", "everything taken for Coat"."""
    from fmnist.data import CLASS_NAMES

    truth, guess = chosen
    if truth is None:
        return f"Everything taken for {CLASS_NAMES[guess or 0]}"
    if guess is None:
        return f"All {PLURALS[truth]}"
    return f"{PLURALS[truth]} recognised" if truth == guess else f"{PLURALS[truth]} taken for {CLASS_NAMES[guess]}"


def chip(chosen: Chosen | None, count: int, total: int) -> None:
    """What everything below is about, with a cross that takes it back."""
    with st.container(horizontal=True, vertical_alignment="center", key="evaluate-filter"):
        if chosen is None:
            st.caption(f"Everything below is about all {total:,} images. Choose a cell, a row or a column above to look at a part of them.")
            return
        st.button(
            plain(words(chosen)),
            icon=":material/close:",
            key="evaluate.chip",
            on_click=write,
            args=(None,),
            help="Remove this filter: look at all images again.",
        )
        st.caption(f"{count:,} of {total:,} images. Everything below is about them.")


def fitting(chosen: Chosen | None, positions: "Tensor", truth: "Tensor", *guesses: "Tensor") -> "Tensor":
    """Those of the positions that a choice holds: of its true class, and taken for its guess by one of those who guess.

    Args:
        positions: int64 (M,).
        truth, guesses: int64 (N,) each.
    """
    label, guess = chosen or Chosen(None, None)
    if label is not None:
        positions = positions[truth[positions] == label]
    if guess is not None:
        positions = positions[sum(found[positions] == guess for found in guesses) > 0]
    return positions


def _class(name: str | None) -> int | None:
    from fmnist.data import CLASS_NAMES

    found = [index for index, known in enumerate(CLASS_NAMES) if name and address_word(known) == address_word(name)]
    return found[0] if found else None
