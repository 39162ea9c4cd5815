"""The collection of my pictures: what each shows and what a model takes it for, the score, and taking them along."""

import base64
import io
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import streamlit as st

from fmnist.errors import FmnistError
from ui import boundary
from ui.labels import plain
from ui.mine import archive, scores, undo
from ui.mine.scores import Scored
from ui.mine.undo import Done

if TYPE_CHECKING:
    from fmnist.my_pictures import Picture

KEY = "mine"
PAGE = 24  # pictures
THUMBNAIL = 72  # pixels
RIGHT, WRONG = "✓ right", "✗ wrong"


def show(model_word: str) -> None:
    """My pictures as a model sees them. What is changed in the table is changed at once, and can be taken back.

    Args:
        model_word: the model that is asked, as the address names it.
    """
    from fmnist import my_pictures

    found = my_pictures.listed()
    whole = [picture for picture in found if picture.words]
    undo.show(KEY)
    if whole:
        _judged(model_word, whole)
    elif not found:
        st.info(
            "You have kept no pictures yet. Draw, photograph or upload one, say what it really is, and save it: from then on every model "
            "is scored on your own pictures. Nothing is ever trained on them.",
            icon=":material/bookmark_add:",
        )
    _damaged([picture for picture in found if not picture.words])
    archive.show(whole, KEY)


def _judged(word: str, pictures: "list[Picture]") -> None:
    if not scores.prepared(pictures):
        return
    try:
        mine = scores.of(word, pictures)
    except FmnistError as error:  # another model can still be chosen, and the pictures stay
        boundary.show(error)
        return
    with st.spinner("Asking the other models"):
        everybody = scores.of_all(pictures)
    st.subheader(scores.sentence(mine, scores.before(word, everybody)), anchor=False)
    _table(mine, pictures)
    _compared(mine, everybody)


def _table(mine: Scored, pictures: "list[Picture]") -> None:
    """A page of pictures; another label or a deletion is done as soon as it is made."""
    from fmnist.data import CLASS_NAMES

    shown = pictures[_page(len(pictures))]
    key = f"{KEY}.table.{st.session_state.setdefault(f'{KEY}.revision', 0)}"
    st.data_editor(
        frame(mine, shown),
        key=key,
        hide_index=True,
        num_rows="delete",
        row_height=THUMBNAIL,
        height="content",
        disabled=["picture", "guess", "right", "kind", "created"],
        column_config=_columns(list(CLASS_NAMES)),
        on_change=_edited,
        args=(key, [picture.id for picture in shown]),
        alt="Your pictures with their labels and what the model takes them for",
    )
    st.caption("Double-click a label to change it. To delete pictures, choose their rows and press the bin above the table.")


def _page(count: int) -> slice:
    number = -(-count // PAGE)
    turned = st.pagination(number, key=f"{KEY}.page.{number}") if number > 1 else 1
    return slice(PAGE * (turned - 1), PAGE * turned)


def frame(mine: Scored, pictures: "Sequence[Picture]") -> Any:
    """The pictures as a table."""
    import pandas as pd

    from fmnist.data import CLASS_NAMES

    rows = []
    for picture in pictures:
        words, guess = picture.words, mine.score.guesses.get(picture.id)
        assert words
        rows.append(
            {
                "picture": _thumbnail(picture.id, picture),
                "label": CLASS_NAMES[words.label],
                "guess": "nothing found" if guess is None else CLASS_NAMES[guess],
                "right": RIGHT if guess == words.label else WRONG,
                "kind": words.kind,
                "created": datetime.fromtimestamp(words.created, UTC),
            }
        )
    return pd.DataFrame(rows)


def _edited(key: str, ids: list[str]) -> None:
    """Somebody changed the table: do the same to the pictures, and draw it anew."""
    changes = st.session_state[key]
    try:
        undo.note(apply(changes["edited_rows"], changes["deleted_rows"], ids), KEY)
    except FmnistError as error:
        undo.fail(error, KEY)
    st.session_state[f"{KEY}.revision"] += 1


def apply(edited: Mapping[int, Mapping[str, Any]], deleted: Sequence[int], ids: Sequence[str]) -> Done:
    """Do what was done in the table.

    Args:
        edited: row -> the columns that have another value.
        deleted: rows.
        ids: the picture of each row.

    Raises:
        PictureError: a picture is gone, or the disk refuses.
    """
    from fmnist import my_pictures

    labels = {ids[row]: my_pictures.class_of(str(columns["label"])) for row, columns in edited.items() if columns.get("label")}
    before = tuple((identity, words.label) for identity in labels if (words := my_pictures.get(identity).words))
    for identity, label in labels.items():
        if label is not None:
            my_pictures.relabel(identity, label)
    removed = tuple(my_pictures.delete(ids[row]) for row in deleted)
    words = [f"{_pictures(len(before))} relabelled."] * bool(before) + [f"{_pictures(len(removed))} deleted."] * bool(removed)
    return Done(" ".join(words) or "Nothing was changed.", relabelled=before, removed=removed)


def _pictures(count: int) -> str:
    return f"{count:,} picture{'s' * (count != 1)}"


def _compared(mine: Scored, everybody: Sequence[Scored]) -> None:
    """How the models fare beside each other, the best first."""
    import pandas as pd

    others = [each for each in everybody if each.score is not mine.score]
    if not others:
        return
    best = sorted([mine, *others], key=lambda each: -each.score.right)
    rows = [
        {"model": each.name, "right": f"{each.score.right} of {each.score.total}", "share": 100 * each.score.right / each.score.total}
        for each in best
    ]
    column = st.column_config
    columns = {
        "model": column.TextColumn("Model"),
        "right": column.TextColumn("Right", width="small"),
        "share": column.ProgressColumn("Of your pictures", format="%.0f %%", min_value=0, max_value=100),
    }
    st.dataframe(
        pd.DataFrame(rows), hide_index=True, height="content", column_config=columns, alt="How many of your pictures each model is right on"
    )
    st.caption(f"The bundled model and up to {scores.MOST} of the newest runs.")


def _damaged(pictures: "Sequence[Picture]") -> None:
    """What cannot be used, and why; it stays where it is until somebody deletes it."""
    for picture in pictures:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.warning(plain(picture.damage or ""), icon=":material/broken_image:")
            st.button("Delete it", key=f"{KEY}.damaged.{picture.id}", on_click=_delete, args=(picture.id,))


def _delete(identity: str) -> None:
    from fmnist import my_pictures

    try:
        undo.note(Done("1 picture deleted.", removed=(my_pictures.delete(identity),)), KEY)
    except FmnistError as error:
        undo.fail(error, KEY)


@st.cache_data(show_spinner=False, max_entries=512)
def _thumbnail(identity: str, _picture: "Picture") -> str:
    """A small picture as a data address."""
    from fmnist import my_pictures

    try:
        small = my_pictures.opened(_picture)
    except FmnistError:  # deleted a moment ago
        return ""
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    file = io.BytesIO()
    small.save(file, format="PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def _columns(names: list[str]) -> dict[str, Any]:
    column = st.column_config
    return {
        "picture": column.ImageColumn("Picture", width="small"),
        "label": column.SelectboxColumn("What it is", options=names, required=True),
        "guess": column.TextColumn("The model says"),
        "right": column.TextColumn("Right", width="small"),
        "kind": column.TextColumn("Kind", width="small"),
        "created": column.DatetimeColumn("Kept", format="YYYY-MM-DD HH:mm", timezone=st.context.timezone),
    }
