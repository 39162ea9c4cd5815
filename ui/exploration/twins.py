"""Images that are there twice, or nearly, inside the splits and between them."""

from typing import TYPE_CHECKING, Any

import streamlit as st

from fmnist.home import runs_folder
from ui import choices, csv_file, judged, paging, state
from ui.exploration import process_panel
from ui.images import image_table, tiles
from ui.images.tiles import Tile

if TYPE_CHECKING:
    from fmnist.computation import Computation
    from fmnist.duplicates import Pairs
    from fmnist.prediction import Model

BY = {"pixels": "Pixels", "features": "Features"}
WHERE = {choices.ALL: "Anywhere", "train": "Inside training", "test": "Inside test", "between": "Between the two"}
LABELS = {choices.ALL: "Any", "different": "Different"}
SECONDS = {"pixels": 25.0, "features": 20.0}  # on two free cores
PAGE = 48  # pairs


def show(word: str) -> None:
    """The most alike pairs of the dataset, as a gallery or a table, and as a file."""
    with st.container(horizontal=True, vertical_alignment="top", gap="medium"):
        by = choices.one_of("Alike by", BY, key="by", help=_BY)
        where = choices.one_of("Where", WHERE, key="where")
        different = choices.one_of("Labels", LABELS, key="labels") == "different"
    st.caption("The most alike pairs of all 70,000 images. A test image that is among the training images, too, makes a model look better.")
    search = _by_pixels(str(runs_folder())) if by == "pixels" else _by_features((model := judged.model(word)).sha256, model)
    kept = search.result()
    if kept is None:
        _not_yet(search, by, word)
        return
    from fmnist.duplicates import Pairs

    _pairs(Pairs(**kept), by, where, different, word)


def _not_yet(search: "Computation", by: str, word: str) -> None:
    """A way to begin the search. By features it needs what the model says of both splits first."""
    from fmnist import duplicates

    if by == "features":
        train, test = judged.outputs(word, "train"), judged.outputs(word, "test")
        process_panel.show(
            search, lambda: search.begin(duplicates.inputs(state.dataset(), train, test)), _WHAT, SECONDS[by], key="twins.features"
        )
    else:
        process_panel.show(search, lambda: search.begin(duplicates.inputs(state.dataset())), _WHAT, SECONDS[by], key="twins.pixels")


def _pairs(pairs: "Pairs", by: str, where: str, different: bool, word: str) -> None:
    table = frame(pairs)
    table = table[_fits(table, where) & ((table["first_label"] != table["second_label"]) | (not different))]
    if table.empty:
        st.info("No two images are that alike here.", icon=":material/sentiment_satisfied:")
        return
    listed = table.drop(columns=["first_place", "second_place"])
    equal = int(table["exact"].sum())
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{len(table):,}** pair{'s' * (len(table) > 1)}, {equal or 'none'} of them equal in every byte", width="content")
        csv_file.button(f"alike-by-{by}", lambda: csv_file.written(listed))
        as_table = st.toggle("As a table", key="table", bind="query-params")
    if as_table:
        places = table["first_place"].tolist()  # a row has two images: it opens the first
        tiles.open_panel(word, image_table.show(listed, places, _columns(), "The pairs as a table", key="explore.twins.table"))
        return
    shown = table.iloc[paging.page(len(table), PAGE, (by, where, different), key="explore.twins")]
    tiles.show([_tile(row) for row in shown.to_dict("records")], word, key="explore.twins.tiles")


def _tile(row: dict[Any, Any]) -> Tile:
    labels = (row["first_label"], row["second_label"])
    title = labels[0] if labels[0] == labels[1] else f"{labels[0]} / {labels[1]}"
    where = " · ".join(f"{row[f'{each}_split']} {row[f'{each}_index']}" for each in ("first", "second"))
    likeness = "equal" if row["exact"] else f"likeness {row['likeness']:.5f}"
    return Tile((row["first_place"], row["second_place"]), title, (likeness, where), marked=labels[0] != labels[1])


def frame(pairs: "Pairs") -> Any:
    """The pairs as a table, the most alike first; also what the file holds."""
    import pandas as pd

    columns: dict[str, list[Any]] = {"likeness": pairs.likeness.tolist(), "exact": pairs.exact.tolist()}
    for name, places in (("first", pairs.first.tolist()), ("second", pairs.second.tolist())):
        found = [tiles.split_of(place) for place in places]
        columns[f"{name}_split"] = [split for split, _ in found]
        columns[f"{name}_index"] = [index for _, index in found]
        columns[f"{name}_label"] = tiles.labels_at(places)
        columns[f"{name}_place"] = places
    return pd.DataFrame(columns)


def _fits(table: Any, where: str) -> Any:
    first, second = table["first_split"], table["second_split"]
    if where == choices.ALL:
        return first == first
    return first != second if where == "between" else (first == where) & (second == where)


def _columns() -> dict[str, Any]:
    column = st.column_config
    shown: dict[str, Any] = {
        "likeness": column.NumberColumn("Likeness", format="%.5f"),
        "exact": column.CheckboxColumn("Equal", help="Every byte is the same."),
    }
    for name, word in (("first", "First"), ("second", "Second")):
        shown |= {
            f"{name}_split": column.TextColumn(f"{word} split"),
            f"{name}_index": column.NumberColumn("Image", format="%d"),
            f"{name}_label": column.TextColumn("Label"),
        }
    return shown


@st.cache_resource(show_spinner=False, max_entries=4)
def _by_pixels(folder: str) -> "Computation":
    from fmnist import duplicates

    return duplicates.by_pixels()


@st.cache_resource(show_spinner=False, max_entries=8)
def _by_features(sha256: str, _model: "Model") -> "Computation":
    from fmnist import duplicates

    return duplicates.by_features(_model)


_WHAT = "Compare all 70,000 images"
_BY = (
    "Pixels find the same picture twice, also if one is brighter; 1 is the same up to brightness and contrast. Features find what the "
    "model takes for the same thing: for a trained one that is often only the same kind of garment."
)
