"""The trials of a sweep as a table; a click on one opens its run."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import streamlit as st

from fmnist.config import FIELDS
from fmnist.sweep import Spec, Trial
from ui import places
from ui.labels import DAMAGED, LOOKS
from ui.runs import run_rows


def show(spec: Spec, trials: Sequence[Trial]) -> None:
    """The newest trial first."""
    import pandas as pd

    newest = sorted(trials, key=lambda trial: -trial.number)
    drawn: list[str] = st.session_state.get("sweep.drawn", [])  # what the person saw when clicking
    clicked = st.session_state.get("sweep.trial")
    st.session_state["sweep.drawn"] = [trial.run.id for trial in newest]
    if clicked and clicked["row"] < len(drawn):
        st.switch_page(places.RUNS, query_params={"run": drawn[clicked["row"]]})
    st.dataframe(
        pd.DataFrame([_row(spec, trial) for trial in newest]),
        key="sweep.table",
        hide_index=True,
        height="content" if len(newest) <= 10 else 400,
        column_config=_columns(spec),
        placeholder="–",
        alt="The trials with their settings and figures",
    )


def _row(spec: Spec, trial: Trial) -> dict[str, Any]:
    run, config = trial.run, trial.run.config
    return {
        "number": trial.number,
        "name": run.name,
        "status": [run_rows.look(run).word],
        "accuracy": None if trial.accuracy is None else 100 * trial.accuracy,
        "loss": trial.epochs[-1].loss if trial.epochs else None,
        "epochs": f"{run.epoch} of {config.epochs}" if config else None,
        **{name: _value(getattr(config, name)) if config else None for name in spec.space},
        "time": timedelta(seconds=round(run.seconds)) if run.seconds else None,
    }


def _value(value: Any) -> Any:
    return ("on" if value else "off") if isinstance(value, bool) else value


def _field(name: str) -> Any:
    title = FIELDS[name].title
    return st.column_config.NumberColumn(title, format="%.4g") if FIELDS[name].annotation is float else st.column_config.Column(title)


def _columns(spec: Spec) -> dict[str, Any]:
    column = st.column_config
    looks = [*LOOKS.values(), DAMAGED]
    return {
        "number": column.NumberColumn("Trial", width=50, pinned=True),
        "name": column.ButtonColumn("Run", width=220, type="tertiary", alignment="left", key="sweep.trial"),
        "status": column.MultiselectColumn(
            "Status", options=[look.word for look in looks], color=[look.color for look in looks], width=100
        ),
        "accuracy": column.NumberColumn("Validation accuracy", format="%.2f %%", help="After its last epoch. The best is chosen by this."),
        "loss": column.NumberColumn("Validation loss", format="%.4f"),
        "epochs": column.TextColumn("Epochs"),
        "time": column.NumberColumn("Training time", format="compact"),
        **{name: _field(name) for name in spec.space},
    }
