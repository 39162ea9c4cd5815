"""Pictures as files: one is answered at once, many become a table in which one can be opened."""

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st
from PIL import Image

from fmnist.decoding import MOST_BYTES
from fmnist.errors import PictureError
from ui import boundary, csv_file, state, thumbnails
from ui.labels import plain
from ui.trying import paste, settings_panel
from ui.trying.judgement import Picture

if TYPE_CHECKING:
    import pandas as pd

    from fmnist.pictures import Settings
    from fmnist.prediction import Model, Prediction

TYPES = ["png", "jpg", "jpeg", "webp", "gif", "bmp"]
MOST_MEGABYTES = MOST_BYTES // 1_000_000
MOST_FILES = 200
THUMBNAIL = 72  # pixels
PREVIEW = 400


@dataclass(frozen=True)
class File:
    """What somebody handed over."""

    name: str
    content: bytes

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True)
class Row:
    """A file in the table."""

    name: str
    thumbnail: str | None  # a data address
    prediction: "Prediction | None"
    problem: str = ""  # why there is no answer


def show(words: list[str], ready: bool) -> Picture | None:
    """Ask for files, and show a table if they are many; returns the picture that is looked at.

    Args:
        ready: whether models can answer yet; many files wait until then.
    """
    st.file_uploader(
        "Pictures of clothes",
        TYPES,
        accept_multiple_files=True,
        key="try.files",
        max_upload_size=MOST_MEGABYTES,
        on_change=_take_files,
        help=f"PNG, JPEG, WebP, GIF or BMP, up to {MOST_MEGABYTES} MB each and {MOST_FILES} at once. They stay on this computer.",
    )
    if pasted := paste.show(key="try.paste"):
        st.session_state["try.taken"], st.session_state["try.count"] = [File("pasted picture", pasted)], 1
    files = _files()
    if (count := st.session_state.get("try.count", 0)) > MOST_FILES:
        st.warning(f"These are {count} pictures, and at most {MOST_FILES} are looked at once. The first {MOST_FILES} are below.")
    if files and not st.session_state.get("try.files"):
        st.button("Remove", icon=":material/close:", key="try.remove", on_click=_forget, type="tertiary")
    if len(files) > 1:
        return _table(files, words[0]) if ready else None
    return _opened(files[0]) if files else None


def preview(picture: Picture | None) -> None:
    """The picture that is looked at, or what one can do here."""
    if picture is None:
        st.caption("One picture is answered at once; many become a table. A whole folder: `python -m fmnist predict bundled FOLDER`.")
        return
    small = picture.image.copy()
    small.thumbnail((PREVIEW, PREVIEW))
    if max(small.size) < PREVIEW // 4:  # an image of the dataset: its pixels as squares
        small = small.resize((small.width * 8, small.height * 8), Image.Resampling.NEAREST)
    st.image(small, caption=plain(picture.name), alt=f"Your picture {picture.name}")


def _take_files() -> None:
    """What the uploader holds, kept beyond it: it forgets its files when another section is opened."""
    given = st.session_state["try.files"]
    st.session_state["try.taken"] = [File(each.name, each.getvalue()) for each in given[:MOST_FILES]]
    st.session_state["try.count"] = len(given)
    st.session_state["try.table.run"] = st.session_state.get("try.table.run", 0) + 1  # another list: no row of it is chosen yet


def _files() -> list[File]:
    if "try.taken" not in st.session_state and st.session_state.get("try.files"):
        _take_files()
    return st.session_state.get("try.taken", [])


def _opened(file: File) -> Picture | None:
    try:
        return Picture(file.name, read(file))
    except PictureError as error:
        boundary.show(error)
        return None


def _forget() -> None:
    st.session_state["try.taken"], st.session_state["try.count"] = [], 0


def read(file: File) -> Image.Image:
    """Decode it.

    Raises:
        PictureError: a sentence, whatever is wrong with it.
    """
    from fmnist.pictures import read as decode

    return decode(file.content)


def _table(files: list[File], word: str) -> Picture | None:
    """Every file with its answer; returns the one that is chosen, the first at the beginning."""
    rows = _rows(files, word)
    key = f"try.table.{st.session_state.get('try.table.run', 0)}"
    unreadable = sum(row.prediction is None for row in rows)
    strange = sum(row.prediction is not None and not row.prediction.familiar for row in rows)
    notes = [f"**{len(rows)} pictures**"]
    notes += [f"{strange} unlike anything known"] * bool(strange) + [f"{unreadable} cannot be read"] * bool(unreadable)
    st.markdown(", ".join(notes) + ". Choose a row to see why.")
    chosen = st.dataframe(
        _frame(rows).assign(confidence=[100 * row.prediction.confidence if row.prediction else None for row in rows]),
        key=key,
        on_select="rerun",
        selection_mode="single-row",
        hide_index=True,
        row_height=56,
        height=min(460, 38 + 56 * len(rows)),
        column_config={
            "picture": st.column_config.ImageColumn("", width=64),
            "file": st.column_config.TextColumn("File"),
            "guess": st.column_config.TextColumn("Guess"),
            "confidence": st.column_config.ProgressColumn("Sure", format="%.0f %%", min_value=0, max_value=100, width=120),
            "familiar": st.column_config.CheckboxColumn("Familiar", width=70),
            "note": st.column_config.TextColumn("Why not"),
        },
        alt=f"{len(rows)} pictures with what the model says of each",
    )
    csv_file.button("pictures", lambda: csv_file.written(_report(rows)))
    lines = chosen["selection"]["rows"]
    first = next((place for place, row in enumerate(rows) if row.prediction), 0)
    return _opened(files[lines[0] if lines and lines[0] < len(files) else first])


def _rows(files: list[File], word: str) -> list[Row]:
    """Each file's answer; a bar while they are looked at. What was answered once is not looked at again."""
    settings, model = settings_panel.settings(), state.model(word)
    bar = st.empty()
    rows = []
    for place, file in enumerate(files):
        bar.progress(place / len(files), text=f"Looking at picture {place + 1} of {len(files)}")
        rows.append(_row(file.digest, file.name, settings, model.sha256, file, model))
    bar.empty()
    return rows


@st.cache_data(show_spinner=False, max_entries=2 * MOST_FILES)
def _row(digest: str, name: str, settings: "Settings", sha256: str, _file: File, _model: "Model") -> Row:
    import torch

    from fmnist.pictures import to_image
    from fmnist.prediction import classify

    torch.set_num_threads(1)
    try:
        image = read(_file)
    except PictureError as error:
        return Row(name, None, None, str(error))
    return Row(name, _thumbnail(image), classify(_model, [to_image(image, settings)])[0])


def _thumbnail(image: Image.Image) -> str:
    import numpy as np

    small = image.convert("RGB")
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    return thumbnails.png(np.asarray(small))


def _frame(rows: list[Row]) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame(
        {
            "picture": [row.thumbnail for row in rows],
            "file": [row.name for row in rows],
            "guess": [row.prediction.label if row.prediction else "" for row in rows],
            "confidence": [row.prediction.confidence if row.prediction else None for row in rows],
            "familiar": [row.prediction.familiar if row.prediction else None for row in rows],
            "note": [(row.prediction.reason or "") if row.prediction else row.problem for row in rows],
        }
    )


def _report(rows: list[Row]) -> "pd.DataFrame":
    """The table as a file: with all ten probabilities, without the thumbnails."""
    import pandas as pd

    from fmnist.data import CLASS_NAMES

    shares = {
        name: [row.prediction.probabilities[index] if row.prediction else None for row in rows] for index, name in enumerate(CLASS_NAMES)
    }
    return pd.concat([_frame(rows).drop(columns="picture"), pd.DataFrame(shares)], axis=1)
