"""Which classes a run recognises better or worse than another one."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from fmnist.errors import FmnistError
from fmnist.run import Run
from ui import address, judged, places
from ui.comparing import looks
from ui.labels import plain

if TYPE_CHECKING:
    from torch import Tensor

MOST = 12  # runs: more columns than a screen has
BETTER, WORSE = "background-color: rgba(47, 111, 237, {})", "background-color: rgba(228, 87, 46, {})"  # blue and orange, as in Evaluate


class Cell(NamedTuple):
    """A run beside the baseline on the images of one class."""

    points: float  # of the recall, more is better
    is_sure: bool  # whether that is more than the choice of images makes


def show(chosen: Sequence[Run]) -> None:
    """The recall of each class of a baseline, and how far the others are above or below it."""
    answers: dict[int, judged.Answer] = {}
    for run in chosen[:MOST]:
        try:
            answer = judged.answer(run.id, "test")
        except FmnistError:  # no weights yet, or damaged ones
            continue
        if answer is None:
            return
        answers[run.number] = answer
    if len(answers) < 2:
        st.info("This needs two runs with a checkpoint. Add another run, or let one finish an epoch.", icon=":material/category:")
        return
    runs = {str(run.number): run for run in chosen if run.number in answers}
    baseline = _baseline(runs)
    _table(runs, baseline, answers)
    others = [run for run in runs.values() if run is not baseline]
    with st.container(horizontal=True):
        for run in others:
            st.page_link(
                places.EVALUATE,
                label=f"Images that differ: {plain(looks.called(run))}",
                icon=":material/compare_arrows:",
                query_params={"model": str(baseline.number), "section": "two", "other": str(run.number)},
            )


def _baseline(runs: dict[str, Run]) -> Run:
    first = next(iter(runs))
    address.follow("baseline", runs, first)
    word = st.selectbox(
        "Compared with",
        list(runs),
        key="baseline",
        on_change=address.tell,
        args=("baseline", first),
        format_func=lambda word: looks.called(runs[word]),
        width=320,
    )
    return runs[word]


def cells(first: "Tensor", second: "Tensor", truth: "Tensor") -> list[Cell]:
    """How a second model's recall differs from that of a first, class by class. Args: int64 (N,) guesses and classes."""
    from fmnist.comparison import CHANCE, compare
    from fmnist.data import CLASS_NAMES

    found = []
    for label in range(len(CLASS_NAMES)):
        here = truth == label
        pair = compare(first[here], second[here], truth[here])
        found.append(Cell(100 * pair.difference, pair.p_value < CHANCE / len(CLASS_NAMES)))
    return found


def _table(runs: dict[str, Run], baseline: Run, answers: "dict[int, judged.Answer]") -> None:
    import pandas as pd

    from fmnist.data import CLASS_NAMES

    own = answers[baseline.number]
    recall = [100 * float((own.guesses[own.labels == label] == label).double().mean()) for label in range(len(CLASS_NAMES))]
    found = {looks.called(run): cells(own.guesses, answers[run.number].guesses, own.labels) for run in runs.values() if run is not baseline}
    columns = {name: [cell.points for cell in row] for name, row in found.items()}
    table = pd.DataFrame({looks.called(baseline): recall, **columns}, index=list(CLASS_NAMES))
    marks = pd.DataFrame({looks.called(baseline): [""] * len(recall), **{name: _marks(row) for name, row in found.items()}})
    marks.index = table.index
    st.caption(
        "Recall on the 1,000 test images of each class, and the difference in points: blue is better, orange is worse, in full colour "
        "where it is more than the choice of images makes (McNemar's test, p below 0.005 for ten classes)."
    )
    number = st.column_config.NumberColumn
    st.dataframe(
        table.style.apply(lambda _: marks, axis=None),
        height="content",
        column_config={
            "_index": st.column_config.TextColumn("Class", pinned=True),
            looks.called(baseline): number(format="%.1f %%"),
            **{name: number(format="%+.1f") for name in columns},
        },
        alt=f"Recall of each class: {looks.called(baseline)}, and how far the others differ from it",
    )


def _marks(row: Sequence[Cell]) -> list[str]:
    return ["" if not cell.points else (BETTER if cell.points > 0 else WORSE).format(0.5 if cell.is_sure else 0.12) for cell in row]
