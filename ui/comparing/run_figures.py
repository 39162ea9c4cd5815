"""The settings and figures of runs, as columns and axes want them. No screen needed."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Literal, NamedTuple

from fmnist.config import FIELDS
from fmnist.events import Epoch
from fmnist.run import Run
from ui.labels import duration, percent


class Figure(NamedTuple):
    """A figure of a run."""

    title: str
    words: Callable[[float], str]
    better: Literal["more", "less"] | None  # None: neither


FIGURES = {
    "accuracy": Figure("Test accuracy", percent, "more"),
    "loss": Figure("Test loss", "{:.4f}".format, "less"),
    "monitor": Figure("Best monitor accuracy", percent, "more"),
    "epoch": Figure("Epoch of the best", "{:.0f}".format, None),
    "seconds": Figure("Training time", duration, "less"),
    "speed": Figure("Images per second", "{:,.0f}".format, "more"),
    "parameters": Figure("Parameters", "{:,.0f}".format, None),
}


class Subject(NamedTuple):
    """A run with its figures: the keys are those of FIGURES."""

    run: Run
    figures: dict[str, float | None]


def subject(run: Run, epochs: Sequence[Epoch]) -> Subject:
    """Args: run: one whose settings can be read."""
    assert run.config
    best = max(epochs, key=lambda epoch: epoch.accuracy, default=None)
    figures = {
        "accuracy": run.accuracy,
        "loss": run.loss,
        "monitor": best.accuracy if best else None,
        "epoch": best.epoch if best else None,
        "seconds": run.seconds or None,
        "speed": epochs[-1].images_per_second if epochs else None,
        "parameters": float(_parameters(run.config.network)),
    }
    return Subject(run, figures)


def differing(runs: Sequence[Run]) -> list[str]:
    """The settings that are not the same in all runs, in the order of the form."""
    configs = [run.config for run in runs if run.config]
    return [field for field in FIELDS if len({getattr(config, field) for config in configs}) > 1]


@cache
def _parameters(network: str) -> int:
    from fmnist.models import count_parameters

    return count_parameters(network)
