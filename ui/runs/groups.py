"""The runs of the table in groups: those that share a value, or everything but the seed; with mean and spread of each group."""

from collections.abc import Iterator, Sequence
from statistics import fmean, stdev
from typing import Any

import streamlit as st

from fmnist import config
from ui.runs import grid
from ui.runs.fields import FIELDS, Entry, shown

NONE, RECIPE = "none", "recipe"
FIGURES = ("accuracy", "best", "loss")
OPTIONS = {NONE: "nothing", RECIPE: "recipe, any seed"} | {
    word: FIELDS[word].title for word in ("status", "tag", "monitor", "sweep", *config.FIELDS)
}


def split(entries: Sequence[Entry], by: str) -> dict[str, list[Entry]]:
    """What a group is called -> its runs; the largest first, of equals the most accurate. A run with two tags is in two groups."""
    differing = _differing(entries) if by == RECIPE else []
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        for name in _recipe(entry, differing) if by == RECIPE else _names(entry, by):
            found.setdefault(name, []).append(entry)
    return dict(sorted(found.items(), key=lambda item: (-len(item[1]), -(figures(item[1], "accuracy")[0] or 0.0))))


def _names(entry: Entry, by: str) -> Iterator[str]:
    field, value = FIELDS[by], FIELDS[by].value(entry)
    yield from (value or ["–"]) if field.kind == "tags" else [shown(field, value)]


def _differing(entries: Sequence[Entry]) -> list[str]:
    """The settings, but for the seed, that not all of these runs share."""
    known = [entry.run.config for entry in entries if entry.run.config]
    return [name for name in config.FIELDS if name != "seed" and len({getattr(each, name) for each in known}) > 1]


def _recipe(entry: Entry, differing: Sequence[str]) -> Iterator[str]:
    if entry.run.config is None:
        yield "Settings that cannot be read"
    else:
        values = (f"{FIELDS[name].title} {shown(FIELDS[name], getattr(entry.run.config, name))}" for name in differing)
        yield " · ".join(values) or "The same settings"


def figures(entries: Sequence[Entry], word: str) -> tuple[float | None, float | None]:
    """Mean and standard deviation (of a sample, so of two runs at least) of a figure over those runs that have it."""
    values = [value for entry in entries if (value := FIELDS[word].value(entry)) is not None]
    return (fmean(values) if values else None, stdev(values) if len(values) > 1 else None)


def show(groups: dict[str, list[Entry]]) -> list[Entry]:
    """Draw a line for each group; returns the runs of the ticked ones, of all of them if none is."""
    import pyarrow as pa

    ticked = grid.draw(
        pa.Table.from_pylist([_row(name, entries) for name, entries in groups.items()]),
        list(groups),
        _columns(),
        key="runs.groups",
        most_rows=8,
        alt="Groups of runs with mean and spread of their figures",
    )
    chosen = [entry for name in ticked or groups for entry in groups[name]]
    return list({entry.run.id: entry for entry in chosen}.values())


def _row(name: str, entries: Sequence[Entry]) -> dict[str, Any]:
    row: dict[str, Any] = {"group": name, "runs": len(entries)}
    for word in FIGURES:
        row[word], row[f"{word}.spread"] = figures(entries, word)
    return row


def _columns() -> dict[str, Any]:
    column = st.column_config
    columns: dict[str, Any] = {"group": column.TextColumn("Group"), "runs": column.NumberColumn("Runs", width=60)}
    for word in FIGURES:
        field = FIELDS[word]
        columns[word] = column.NumberColumn(field.title, format=field.format, help=f"Mean of the group. {field.help}")
        spread = (field.format or "").replace(" %%", "")
        columns[f"{word}.spread"] = column.NumberColumn("±", format=spread, help="Standard deviation between the runs of the group.")
    return columns
