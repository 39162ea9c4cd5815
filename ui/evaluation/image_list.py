"""The images behind the matrix: the mistakes, the doubtful and a sample of the right ones; as a gallery, as a table, as a file."""

import io
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from ui import choices, csv_file, paging
from ui.evaluation import evaluated, time_machine
from ui.evaluation.evaluated import View
from ui.evaluation.matrix import Chosen
from ui.images import buttons, gallery, image_table
from ui.images.gallery import Item
from ui.picture import picture_panel

if TYPE_CHECKING:
    from torch import Tensor

KINDS = {"errors": "Mistakes", "unsure": "Right but unsure", "right": "Right, at random"}
ORDERS = {"confidence": "confidence", "loss": "loss", "margin": "margin", "index": "index"}
RECORDED = ("confidence", "index")  # what is known of an earlier epoch


def show(view: View, chosen: Chosen | None) -> None:
    """Everything that fits the filter, one page at a time; a click opens an image."""
    from fmnist import judgements

    kind, order, as_table = _controls(view, chosen)
    truth, guess = chosen or Chosen(None, None)
    positions = judgements.choose(view.judgements, kind, truth, guess, order, st.session_state.get("evaluate.seed", 0))
    if not len(positions):
        st.info(_nothing(kind, chosen), icon=":material/sentiment_satisfied:")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{len(positions):,}** {_what(kind, len(positions))}", width="content")
        csv_file.button(f"{view.split}-images", lambda: csv(view, positions))
        if kind == "right":
            st.button("Other ones first", icon=":material/shuffle:", type="tertiary", on_click=_shuffle)
    if as_table:
        table(view, positions)
    else:
        pages(view, positions, (*view.key, chosen, kind, order))


def pages(view: View, positions: "Tensor", about: Hashable, notes: Sequence[str] = (), key: str = "evaluate.gallery") -> None:
    """A gallery of rows of the judgements, a page at a time.

    Args:
        about: what the list is; another one begins at its first page.
        notes: for each of all N images a line below it; when it was learnt and forgotten, if there are none.
    """
    shown = positions[paging.page(len(positions), buttons.PAGE, (key, about), key="evaluate.paged")]
    lines = notes or _notes(view)
    columns = (getattr(view.judgements, name)[shown].tolist() for name in ("index", "truth", "guess", "confidence"))
    items = [Item(*values, note=lines[int(row)] if lines else "") for row, *values in zip(shown.tolist(), *columns, strict=True)]
    opened = gallery.show(items, _sheet(view.split, tuple(item.index for item in items), view, shown), key=key)
    if opened is not None:
        picture_panel.open_dialog(view.word, view.split, opened, key="evaluate.picture")


def table(view: View, positions: "Tensor") -> None:
    """Rows of the judgements as a table that sorts by any column; choosing a row opens its image."""
    from fmnist import judgements

    rows = judgements.rows(view.judgements, positions)
    shown = ["index", "true", "predicted", "confidence"] + ([] if view.epoch else ["loss", "margin", "probability_of_true"])
    indices = [row["index"] for row in rows]
    opened = image_table.show(_frame(rows, shown), indices, _columns(), "The images as a table", key="evaluate.table")
    if opened is not None:
        picture_panel.open_dialog(view.word, view.split, opened, key="evaluate.picture")


def _controls(view: View, chosen: Chosen | None) -> tuple[str, str, bool]:
    kinds = kinds_of(chosen)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        kind = kinds[0]
        if len(kinds) > 1:
            kind = choices.one_of("Show", {each: KINDS[each] for each in kinds}, key="show")
        order = "confidence"
        if kind != "right":
            orders = {each: ORDERS[each] for each in (RECORDED if view.epoch else ORDERS)}
            order = choices.one_of(
                "Sort by",
                orders,
                key="sort",
                help="Mistakes that it was most sure of come first; where it was right, those that it was least sure of. "
                "The margin is the distance between its first and its second guess.",
            )
        as_table = st.toggle("As a table", key="table", bind="query-params")
    return kind, order, as_table


def kinds_of(chosen: Chosen | None) -> list[str]:
    """The kinds of image that a choice can have: a cell holds only mistakes, or only right ones."""
    if chosen is None or None in chosen:
        return list(KINDS)
    return ["unsure", "right"] if chosen.truth == chosen.guess else ["errors"]


def _what(kind: str, count: int) -> str:
    one, many = {"errors": ("mistake", "mistakes")}.get(kind, ("right answer", "right answers"))
    first = {"unsure": ", the least sure first", "right": ", in a random order"}.get(kind, "")
    return (one if count == 1 else many) + first


def _nothing(kind: str, chosen: Chosen | None) -> str:
    where = "here" if chosen else "on these images"
    return f"Not one mistake {where}." if kind == "errors" else f"Not one right answer {where}."


def _notes(view: View) -> list[str]:
    return _learnt(view.model.sha256, view.split, view.past, view.outputs.labels) if view.past else []


@st.cache_data(show_spinner=False, max_entries=8)
def _learnt(sha256: str, split: str, _past: time_machine.Past, _truth: "Tensor") -> list[str]:
    return time_machine.notes(_past, _truth)


@st.cache_data(show_spinner=False, max_entries=128)
def _sheet(split: str, indices: tuple[int, ...], _view: View, _positions: "Tensor") -> str:
    return buttons.sheet(evaluated.images(_view, _positions))


def _shuffle() -> None:
    st.session_state["evaluate.seed"] = st.session_state.get("evaluate.seed", 0) + 1


def csv(view: View, positions: "Tensor") -> bytes:
    """The rows at these positions as the command line writes them."""
    from fmnist import judgements

    text = io.StringIO()
    judgements.write_csv(view.judgements, positions, text)
    return text.getvalue().encode()


def _frame(rows: list[dict[str, Any]], columns: list[str]) -> Any:
    import pandas as pd

    frame = pd.DataFrame(rows)[columns]
    shares = [name for name in columns if name in ("confidence", "margin", "probability_of_true")]
    frame[shares] *= 100
    return frame


def _columns() -> dict[str, Any]:
    column = st.column_config
    return {
        "index": column.NumberColumn("Image", format="%d"),
        "true": column.TextColumn("True"),
        "predicted": column.TextColumn("Predicted"),
        "confidence": column.NumberColumn("Confidence", format="%.2f %%"),
        "loss": column.NumberColumn("Loss", format="%.4f"),
        "margin": column.NumberColumn("Margin", format="%.2f %%", help="The first guess's probability less the second's."),
        "probability_of_true": column.NumberColumn("Given to the truth", format="%.2f %%"),
    }
