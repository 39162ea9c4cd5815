"""The table of runs: a line a run, with the columns that a person chose."""

from collections.abc import Iterable, Sequence
from typing import Any

import streamlit as st

from fmnist.run import Run
from ui.labels import DAMAGED, LOOKS
from ui.runs import grid
from ui.runs.fields import FIELDS, Entry, Field

LOOKS_SHOWN = [*LOOKS.values(), DAMAGED]
ALWAYS = ("number", "name")
LISTS = ("status", "tag")  # drawn as badges
USUAL = ("status", "tag", "accuracy", "best", "best_epoch", "last", "loss", "network", "done", "epochs", "batch_size")
USUAL += ("optimizer", "learning_rate", "time", "speed", "created")
CHOOSABLE = tuple(word for word in FIELDS if word not in (*ALWAYS, "binned"))  # nothing in the list of runs is in the bin


def ordered(entries: Sequence[Entry], by: str) -> list[Entry]:
    """Sorted by a field, what a person wants to see first; what has no value comes last, equals stay in their order."""
    field = FIELDS[by]
    known = [entry for entry in entries if field.value(entry) not in (None, ())]
    unknown = [entry for entry in entries if field.value(entry) in (None, ())]
    return sorted(known, key=lambda entry: _sortable(field.value(entry)), reverse=field.most_first) + unknown


def _sortable(value: Any) -> Any:
    return value.casefold() if isinstance(value, str) else value


def show(entries: Sequence[Entry], words: Sequence[str], *, key: str) -> None:
    """Draw the table; `grid` says what was ticked and clicked in it."""
    import pyarrow as pa  # not at the top: no other page on the way to the first one needs it

    shown, lists = [*ALWAYS, *words], pa.list_(pa.string())  # a column of empty lists would not say what they are lists of
    rows = pa.table({word: pa.array([_cell(word, entry) for entry in entries], lists if word in LISTS else None) for word in shown})
    columns = {word: _column(word, FIELDS[word], entries) for word in shown}
    grid.draw(rows, [entry.run.id for entry in entries], columns, key=key, name="name", alt="Runs with settings and figures")


def _cell(word: str, entry: Entry) -> Any:
    value = FIELDS[word].value(entry)
    return [value] if word == "status" else value


def _column(word: str, field: Field, entries: Sequence[Entry]) -> Any:
    column = st.column_config
    if word == "name":
        return {"label": field.title, "width": 210}
    if word == "number":
        return column.NumberColumn(field.title, width=50, pinned=True)
    if word == "status":
        options, colors = zip(*((look.word, look.color) for look in LOOKS_SHOWN), strict=True)
        return column.MultiselectColumn(field.title, options=options, color=colors, width=100)
    if word == "tag":
        return column.MultiselectColumn(field.title, options=tags(entry.run for entry in entries), color="gray", width=140)
    if field.kind in ("number", "percent", "duration"):
        return column.NumberColumn(field.title, help=field.help, format=field.format)
    if field.kind == "moment":
        return column.DatetimeColumn(field.title, format="YYYY-MM-DD HH:mm", timezone=st.context.timezone)
    if field.kind == "switch":
        return column.CheckboxColumn(field.title, help=field.help)
    return column.TextColumn(field.title, help=field.help)


def tags(runs: Iterable[Run]) -> list[str]:
    """Every tag that these runs have, in the order of the alphabet."""
    return sorted({tag for run in runs for tag in run.tags}, key=str.casefold)
