"""The most and the least typical images of each class, for a model."""

from typing import TYPE_CHECKING, Any

import streamlit as st

from ui import choices, csv_file, judged
from ui.exploration.feature_map import SPLITS
from ui.images import tiles
from ui.images.tiles import Tile

if TYPE_CHECKING:
    from torch import Tensor

    from fmnist.outputs import Outputs, SplitName

OF_ONE, OF_ALL = 36, 3  # images shown of a class that is chosen, and of each when all are


def show(word: str) -> None:
    """The two ends of the ranking of a class or of all classes, and all of it as a file."""
    from fmnist.data import CLASS_NAMES
    from fmnist.outputs import available

    model = judged.model(word)
    names = [name for name in SPLITS if name in available(model)]
    with st.container(horizontal=True, vertical_alignment="top", gap="medium"):
        split: SplitName = choices.one_of("Images", {name: SPLITS[name] for name in names}, key="images")  # type: ignore[assignment]
        label = choices.class_of(CLASS_NAMES)
    outputs = judged.outputs(word, split)
    distances = _distances(model.sha256, split, outputs)
    st.caption(
        "Typical is what lies near the middle of its class in the model's features, measured by how much the classes vary in each "
        "direction (Mahalanobis distance): 1.0 is the median of the split."
    )
    most, least = _ends(outputs, distances, label)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader("Most typical", anchor=False, width="content")
        csv_file.button(f"{split}-typical", lambda: csv_file.written(ranking(outputs, distances)), "Download the ranking as CSV")
    tiles.show([_tile(outputs, distances, row) for row in most], word, key="explore.typical.most")
    st.subheader("Least typical", anchor=False)
    tiles.show([_tile(outputs, distances, row) for row in least], word, key="explore.typical.least")


def _tile(outputs: "Outputs", distances: "Tensor", row: int) -> Tile:
    from fmnist.data import CLASS_NAMES

    index = int(outputs.indices[row])
    return Tile(
        (tiles.place_of(outputs.split, index),), CLASS_NAMES[int(outputs.labels[row])], (f"distance {distances[row]:.2f}", f"No. {index:,}")
    )


def _ends(outputs: "Outputs", distances: "Tensor", label: int | None) -> tuple[list[int], list[int]]:
    """Rows of the most typical images, and of the least typical ones, the oddest first."""
    from fmnist import typical

    labels = sorted(set(outputs.labels.tolist())) if label is None else [label]
    rankings = [typical.ranked(distances, outputs.labels, each).tolist() for each in labels]
    count = OF_ALL if label is None else OF_ONE
    return [row for each in rankings for row in each[:count]], [row for each in rankings for row in each[::-1][:count]]


def ranking(outputs: "Outputs", distances: "Tensor") -> Any:
    """Every image with its distance and its rank in its class, 1 is the most typical."""
    import pandas as pd

    from fmnist.data import CLASS_NAMES

    table = pd.DataFrame(
        {
            "index": outputs.indices.tolist(),
            "class": [CLASS_NAMES[label] for label in outputs.labels.tolist()],
            "distance": distances.tolist(),
        }
    )
    table["rank"] = table.groupby("class")["distance"].rank(method="first").astype(int)
    return table.sort_values(["class", "rank"])


@st.cache_resource(show_spinner=False, max_entries=8)
def _distances(sha256: str, split: str, _outputs: "Outputs") -> "Tensor":
    """float32 (N,): in medians of the split."""
    from fmnist import typical

    found = typical.distances(_outputs.features, _outputs.labels)
    return found / found.median().clamp(min=1e-12)
