"""Which models a page can be about: the best run, the bundled model, and any run that has weights."""

from fmnist.run import Run, Status
from ui import state
from ui.labels import percent
from ui.runs import run_rows

BUNDLED, BEST = "bundled", "best"


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
