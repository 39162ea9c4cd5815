"""What differs in the settings of the chosen runs, and what came of it: a column a run."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from fmnist.config import FIELDS, in_words
from ui import csv_file, places
from ui.comparing import looks, run_figures
from ui.comparing.looks import DASHES, Look
from ui.comparing.run_figures import FIGURES, Subject
from ui.labels import plain

BEST = "background-color: rgba(45, 180, 135, 0.25)"
LINE = "Line"
LINKS = 12  # to runs below the table


def show(subjects: Sequence[Subject], shapes: Mapping[int, Look]) -> None:
    """The table, the way into each run, and a file."""
    import pandas as pd

    fields = run_figures.differing([subject.run for subject in subjects])
    table = pd.DataFrame({looks.called(subject.run): _column(subject, fields, shapes) for subject in subjects})
    marks = pd.DataFrame({looks.called(subject.run): _marks(subject, subjects, fields, shapes) for subject in subjects})
    marks.index = table.index
    same = f"{len(FIELDS) - len(fields)} other settings are the same in all of them." if fields else "Their settings are all the same."
    st.caption(f"Settings that differ, then figures; the best of a row is green. {same if len(subjects) > 1 else ''}")
    st.dataframe(
        table.style.apply(lambda _: marks, axis=None),
        height="content",
        column_config={"_index": st.column_config.TextColumn("", width=170, pinned=True)},
        alt="Settings that differ and figures of the chosen runs",
    )
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        for subject in subjects[:LINKS]:
            name = plain(looks.called(subject.run))
            st.page_link(places.RUNS, label=name, icon=":material/list_alt:", query_params={"run": subject.run.id})
        csv_file.button("comparison", lambda: csv_file.written(table.drop(LINE).rename_axis("").reset_index()))


def _column(subject: Subject, fields: Sequence[str], shapes: Mapping[int, Look]) -> dict[str, str]:
    settings = {FIELDS[field].title or field: in_words(getattr(subject.run.config, field)) for field in fields}
    figures = {figure.title: "–" if (value := subject.figures[key]) is None else figure.words(value) for key, figure in FIGURES.items()}
    return {LINE: DASHES[shapes[subject.run.number].dash], **settings, **figures}


def _marks(subject: Subject, subjects: Sequence[Subject], fields: Sequence[str], shapes: Mapping[int, Look]) -> list[str]:
    """The style of each cell of a column."""
    line = f"color: {shapes[subject.run.number].color}"
    return [line, *[""] * len(fields), *(BEST if _is_best(subject, subjects, key) else "" for key in FIGURES)]


def _is_best(subject: Subject, subjects: Sequence[Subject], key: str) -> bool:
    """Whether no other run has a better figure, and some have a worse one."""
    if FIGURES[key].better is None:
        return False
    there = [value for each in subjects if (value := each.figures[key]) is not None]
    pick: Any = max if FIGURES[key].better == "more" else min
    return len(set(there)) > 1 and subject.figures[key] == pick(there)
