"""The table of all runs: what is in it, what the filter leaves, and which run was opened in it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import streamlit as st

from fmnist.events import Epoch
from fmnist.run import Run
from ui.labels import DAMAGED, LOOKS
from ui.runs import run_rows

WORDS = [*(look.word for look in LOOKS.values()), DAMAGED.word]


def filters() -> tuple[str, list[str]]:
    """What to look for and which statuses to show; both stand in the address, so that a filtered table can be sent to somebody."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        words = st.text_input(
            "Search", key="search", bind="query-params", placeholder="Name, note, network, optimizer…", icon=":material/search:", width=320
        )
        statuses = st.multiselect("Status", WORDS, key="status", bind="query-params", placeholder="Any", width=420)
    return words or "", statuses


def filtered(runs: Sequence[Run], words: str, statuses: Sequence[str]) -> list[Run]:
    """The runs that have every word somewhere and one of the statuses."""
    wanted = words.casefold().split()
    return [
        run for run in runs if (not statuses or run_rows.look(run).word in statuses) and all(word in _searchable(run) for word in wanted)
    ]


def _searchable(run: Run) -> str:
    config = " ".join(str(value) for value in run.config.model_dump().values()) if run.config else ""
    return f"{run.number} {run.name} {run.note} {run_rows.look(run).word} {config} {run.device}".casefold()


def show(runs: Sequence[Run], last: Mapping[str, Epoch]) -> Run | None:
    """Draw the table; returns the run that was opened in it: by its name, or, with the keyboard, by selecting its row."""
    import pandas as pd  # not at the top: no other page on the way to the first one needs it

    drawn: list[str] = st.session_state.get("runs.drawn", [])  # what the person saw when clicking
    clicked = st.session_state.get("runs.name")
    st.session_state["runs.drawn"] = [run.id for run in runs]
    event = st.dataframe(
        pd.DataFrame([_row(run, last.get(run.id)) for run in runs]),
        key="runs.table",
        hide_index=True,
        height="content" if len(runs) <= 15 else 575,
        on_select="rerun",
        selection_mode="single-row",
        column_config=_columns(),
        placeholder="–",
        alt="All runs with their settings and figures",
    )
    rows = [clicked["row"]] if clicked else event["selection"]["rows"]
    opened = drawn[rows[0]] if rows and rows[0] < len(drawn) else None
    return next((run for run in runs if run.id == opened), None)


def _row(run: Run, last: Epoch | None) -> dict[str, Any]:
    config = run.config
    speed = run.images_per_second or (last.images_per_second if last else None)
    return {
        "number": run.number,
        "name": run.name,
        "status": [run_rows.look(run).word],
        "accuracy": None if run.accuracy is None else 100 * run.accuracy,
        "loss": run.loss,
        "monitor": 100 * last.accuracy if last else None,
        "network": config.network if config else None,
        "epochs": f"{run.epoch} of {config.epochs}" if config else None,
        "batch": config.batch_size if config else None,
        "optimizer": config.optimizer if config else None,
        "rate": config.learning_rate if config else None,
        "speed": speed,
        "time": timedelta(seconds=round(run.seconds)) if run.seconds else None,
        "created": datetime.fromtimestamp(run.created, UTC),
    }


def _columns() -> dict[str, Any]:
    column = st.column_config
    looks = [*LOOKS.values(), DAMAGED]
    return {
        "number": column.NumberColumn("Run", width=50, pinned=True),
        "name": column.ButtonColumn("Name", width=210, type="tertiary", alignment="left", key="runs.name"),
        "status": column.MultiselectColumn("Status", options=WORDS, color=[look.color for look in looks], width=100),
        "accuracy": column.NumberColumn("Test accuracy", format="%.2f %%", help="On the 10,000 test images, at the end of the run."),
        "loss": column.NumberColumn("Test loss", format="%.4f"),
        "monitor": column.NumberColumn(
            "Monitor accuracy",
            format="%.2f %%",
            help="After the last epoch, on the validation images, or on the test images where nothing is held back.",
        ),
        "network": column.TextColumn("Network"),
        "epochs": column.TextColumn("Epochs"),
        "batch": column.NumberColumn("Batch size", format="localized"),
        "optimizer": column.TextColumn("Optimizer"),
        "rate": column.NumberColumn("Learning rate", format="%g"),
        "speed": column.NumberColumn("Images per second", format="%.0f"),
        "time": column.NumberColumn("Training time", format="compact"),
        "created": column.DatetimeColumn("Created", format="YYYY-MM-DD HH:mm", timezone=st.context.timezone),
    }
