"""The curves of many runs in, a drawing for `ui.training.live_curves` out. No screen needed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from fmnist.config import TrainConfig
from fmnist.events import Epoch, Stretch
from ui.comparing.looks import Look
from ui.training.charts import Axis, monitor_name, rounded

POINTS = 200  # a curve has at most about this many: 20 of them are drawn at once
HEIGHT = 250  # px of a panel
Seeds = Literal["each", "deviation", "range"]
SEEDS: dict[str, str] = {"each": "Each run", "deviation": "Mean ± SD", "range": "Mean, min to max"}


@dataclass(frozen=True)
class View:
    """How a person wants to see the curves."""

    x: Axis = "epoch"
    smoothing: float = 0.6  # 0 = none, near 1 = almost flat
    log: bool = False
    log_x: bool = False
    seeds: Seeds = "each"  # runs of one recipe: a line each, or their mean with a band


@dataclass(frozen=True)
class Curves:
    """What is drawn of a run."""

    name: str
    look: Look
    stretches: Sequence[Stretch]
    epochs: Sequence[Epoch]


class Line(NamedTuple):
    """One line with what lies around it; all of the same length."""

    x: list[float]
    y: list[float]
    low: list[float]
    high: list[float]


def width(config: TrainConfig) -> int:
    """How many steps are one point: a power of two that depends on the settings alone, so that seeds fall on the same places."""
    steps = 1
    while config.total_steps / steps > POINTS:
        steps *= 2
    return steps


def drawing(groups: Sequence[tuple[str, Sequence[Curves]]], view: View, monitor: str) -> dict[str, Any]:
    """Three panels: accuracy and loss of the judged split by epoch, the training loss inside the epochs.

    Args:
        groups: runs of one recipe together, with what they are called.
        monitor: what the judged split is called.
    """
    apart = [(run.name, [run]) for _, group in groups for run in group]
    shown = apart if view.seeds == "each" else [(name, list(group)) for name, group in groups]
    panels = (
        (f"{monitor.capitalize()} accuracy", 0, ".2~%", False, lambda run: run.epochs, lambda point: point.accuracy),
        (f"{monitor.capitalize()} loss", 0, None, view.log, lambda run: run.epochs, lambda point: point.loss),
        ("Training loss", 1, None, view.log, lambda run: run.stretches, lambda point: point.loss),
    )
    x: dict[str, list[float]] = {}
    drawn = []
    for number, (title, row, form, log, points, value) in enumerate(panels):
        lines = [_line([points(run) for run in group], value, view) for _, group in shown]
        if title == "Training loss":
            lines = _smoothed(lines, view.smoothing)
        series = [each for place, line in enumerate(lines) for each in _series(f"{number}.{place}", line, shown[place], place, x, row == 1)]
        series.sort(key=lambda each: each["style"] in ("line", "marks"))  # what lies beneath comes first
        drawn.append({"title": title, "row": row, "format": form, "log": log, "series": series})
    return {
        "panels": drawn,
        "x": x,
        "x_title": view.x,
        "x_log": view.log_x,
        "height": HEIGHT,
        "legend": [{"name": name, "color": group[0].look.color, "dash": group[0].look.dash} for name, group in shown],
        "revision": f"{view.x}, {view.log}, {view.log_x}",
        "label": summary(shown, monitor),
    }


def summary(shown: Sequence[tuple[str, Sequence[Curves]]], monitor: str) -> str:
    """The last figures in words, for whoever does not see the curves."""
    last = {name: group[0].epochs[-1] for name, group in shown if group[0].epochs}
    words = [
        f"{name}: epoch {epoch.epoch}, {monitor} accuracy {epoch.accuracy:.1%}, loss {epoch.loss:.4f}." for name, epoch in last.items()
    ]
    return " ".join([f"Curves of {len(shown)} runs.", *words])


def monitor_of(configs: Sequence[TrainConfig]) -> str:
    """What the judged split of runs is called; "monitor" where they do not share one."""
    names = {monitor_name(config) for config in configs}
    return names.pop() if len(names) == 1 else "monitor"


def _line(runs: Sequence[Sequence[Any]], value: Callable[[Any], float], view: View) -> Line:
    """The line of a run, or the mean of several at the steps that all of them have reached, with the band around it."""
    if len(runs) == 1:
        y = [value(point) for point in runs[0]]
        low = [getattr(point, "low", at) for point, at in zip(runs[0], y, strict=True)]
        high = [getattr(point, "high", at) for point, at in zip(runs[0], y, strict=True)]
        return Line([getattr(point, view.x) for point in runs[0]], y, low, high)
    if not all(runs):
        return Line([], [], [], [])
    import numpy as np

    steps = [[point.step for point in run] for run in runs]
    shared = [step for step in min(steps, key=len) if max(each[0] for each in steps) <= step <= min(each[-1] for each in steps)]

    def at_shared(of: Callable[[Any], float]) -> Any:
        return np.stack([np.interp(shared, own, [of(point) for point in run]) for own, run in zip(steps, runs, strict=True)])

    values = at_shared(value)
    mean, reach = values.mean(0), values.std(0, ddof=1)
    low, high = (mean - reach, mean + reach) if view.seeds == "deviation" else (values.min(0), values.max(0))
    return Line(*(row.tolist() for row in (at_shared(lambda point: getattr(point, view.x)).mean(0), mean, low, high)))


def _smoothed(lines: Sequence[Line], weight: float) -> list[Line]:
    """The lines with their y smoothed alike: over the same distance on the x axis, however many points a run has there."""
    unit = max((line.x[-1] for line in lines if line.x), default=0.0) / POINTS
    return [line._replace(y=smoothed(line.x, line.y, weight, unit)) for line in lines]


def smoothed(x: Sequence[float], y: Sequence[float], weight: float, unit: float) -> list[float]:
    """An exponential moving average along x that starts at the first value.

    Args:
        weight: how much of the average is kept over one unit of x; 0 gives the values back.
    """
    if not weight or not unit:
        return list(y)
    average, mass, found, before = 0.0, 0.0, [], None
    for place, value in zip(x, y, strict=True):
        keep = weight if before is None else weight ** ((place - before) / unit)
        average, mass, before = keep * average + (1 - keep) * value, keep * mass + (1 - keep), place
        found.append(average / mass)
    return found


def _series(
    key: str, line: Line, group: tuple[str, Sequence[Curves]], place: int, x: dict[str, list[float]], is_inside: bool
) -> list[dict[str, Any]]:
    """A line and what lies beneath it: the band of several seeds, or the points as measured; its x goes into `x`."""
    name, runs = group
    look = runs[0].look
    base = {"name": name, "hex": look.color, "dash": look.dash, "legend": place}
    x[key] = rounded(line.x, 7)
    found = [{**base, "x": key, "y": rounded(line.y, 5), "style": "line" if is_inside else "marks"}]
    if line.low == line.y == line.high:
        return found
    x[f"{key}.under"] = x[key] + x[key][::-1] if len(runs) > 1 else [at for at in x[key] for _ in (0, 1)]
    if len(runs) > 1:
        under = {"style": "band", "y": rounded([*line.high, *line.low[::-1]], 5)}
    else:
        under = {"style": "faint", "y": rounded([end for ends in zip(line.low, line.high, strict=True) for end in ends], 5)}
    return [{**base, "x": f"{key}.under", **under}, *found]
