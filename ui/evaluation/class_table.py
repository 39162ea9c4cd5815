"""How each class fares, and how well the probability of one class separates it from the others."""

from typing import TYPE_CHECKING, Any

import streamlit as st

from ui.evaluation import figures
from ui.evaluation.evaluated import View
from ui.evaluation.matrix import Chosen

if TYPE_CHECKING:
    from fmnist.curves import Curve


def show(view: View, chosen: Chosen | None) -> None:
    """The table of the classes that the filter leaves, and the curves of one of them."""
    from fmnist.data import CLASS_NAMES

    labels = [label for label in range(len(CLASS_NAMES)) if chosen is None or label in chosen]
    _table(view, labels)
    if view.epoch:
        st.caption("The curves of a class need all ten probabilities, which are known of the newest epoch only.")
        return
    names = list(CLASS_NAMES)
    about = chosen.truth if chosen and chosen.truth is not None else labels[0]
    name = st.selectbox("Curves of", names, index=about, key=f"evaluate.class.{about}", width=240)
    roc, precision_recall = _curves(view.model.sha256, view.split, names.index(name), view)
    for column, chart in zip(st.columns(2), (figures.roc(roc, name), figures.precision_recall(precision_recall, name)), strict=True):
        column.plotly_chart(chart.figure, alt=chart.alt, config={"displaylogo": False})


def _table(view: View, labels: list[int]) -> None:
    import pandas as pd

    from fmnist.data import CLASS_NAMES

    found = [(CLASS_NAMES[label], view.report.per_class[CLASS_NAMES[label]]) for label in labels]
    rows = [
        {
            "class": name,
            "precision": 100 * figure.precision,
            "recall": 100 * figure.recall,
            "f1": 100 * figure.f1,
            "support": figure.support,
            "confused": ", ".join(f"{other} ({count:,})" for other, count in figure.confused_with) or "nothing",
        }
        for name, figure in found
    ]
    st.dataframe(
        pd.DataFrame(rows), hide_index=True, height="content", column_config=_columns(), alt="Precision, recall and F1 of each class"
    )


def _columns() -> dict[str, Any]:
    column = st.column_config
    bar = {"format": "%.1f %%", "min_value": 0, "max_value": 100, "width": "small"}
    return {
        "class": column.TextColumn("Class", pinned=True),
        "precision": column.ProgressColumn("Precision", help="Of what it takes for this class, how much is.", **bar),
        "recall": column.ProgressColumn("Recall", help="Of this class, how much it recognises.", **bar),
        "f1": column.ProgressColumn("F1", help="The harmonic mean of both.", **bar),
        "support": column.NumberColumn("Images", format="localized", width="small"),
        "confused": column.TextColumn("Most often taken for"),
    }


@st.cache_resource(show_spinner=False, max_entries=64)
def _curves(sha256: str, split: str, label: int, _view: View) -> "tuple[Curve, Curve]":
    from fmnist import curves

    probabilities, labels = _view.outputs.probabilities, _view.outputs.labels
    return curves.roc(probabilities, labels, label), curves.precision_recall(probabilities, labels, label)
