"""What a model makes of a split, as a map: images that it finds alike lie beside each other."""

from typing import TYPE_CHECKING, Any, NamedTuple

import streamlit as st

from ui import choices, csv_file, judged, paging, state
from ui.exploration import lasso_map, process_panel
from ui.images import buttons, gallery
from ui.images.gallery import Item
from ui.picture import picture_panel

if TYPE_CHECKING:
    from torch import Tensor

    from fmnist.computation import Computation
    from fmnist.outputs import Outputs, SplitName
    from fmnist.prediction import Model

SPLITS: "dict[SplitName, str]" = {"test": "Test", "validation": "Validation", "train": "Training"}
METHODS = {"pca": "PCA", "tsne": "t-SNE"}
COLOURS = {"class": "class", "prediction": "prediction", "error": "error"}


class Found(NamedTuple):
    """A map of a sample."""

    method: str
    coordinates: "Tensor"  # float32 (N, 2)
    note: str  # what may be read from it


def show(word: str) -> None:
    """The map with its choices, and below it what is circled."""
    from fmnist import maps
    from fmnist.outputs import available

    model = judged.model(word)
    with st.container(horizontal=True, vertical_alignment="top", gap="medium"):
        split: SplitName = choices.one_of("Images", {name: SPLITS[name] for name in _usual_first(available(model))}, key="images")  # type: ignore[assignment]
        method = choices.one_of("Method", METHODS, key="method", help=_METHODS)
        colour = choices.one_of("Colour by", COLOURS, key="colour")
        count = _count(split)
    outputs = judged.outputs(word, split)
    coordinates, shares = _principal(model.sha256, split, count, outputs)
    size = outputs.features.shape[1]
    found = Found("PCA", coordinates, f"These two directions hold {choices.rounded(shares)} of what varies in the {size} features.")
    if method == "tsne":
        found = _neighbours(model, outputs, count) or found
    _map(word, model, outputs, found, maps.sample(len(outputs), count), colour)


def _neighbours(model: "Model", outputs: "Outputs", count: int) -> Found | None:
    """The t-SNE map; None until it is computed, and how far it is."""
    from fmnist import maps

    computation = _tsne(model.sha256, outputs.split, count, model, outputs)
    if kept := computation.result():
        return Found("t-SNE", kept["coordinates"], "What lies side by side is alike for the network; distances between groups mean little.")
    features = outputs.features[maps.sample(len(outputs), count)]
    process_panel.show(
        computation, lambda: computation.begin({"features": features}), "Compute the t-SNE map", maps.expected_seconds(count), key="tsne"
    )
    st.caption("Until it is there, this is the PCA map.")
    return None


def _map(word: str, model: "Model", outputs: "Outputs", found: Found, rows: "Tensor", colour: str) -> None:
    here = (model.sha256, outputs.split, len(rows))
    about = ".".join(str(part)[:12] for part in here)
    confidence, guess = outputs.probabilities[rows].max(1)
    numbers, truth = outputs.indices[rows].tolist(), outputs.labels[rows].tolist()
    points = lasso_map.Points(found.coordinates, numbers, truth, guess.tolist(), confidence.tolist(), about)
    wrong = int((guess != outputs.labels[rows]).sum())
    label = f"{found.method} map of {len(rows):,} {outputs.split} images, coloured by {colour}; {wrong:,} are taken for something else."
    picked, opened = lasso_map.show(points, colour, label, key=f"explore.map.{about}")
    st.caption(f"{found.note} Circle points with the lasso to see them below; Shift adds to the selection. A click opens an image.")
    if picked:
        _selection(word, outputs, points, picked)
    lasso_map.pictures(about, _sheet(*here, outputs, rows), key="explore.map.pictures")
    if opened is not None and 0 <= opened < len(numbers):
        picture_panel.open_dialog(word, outputs.split, numbers[opened], key="explore.picture")


def _selection(word: str, outputs: "Outputs", points: lasso_map.Points, picked: list[int]) -> None:
    """What is circled: figures, a gallery, a file."""
    wrong = sum(points.truth[row] != points.guess[row] for row in picked)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{len(picked):,} selected**, {wrong:,} taken for something else", width="content")
        csv_file.button(f"{outputs.split}-selection", lambda: csv_file.written(_table(points, picked)))
    shown = picked[paging.page(len(picked), buttons.PAGE, (points.pictures, tuple(picked)), key="explore.selection")]
    items = [Item(points.numbers[row], points.truth[row], points.guess[row], points.confidence[row]) for row in shown]
    images = (state.dataset().test if outputs.split == "test" else state.dataset().train).images
    opened = gallery.show(items, buttons.sheet(images[[item.index for item in items]]), key="explore.selection.gallery")
    if opened is not None:
        picture_panel.open_dialog(word, outputs.split, opened, key="explore.picture")


def _table(points: lasso_map.Points, picked: list[int]) -> Any:
    import pandas as pd

    from fmnist.data import CLASS_NAMES

    rows = [
        {
            "index": points.numbers[row],
            "true": CLASS_NAMES[points.truth[row]],
            "predicted": CLASS_NAMES[points.guess[row]],
            "confidence": points.confidence[row],
            "x": float(points.coordinates[row, 0]),
            "y": float(points.coordinates[row, 1]),
        }
        for row in picked
    ]
    return pd.DataFrame(rows)


def _usual_first(names: "tuple[SplitName, ...]") -> "list[SplitName]":
    return [name for name in SPLITS if name in names]


def _count(split: "SplitName") -> int:
    from fmnist import maps

    return st.slider(
        "Images on the map",
        maps.FEWEST,
        maps.MOST,
        maps.USUAL,
        step=maps.FEWEST,
        key="count",
        bind="query-params",
        width=200,
        help="A sample, the same at each visit. More images take t-SNE longer.",
    )


@st.cache_data(show_spinner=False, max_entries=32)
def _principal(sha256: str, split: str, count: int, _outputs: "Outputs") -> "tuple[Tensor, float]":
    from fmnist import maps

    coordinates, shares = maps.principal(_outputs.features[maps.sample(len(_outputs), count)])
    return coordinates, float(shares.sum())


@st.cache_data(show_spinner=False, max_entries=4)
def _sheet(sha256: str, split: str, count: int, _outputs: "Outputs", _rows: "Tensor") -> str:
    images = (state.dataset().test if split == "test" else state.dataset().train).images
    return lasso_map.sheet(images[_outputs.indices[_rows]])


@st.cache_resource(show_spinner=False, max_entries=64)
def _tsne(sha256: str, split: str, count: int, _model: "Model", _outputs: "Outputs") -> "Computation":
    from fmnist import maps

    return maps.tsne_of(_model, _outputs, count)


_METHODS = (
    "Both squeeze the numbers that the last layer decides on into two. PCA is quick and keeps the large distances; t-SNE keeps neighbours "
    "together, and shows groups inside the classes."
)
