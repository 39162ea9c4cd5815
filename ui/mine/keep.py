"""Keeping a picture: what it shows, and one button."""

import zlib
from typing import TYPE_CHECKING

import streamlit as st
from PIL import Image

from fmnist.errors import FmnistError
from ui.labels import plain
from ui.mine import undo
from ui.mine.undo import Done

if TYPE_CHECKING:
    from fmnist.my_pictures import Kind


def offer(picture: Image.Image, guess: int | None, key: str, kind: "Kind" = "photo") -> None:
    """Save a picture with its right label, which is the guess until somebody says another; then a word that it is saved, and a way back.

    Args:
        picture: mode L or RGB, as `pictures.read` gives it.
        guess: what a model takes it for, 0-9; None if there is no guess.
        key: of the widgets; another one for each picture that is on the screen at the same time.
    """
    from fmnist.data import CLASS_NAMES

    _begin_anew((guess, *_glance(picture)), guess, key)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key=f"{key}-keep"):
        label = st.selectbox(
            "What it really is",
            list(range(len(CLASS_NAMES))),
            index=None,
            key=f"{key}.label",
            format_func=CLASS_NAMES.__getitem__,
            placeholder="Choose a class",
            width=200,
            help="It is kept with this label among your pictures, and every model is scored on those. Nothing is ever trained on them.",
        )
        st.button(
            "Save with its right label",
            icon=":material/bookmark_add:",
            key=f"{key}.save",
            disabled=label is None,
            on_click=_save,
            args=(picture, kind, key),
        )
    undo.show(key)


def _begin_anew(about: tuple[object, ...], guess: int | None, key: str) -> None:
    """Another picture or another guess: what was chosen for the one before is not said of this one."""
    if st.session_state.get(f"{key}.about") != about or f"{key}.label" not in st.session_state:
        st.session_state[f"{key}.about"] = about
        st.session_state[f"{key}.label"] = guess
        undo.forget(key)


def _glance(picture: Image.Image) -> tuple[tuple[int, int], int]:
    """Enough to notice that it is another picture, without reading all of a large one."""
    return picture.size, zlib.crc32(picture.resize((64, 64), Image.Resampling.NEAREST).tobytes())


def _save(picture: Image.Image, kind: "Kind", key: str) -> None:
    from fmnist import my_pictures
    from fmnist.data import CLASS_NAMES

    label = st.session_state[f"{key}.label"]
    try:
        before = my_pictures.known(picture)
        kept = my_pictures.save(picture, label, kind)
    except FmnistError as error:
        undo.fail(error, key)
        return
    words = f"Saved as **{plain(CLASS_NAMES[label])}** among your pictures."
    if before and before.words:
        undo.note(Done(words, relabelled=((kept.id, before.words.label),)), key)
    else:
        undo.note(Done(words, added=(kept.id,)), key)
