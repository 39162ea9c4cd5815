"""Which model a page is about: the bundled one, the best one, or any run that has weights; kept in the address."""

import streamlit as st

from fmnist.run import Run, Status
from ui import run_rows, state
from ui.labels import percent

BUNDLED, BEST = "bundled", "best"


def choose(label: str = "Model", *, key: str = "model", without: str | None = None, width: int = 420) -> str:
    """The word of a model, as `fmnist.prediction.locate` and a MODEL on the command line understand it.

    Args:
        key: the name in the address, too.
        without: a model that is not offered, because the page has it already.
    """
    named = names()
    if without in named:
        del named[without]
    asked = st.query_params.get(key)
    if asked and asked not in named:
        named[asked] = f"{asked[:40]} (not found)"  # a link to what is deleted says so, instead of showing another model
    return st.selectbox(
        label, list(named), format_func=lambda word: named.get(str(word)) or str(word), key=key, bind="query-params", width=width
    )


def names() -> dict[str, str]:
    """Word -> what a person calls it; the best run first, then the bundled model, then every run with weights, the newest first."""
    runs = [run for run in state.store().runs() if has_weights(run)]
    judged = [run for run in runs if run.accuracy is not None]
    found: dict[str, str] = {}
    if judged:
        best = max(judged, key=lambda run: run.accuracy or 0.0)
        found[BEST] = f"Best run: {_name(best)}"
    found[BUNDLED] = "The bundled model"
    return found | {str(run.number): _name(run) for run in runs}


def has_weights(run: Run) -> bool:
    """Whether a run has saved anything to predict with, as far as its line in the store tells."""
    return not run.damage and (run.epoch > 0 or (run.step > 0 and run.status in (Status.PAUSED, Status.STOPPED)))


def _name(run: Run) -> str:
    figure = percent(run.accuracy) if run.accuracy is not None else run_rows.look(run).word
    return f"{run.name} · {figure}"
