"""Choices that several pages ask for, most of them in the address under short words."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Literal

import streamlit as st

from ui import address

ALL = "all"
SPLITS = {"train": "Training", "test": "Test"}


def one_of(
    label: str,
    options: Mapping[str, str],
    *,
    key: str,
    default: str | None = None,
    help: str | None = None,  # noqa: A002
    label_visibility: Literal["visible", "collapsed"] = "visible",
    disabled: bool = False,
    on_change: Callable[[], None] | None = None,
    in_address: bool = True,
) -> str:
    """One of a few, side by side.

    Args:
        options: the word in the address -> what a person reads.
        default: the first, if None.
        on_change: called after somebody chose, when the address has it.
        in_address: False for how somebody works and not what is seen, such as a pen: a link does not say it, the visit remembers it.
    """
    first = default or next(iter(options))
    if in_address:
        address.follow(key, options, first)
        on_change = partial(_chosen, key, first, on_change)
    else:
        st.session_state.setdefault(key, first)
    chosen = st.segmented_control(
        label,
        list(options),
        required=True,
        key=key,
        on_change=on_change,
        format_func=lambda word: options[word],
        help=help,
        label_visibility=label_visibility,
        disabled=disabled,
        persist_state=None if in_address else "session",
    )
    return chosen or first


def listed(label: str, options: Mapping[str, str], *, key: str, width: int) -> str:
    """One of many, in a list that unfolds; in the address as `one_of` has it. The first is the default."""
    first = next(iter(options))
    address.follow(key, options, first)
    return st.selectbox(
        label, list(options), key=key, on_change=address.tell, args=(key, first), format_func=lambda word: options[word], width=width
    )


def _chosen(key: str, first: str, then: Callable[[], None] | None) -> None:
    address.tell(key, first)
    if then:
        then()


def class_of(names: Sequence[str], *, key: str = "class", everything: bool = True, label: str = "Class") -> int | None:
    """A class, 0-9; None for all of them, where that may be chosen."""
    options = ({ALL: "All classes"} if everything else {}) | {address_word(name): name for name in names}
    chosen = listed(label, options, key=key, width=200)
    return None if chosen == ALL else list(options).index(chosen) - everything


def rounded(share: float) -> str:
    """0.934 -> "93 %"."""
    return f"{100 * share:.0f}\N{NO-BREAK SPACE}%"


def address_word(name: str) -> str:
    """ "T-shirt/top" -> "t-shirt-top", "Ankle boot" -> "ankle-boot"."""
    return name.lower().replace("/", "-").replace(" ", "-")
