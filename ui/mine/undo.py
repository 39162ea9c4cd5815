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
    """Remember what was done until something else is done under this key; `show` says it. For callbacks, which draw nothing themselves."""
    st.session_state[f"{key}.done"] = done
    st.session_state[f"{key}.toast"] = done.words


def fail(error: FmnistError, key: str) -> None:
    """Remember why it was not done; `show` says it once."""
    st.session_state[f"{key}.error"] = error


def forget(key: str) -> None:
    st.session_state.pop(f"{key}.done", None)


def show(key: str) -> None:
    """What was done last, and a button that takes it back; or why it was not done."""
    if words := st.session_state.pop(f"{key}.toast", None):
        st.toast(words, icon=":material/check:")
    if error := st.session_state.pop(f"{key}.error", None):
        boundary.show(error)
    done: Done | None = st.session_state.get(f"{key}.done")
    if done:
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
    except FmnistError as error:  # somebody else was faster
        fail(error, key)
    else:
        st.session_state[f"{key}.toast"] = "Taken back."
