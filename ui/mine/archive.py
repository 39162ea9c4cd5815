"""Taking my pictures along as one file, bringing them back, and deleting all of them."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from fmnist.errors import FmnistError
from ui.labels import plain
from ui.mine import undo
from ui.mine.undo import Done

if TYPE_CHECKING:
    from fmnist.my_archive import Taken
    from fmnist.my_pictures import Picture

MOST_MB = 64  # of a file that is imported: server.maxUploadSize
REFUSED = 5  # sentences that are shown


def show(whole: "Sequence[Picture]", key: str) -> None:
    """Export, import, delete all.

    Args:
        whole: the pictures that can be exported.
    """
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if whole:
            st.download_button(
                "Export as ZIP",
                exported,
                "my-pictures.zip",
                "application/zip",
                icon=":material/download:",
                on_click="ignore",
                key=f"{key}.export",
                help="The pictures, and a table labels.csv that says what each shows.",
            )
        with st.popover("Import", icon=":material/upload:"):
            _import(key)
        if whole and st.button("Delete all", icon=":material/delete:", type="tertiary", key=f"{key}.clear"):
            _confirm([picture.id for picture in whole], key)
    for sentence in st.session_state.get(f"{key}.refused", [])[:REFUSED]:
        st.warning(plain(sentence), icon=":material/block:")


def exported() -> bytes:
    """All pictures that are whole, as a ZIP file."""
    from fmnist import my_archive

    file = io.BytesIO()
    my_archive.write(file)
    return file.getvalue()


def _import(key: str) -> None:
    revision = st.session_state.setdefault(f"{key}.imports", 0)
    file = st.file_uploader("A ZIP file that was exported here", type=["zip"], key=f"{key}.import.{revision}", max_upload_size=MOST_MB)
    st.caption("Or any ZIP with pictures and a table labels.csv of the columns file and label.")
    st.button("Import these pictures", key=f"{key}.take", disabled=file is None, on_click=_take, args=(file, key))


def _take(file: io.BytesIO, key: str) -> None:
    from fmnist import my_archive

    st.session_state[f"{key}.imports"] += 1
    try:
        taken = my_archive.take(file)
    except FmnistError as error:
        undo.fail(error, key)
        return
    st.session_state[f"{key}.refused"] = taken.refused
    undo.note(Done(words(taken), added=tuple(taken.added)), key)


def words(taken: "Taken") -> str:
    """What came out of a file."""
    parts = [f"{len(taken.added):,} picture{'s' * (len(taken.added) != 1)} added"]
    parts += [f"{taken.known:,} there already"] * bool(taken.known) + [f"{len(taken.refused):,} refused"] * bool(taken.refused)
    return ", ".join(parts) + "."


@st.dialog("Delete all your pictures?", icon=":material/delete:")
def _confirm(ids: list[str], key: str) -> None:
    count = f"{len(ids):,} picture{'s' * (len(ids) != 1)}"
    st.markdown(f"This removes {count} with their labels. It cannot be undone. Export them first to keep a copy.")
    with st.container(horizontal=True):
        if st.button("Delete for good", type="primary", icon=":material/delete:", key=f"{key}.clear.yes", on_click=_clear, args=(ids, key)):
            st.rerun()
        if st.button("Keep them", key=f"{key}.clear.no"):
            st.rerun()


def _clear(ids: list[str], key: str) -> None:
    from fmnist import my_pictures

    try:
        for identity in ids:
            my_pictures.delete(identity)
    except FmnistError as error:
        undo.fail(error, key)
        return
    undo.note(Done(f"{len(ids):,} pictures deleted."), key)
