"""Which models a page can be about: the best run, the bundled model, and any run that has weights."""

from typing import TYPE_CHECKING

import streamlit as st

from fmnist.errors import StoreError
from fmnist.run import Run, Status, best_run
from ui import address, state
from ui.labels import percent, plain
from ui.runs import run_rows

if TYPE_CHECKING:
    from fmnist.prediction import Model

BUNDLED, BEST = "bundled", "best"


def names() -> dict[str, str]:
    """Word -> what a person calls it; the best run first, then the bundled model, then every run with weights, the newest first.

    Archived runs are not among them.
    """
    runs = [run for run in state.store().runs(archived=False) if has_weights(run)]
    found: dict[str, str] = {}
    if first := best_run(runs):
        found[BEST] = f"Best run: {_name(first)}"
    found[BUNDLED] = "The bundled model"
    return found | {str(run.number): _name(run) for run in runs}


def has_weights(run: Run) -> bool:
    """Whether a run has saved anything to predict with, as far as its line in the store tells."""
    return not run.damage and (run.epoch > 0 or (run.step > 0 and run.status in (Status.PAUSED, Status.STOPPED)))


def ask(label: str, key: str, without: str | None = None) -> str:
    """Let a person choose a model; its word stands in the address under this key. A link to what is gone says so.

    Args:
        without: a model that is not offered, because the page has it already.
    """
    named = {word: name for word, name in names().items() if word not in _words(without)}
    default = next(iter(named))
    asked = st.query_params.get(key, default)
    if asked not in named:
        named[asked] = _not_offered(asked)
    address.follow(key, named, default)
    return st.selectbox(
        label, list(named), format_func=lambda word: named[word], key=key, on_change=address.tell, args=(key, default), width=420
    )


def _not_offered(word: str) -> str:
    """What a model is called that a link names and the list does not have: an archived run, or one that is gone."""
    try:
        return f"{_name(state.store().find(word))} · archived"
    except StoreError:
        return f"{word[:40]} (not available)"


def _words(word: str | None) -> set[str | None]:
    """Every word for the same model: the best run has a number, too."""
    run = run_of(word) if word else None
    if run is None:
        return {word}
    first = best_run(state.store().runs(archived=False))
    return {word, str(run.number), *([BEST] if first and first.id == run.id else [])}


def called(word: str, model: "Model") -> str:
    """What a model is called in a sentence."""
    return "the bundled model" if word == BUNDLED else plain(model.name)


def run_of(word: str) -> Run | None:
    """The run that a model comes from; None for the bundled one."""
    return None if word == BUNDLED else state.store().find(word)


def _name(run: Run) -> str:
    figure = percent(run.accuracy) if run.accuracy is not None else run_rows.look(run).word
    return f"{run.name} · {figure}"
