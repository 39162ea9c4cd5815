"""Training images whose label a model doubts."""

from typing import TYPE_CHECKING, Any

import streamlit as st

from ui import choices, csv_file, judged, paging
from ui.images import buttons, image_table, tiles
from ui.images.tiles import Tile

if TYPE_CHECKING:
    from fmnist.outputs import Outputs
    from fmnist.prediction import Model
    from fmnist.suspects import Suspects

SEEN = {choices.ALL: "All", "held-out": "Held out", "trained-on": "Trained on"}
FINDERS = {"thresholds": "Thresholds", "cleanlab": "cleanlab"}
_WHY = {
    "thresholds": "An image is here if the model gives another class at least the probability that this class usually has where it is the "
    "label (confident learning, arXiv 1911.00068).",
    "cleanlab": "An image is here if cleanlab takes its label for wrong: it estimates how many labels of each class are wrong, and names "
    "as many of those that the model doubts most.",
}


def show(word: str) -> None:
    """The doubtful labels, the most doubtful first, as a gallery or a table, and as a file."""
    from fmnist.data import CLASS_NAMES

    finder = _finder()
    found = _suspects((model := judged.model(word)).sha256, finder, model, judged.outputs(word, "train"))
    st.caption(f"{_WHY[finder]} Some labels are wrong, some images could be either, and some the model has not understood.")
    if len(found) and found.seen.all():
        st.caption("This model was trained on every one of them, so it may have learnt wrong labels by heart. " + _ADVICE)
    mixed = 0 < int(found.seen.sum()) < len(found)
    with st.container(horizontal=True, vertical_alignment="top", gap="medium"):
        seen = choices.one_of("Images", SEEN, key="seen", help=_SEEN) if mixed else choices.ALL
        label = choices.class_of(CLASS_NAMES, label="Labelled as")
    rows = _chosen(found, seen, label)
    if not rows:
        st.info("No label is doubtful here. Choose another class or another model.", icon=":material/sentiment_satisfied:")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{len(rows):,}** doubtful label{'s' if len(rows) > 1 else ''}, the most doubtful first", width="content")
        csv_file.button("doubtful-labels", lambda: csv_file.written(frame(found, rows)))
        as_table = st.toggle("As a table", key="table", bind="query-params")
    if as_table:
        places = found.indices[rows].tolist()
        tiles.open_panel(
            word, image_table.show(frame(found, rows), places, _columns(), "The doubtful labels as a table", key="explore.suspects.table")
        )
        return
    shown = rows[paging.page(len(rows), buttons.PAGE, (model.sha256, finder, seen, label), key="explore.suspects")]
    tiles.show([_tile(found, row) for row in shown], word, key="explore.suspects.tiles")


def _finder() -> str:
    """How doubtful labels are found: with cleanlab too, where that is installed."""
    from fmnist.suspects import NO_CLEANLAB, has_cleanlab

    if has_cleanlab():
        return choices.one_of("Found by", FINDERS, key="finder")
    st.caption(NO_CLEANLAB)
    return next(iter(FINDERS))


def _tile(found: "Suspects", row: int) -> Tile:
    from fmnist.data import CLASS_NAMES

    label, suggested = CLASS_NAMES[int(found.labels[row])], CLASS_NAMES[int(found.suggested[row])]
    lines = (
        f"labelled {label}",
        f"{choices.rounded(float(found.other[row]))} against {choices.rounded(float(found.own[row]))}",
        _seen_word(bool(found.seen[row])),
    )
    return Tile((int(found.indices[row]),), f"{suggested}?", lines)


def _seen_word(seen: bool) -> str:
    return "trained on" if seen else "held out"


def _chosen(found: "Suspects", seen: str, label: int | None) -> list[int]:
    """Rows that fit, the most doubtful first."""
    wanted = found.labels == label if label is not None else found.labels >= 0
    if seen != choices.ALL:
        wanted = wanted & (found.seen == (seen == "trained-on"))
    return wanted.nonzero()[:, 0].tolist()


def frame(found: "Suspects", rows: list[int]) -> Any:
    """The rows as a table: also what the file holds."""
    import pandas as pd

    from fmnist.data import CLASS_NAMES

    return pd.DataFrame(
        [
            {
                "index": int(found.indices[row]),
                "label": CLASS_NAMES[int(found.labels[row])],
                "suggested": CLASS_NAMES[int(found.suggested[row])],
                "probability_of_label": float(found.own[row]),
                "probability_of_suggested": float(found.other[row]),
                "seen": _seen_word(bool(found.seen[row])),
            }
            for row in rows
        ]
    )


def _columns() -> dict[str, Any]:
    column = st.column_config
    return {
        "index": column.NumberColumn("Training image", format="%d"),
        "label": column.TextColumn("Label"),
        "suggested": column.TextColumn("Suggested"),
        "probability_of_label": column.NumberColumn("Given to the label", format="percent"),
        "probability_of_suggested": column.NumberColumn("Given to the suggestion", format="percent"),
        "seen": column.TextColumn("The model was", help=_SEEN),
    }


@st.cache_resource(show_spinner=False, max_entries=8)
def _suspects(sha256: str, finder: str, _model: "Model", _outputs: "Outputs") -> "Suspects":
    import torch

    from fmnist.suspects import find, find_by_cleanlab, seen_by

    count = len(_outputs)
    seen = seen_by(_model.config, count) if _model.config else torch.ones(count, dtype=torch.bool)
    return (find_by_cleanlab if finder == "cleanlab" else find)(_outputs.logits, _outputs.labels, seen)


_ADVICE = "Train with validation images, or with fewer training images, to have more that it has not seen."
_SEEN = "A doubt about an image that was held out is worth more: a model can learn a wrong label by heart. " + _ADVICE
