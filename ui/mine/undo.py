"""What was just done to my pictures, with a way back."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from fmnist.errors import FmnistError
from ui import boundary

if TYPE_CHECKING:
    from fmnist.my_pictures import Removed


@dataclass(frozen=True)
class Done:
    """Something that was done, and what it takes to take it back."""

    words: str  # Markdown, a sentence
    added: tuple[str, ...] = ()  # ids
    relabelled: tuple[tuple[str, int], ...] = ()  # ids and the labels before
    removed: "tuple[Removed, ...]" = ()

    @property
    def can_be_undone(self) -> bool:
        return bool(self.added or self.relabelled or self.removed)


def note(done: Done, key: str) -> None:
    """Say once that it was done, and remember it until something else is done under this key."""
    st.toast(done.words, icon=":material/check:")
    st.session_state[f"{key}.done"] = done


def forget(key: str) -> None:
    st.session_state.pop(f"{key}.done", None)


def last(key: str) -> Done | None:
    """What was done last under this key."""
    return st.session_state.get(f"{key}.done")


def show(key: str) -> None:
    """What was done last, and a button that takes it back."""
    if done := last(key):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f":green[:material/check:] {done.words}", width="content")
            if done.can_be_undone:
                st.button("Undo", icon=":material/undo:", type="tertiary", key=f"{key}.undo", on_click=_take_back, args=(done, key))


def _take_back(done: Done, key: str) -> None:
    from fmnist import my_pictures

    forget(key)
    try:
        for identity in done.added:
            my_pictures.delete(identity)
        for identity, label in done.relabelled:
            my_pictures.relabel(identity, label)
        for removed in done.removed:
            my_pictures.put_back(removed)
        st.toast("Taken back.", icon=":material/undo:")
    except FmnistError as error:  # somebody else was faster
        boundary.show(error)
