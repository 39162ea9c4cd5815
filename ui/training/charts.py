"""Figures of a training in, a drawing for `ui.training.live_curves` out: which panels, which series, in which words. No screen needed.

A drawing is plain JSON: {"panels": [...], "x": {name: numbers}, "x_title", "revision", "label"}. A panel names its series; a series
names the numbers in "x" that it shares with others, so that they travel once. Many runs in one drawing (`ui.comparing.overlay`) have a
"legend" whose entries show and hide theirs, each series with the place of its entry, its colour and its dash.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from fmnist import schedule
from fmnist.config import TrainConfig
from fmnist.events import Epoch, Step

Axis = Literal["epoch", "step", "seconds"]
POINTS = 600  # a series has at most about this many: more than a chart has pixels, and cheap to send each second
TRAIN, MONITOR, RATE = 0, 1, 2  # places in the theme's palette


@dataclass(frozen=True)
class View:
    """How a person wants to see the curves."""

    x: Axis = "epoch"
    smoothing: float = 0.8  # 0 = none, near 1 = almost flat
    log: bool = False


def training(
    steps: Sequence[Step],
    epochs: Sequence[Epoch],
    config: TrainConfig | None,
    view: View,
    marks: Sequence[tuple[int, str]] = (),
) -> dict[str, Any]:
    """Four panels: the loss inside the epochs, loss and accuracy by epoch, the learning rate.

    Args:
        config: None when it is damaged; then nobody knows which split the monitor was.
        marks: (step, text): what somebody did after so many steps; a line in every panel, as far as the curve goes.
    """
    losses = [step.loss for step in steps]
    smooth = smoothed(losses, view.smoothing)
    kept = thinned(losses)
    monitor = monitor_name(config)
    by_epoch: list[dict[str, Any]] = [
        {
            "title": "Loss by epoch",
            "row": 1,
            "log": view.log,
            "series": [
                _series("train", "epochs", [epoch.train_loss for epoch in epochs], "marks", TRAIN),
                _series(monitor, "epochs", [epoch.loss for epoch in epochs], "marks", MONITOR),
            ],
        },
        {
            "title": "Accuracy by epoch",
            "row": 1,
            "format": ".2~%",
            "series": [
                _series("train", "epochs", [epoch.train_accuracy for epoch in epochs], "marks", TRAIN),
                _series(monitor, "epochs", [epoch.accuracy for epoch in epochs], "marks", MONITOR),
            ],
        },
    ]
    inside = {
        "title": "Loss inside the epochs",
        "row": 0,
        "share": 2,
        "log": view.log,
        "series": [
            _series("as measured", "steps", [losses[index] for index in kept], "faint", TRAIN),
            _series("smoothed", "steps", [smooth[index] for index in kept], "line", TRAIN),
        ],
    }
    rate = {
        "title": "Learning rate",
        "row": 0,
        "from_zero": True,
        "format": "~g",
        "series": [_series("learning rate", "steps", [steps[index].learning_rate for index in kept], "line", RATE)],
    }
    return {
        "panels": [inside, *by_epoch, rate],
        "x": {
            "steps": rounded([getattr(steps[index], view.x) for index in kept], 7),
            "epochs": rounded([getattr(epoch, view.x) for epoch in epochs], 7),
        },
        "marks": _marks(marks, steps, view),
        "x_title": view.x,
        "revision": f"{view.x}, {'log' if view.log else 'linear'}",  # the zoom is kept while this stays the same
        "label": summary(steps, epochs, config),
    }


def _marks(marks: Sequence[tuple[int, str]], steps: Sequence[Step], view: View) -> list[dict[str, Any]]:
    """What happened between the last point before a step and the first one after it."""
    found = []
    for first, text in marks:
        before = [step for step in steps if step.step <= first]
        if len(before) < len(steps):
            found.append({"x": getattr(before[-1], view.x) if before else 0, "text": text})
    return found


def learning_rate_plan(config: TrainConfig) -> dict[str, Any]:
    """One panel: the learning rate that a training will have, by epoch."""
    points = schedule.curve(config)
    peak = max(rate for _, rate in points)
    return {
        "panels": [
            {
                "title": f"Learning rate, at most {peak:.4g}",
                "row": 0,
                "from_zero": True,
                "format": "~g",
                "series": [_series("learning rate", "steps", [rate for _, rate in points], "line", RATE)],
            }
        ],
        "x": {"steps": rounded([step / config.steps_per_epoch for step, _ in points], 5)},
        "x_title": "epoch",
        "revision": "plan",
        "label": f"The learning rate over {config.epochs} epochs, schedule {config.schedule}: it starts at {points[0][1]:.4g}, "
        f"its highest value is {peak:.4g}, it ends at {points[-1][1]:.4g}.",
    }


def monitor_name(config: TrainConfig | None) -> str:
    """What the curve of the judged split is called; honest where that is the test split."""
    if config is None:
        return "monitor"
    return "test (monitor only)" if config.monitor == "test" else "validation"


def summary(steps: Sequence[Step], epochs: Sequence[Epoch], config: TrainConfig | None) -> str:
    """The last figures in words, for whoever does not see the curves."""
    if not steps:
        return "Curves of a training that has no points yet."
    last = steps[-1]
    words = [f"Curves of a training up to step {last.step:,}, epoch {last.epoch:.2f}, {last.seconds:.0f} seconds."]
    words.append(f"Training loss {last.loss:.4f}, learning rate {last.learning_rate:.4g}.")
    if epochs:
        done = epochs[-1]
        words.append(f"After epoch {done.epoch}: training loss {done.train_loss:.4f}, accuracy {done.train_accuracy:.1%};")
        words.append(f"{monitor_name(config)} loss {done.loss:.4f}, accuracy {done.accuracy:.1%}.")
    return " ".join(words)


def smoothed(values: Sequence[float], weight: float) -> list[float]:
    """An exponential moving average that starts at the first value instead of at zero.

    Args:
        weight: 0 gives the values back; the average keeps this share of itself at each value.
    """
    if not weight:
        return list(values)
    average, mass, found = 0.0, 0.0, []
    for value in values:
        average = weight * average + (1 - weight) * value
        mass = weight * mass + (1 - weight)
        found.append(average / mass)
    return found


def thinned(values: Sequence[float], limit: int = POINTS) -> list[int]:
    """Indices of the points to draw: the first, the last, and the lowest and highest of each stretch, so that no peak is lost.

    The stretches lie at fixed places and only double in length as the series grows, so a point once drawn does not flicker.
    """
    count = len(values)
    if count <= limit:
        return list(range(count))
    stretch = 2
    while 2 * count / stretch > limit:
        stretch *= 2
    array = np.asarray(values)
    borders = [*range(0, count, stretch), count]
    kept = {0, count - 1}
    for start, end in pairwise(borders):
        kept |= {start + int(array[start:end].argmin()), start + int(array[start:end].argmax())}
    return sorted(kept)


def _series(name: str, x: str, y: Sequence[float], style: Literal["faint", "line", "marks"], color: int) -> dict[str, Any]:
    return {"name": name, "x": x, "y": rounded(y, 5), "style": style, "color": color}


def rounded(values: Sequence[float], digits: int) -> list[float]:
    """Significant digits that a chart can show, and no more to send."""
    return [float(f"{value:.{digits}g}") for value in values]
