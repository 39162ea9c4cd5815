"""Choices that several pages ask for, in the address under short words."""

from collections.abc import Mapping, Sequence

import streamlit as st

from ui import address

ALL = "all"
SPLITS = {"train": "Training", "test": "Test"}


def one_of(label: str, options: Mapping[str, str], *, key: str, default: str | None = None, help: str | None = None) -> str:  # noqa: A002
    """One of a few, side by side.

    Args:
        options: the word in the address -> what a person reads.
        default: the first, if None.
    """
    first = default or next(iter(options))
    address.follow(key, options, first)
    chosen = st.segmented_control(
        label,
        list(options),
        required=True,
        key=key,
        on_change=address.tell,
        args=(key, first),
        format_func=lambda word: options[word],
        help=help,
    )
    return chosen or first


def class_of(names: Sequence[str], *, key: str = "class", everything: bool = True, label: str = "Class") -> int | None:
    """A class, 0-9; None for all of them, where that may be chosen."""
    options = ({ALL: "All classes"} if everything else {}) | {address_word(name): name for name in names}
    first = next(iter(options))
    address.follow(key, options, first)
    chosen = st.selectbox(
        label, list(options), key=key, on_change=address.tell, args=(key, first), format_func=lambda word: options[word], width=200
    )
    return None if chosen == ALL else list(options).index(chosen) - everything


def rounded(share: float) -> str:
    """0.934 -> "93 %"."""
    return f"{100 * share:.0f}\N{NO-BREAK SPACE}%"


def address_word(name: str) -> str:
    """ "T-shirt/top" -> "t-shirt-top", "Ankle boot" -> "ankle-boot"."""
    return name.lower().replace("/", "-").replace(" ", "-")
