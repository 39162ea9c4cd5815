"""The trials of a sweep in, plotly figures with their words out. No screen needed."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from fmnist.config import FIELDS, TrainConfig, in_words
from fmnist.importance import Importance
from fmnist.search_space import Domain, Range, Value
from fmnist.sweep import Spec, Trial
from ui.evaluation.figures import BLUE, FAINT, HEIGHT, ORANGE, Chart

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

DEPTH = 0.2  # trials further below the best than this are drawn at the bottom, so that the others can be told apart
MOST_LINES = 200  # of the best trials in the parallel coordinates: more would be a carpet


class Point(NamedTuple):
    """A trial that has a figure."""

    number: int
    accuracy: float
    epochs: int  # after which it had that accuracy
    complete: bool
    config: TrainConfig


def points(trials: Sequence[Trial]) -> list[Point]:
    """The trials that can be drawn."""
    return [
        Point(trial.number, trial.accuracy, len(trial.epochs), trial.complete, trial.run.config)
        for trial in trials
        if trial.accuracy is not None and trial.run.config is not None
    ]


def best_so_far(judged: Sequence[Point]) -> Chart:
    """The accuracy of every trial, and the best of those that were trained to their end until then."""
    floor = max(point.accuracy for point in judged) - DEPTH
    near = [point for point in judged if point.accuracy >= floor]
    figure = _figure("Trial", "Validation accuracy")
    _scatter(figure, "trained to its end", [point for point in near if point.complete], floor, BLUE, "circle")
    _scatter(figure, "stopped early", [point for point in near if not point.complete], floor, FAINT, "circle")
    _scatter(figure, "far below", [point for point in judged if point.accuracy < floor], floor, FAINT, "triangle-down")
    line = _leaders(judged)
    figure.add_scatter(
        x=[number for number, _ in line],
        y=[accuracy for _, accuracy in line],
        name="best so far",
        mode="lines",
        line={"color": ORANGE, "width": 2, "shape": "hv"},
        hoverinfo="skip",
    )
    _fit(figure, [max(point.accuracy, floor) for point in judged], judged[-1].number)
    figure.update_layout(showlegend=True, margin={"t": 64})
    last = f", at last {line[-1][1]:.2%}" if line else ""
    return Chart(_titled(figure, "Best so far"), f"Validation accuracy of {len(judged)} trials, and the best so far{last}.")


def _fit(figure: "Figure", heights: Sequence[float], last: int) -> None:
    """Axes that are right for a single trial, too."""
    margin = max(0.01, 0.08 * (max(heights) - min(heights)))
    figure.update_yaxes(range=[min(heights) - margin, max(heights) + margin], tickformat=".1~%")
    figure.update_xaxes(range=[0.4, last + 0.6], dtick=1 if last <= 12 else None)


def _scatter(figure: "Figure", name: str, chosen: Sequence[Point], floor: float, color: str, symbol: str) -> None:
    if not chosen:
        return
    figure.add_scatter(
        x=[point.number for point in chosen],
        y=[max(point.accuracy, floor) for point in chosen],
        customdata=[[point.accuracy, point.epochs] for point in chosen],
        name=name,
        mode="markers",
        marker={"color": color, "size": 8, "symbol": symbol},
        hovertemplate="trial %{x}: %{customdata[0]:.2%} after epoch %{customdata[1]}<extra></extra>",
    )


def _leaders(judged: Sequence[Point]) -> list[tuple[int, float]]:
    """(trial, best accuracy until then), from the first whole trial to the last of all."""
    found: list[tuple[int, float]] = []
    for point in judged:
        if point.complete:
            found.append((point.number, max(point.accuracy, found[-1][1] if found else 0.0)))
    if found and judged[-1].number > found[-1][0]:
        found.append((judged[-1].number, found[-1][1]))
    return found


def importance(found: Importance) -> Chart:
    """How much each field mattered, as bars."""
    names = [FIELDS[name].title or name for name in found.shares]
    shares = list(found.shares.values())
    figure = _figure(f"Importance ({found.method})", "")
    figure.add_bar(
        x=shares[::-1], y=names[::-1], orientation="h", marker={"color": BLUE}, hovertemplate="%{y}: %{x:.0%}<extra></extra>", width=0.6
    )
    figure.update_xaxes(tickformat=".0%", range=[0, 1])
    figure.update_yaxes(tickformat="")
    words = ", ".join(f"{name} {share:.0%}" for name, share in zip(names, shares, strict=True))
    return Chart(_titled(figure, "What mattered"), f"Importance of each field by {found.method}: {words}.")


def parallel(spec: Spec, judged: Sequence[Point], winner: int | None) -> Chart:
    """A line for each trial, through the values of its fields to its accuracy.

    Not plotly's own parallel coordinates: their axes are black in the dark, and nothing says which trial a line is.

    Args:
        winner: the number of the best trial.
    """
    drawn = sorted(judged, key=lambda point: point.accuracy)[-MOST_LINES:]  # the best last, above the others
    highest = drawn[-1].accuracy
    axes = {name: Axis(FIELDS[name].title or name, domain) for name, domain in spec.space.items()}
    accuracy = Axis("Validation accuracy", Range(low=max(highest - DEPTH, drawn[0].accuracy), high=highest))
    figure = _figure("", "")
    for point in drawn:
        values = {name: getattr(point.config, name) for name in axes}
        color, width = (ORANGE, 3) if point.number == winner else (BLUE, 1.5) if point.complete else (FAINT, 1)
        words = "<br>".join(f"{axes[name].title} {in_words(value)}" for name, value in values.items())
        figure.add_scatter(
            x=list(range(len(axes) + 1)),
            y=[*(axis.height(values[name]) for name, axis in axes.items()), accuracy.height(point.accuracy)],
            mode="lines",
            line={"color": color, "width": width},
            hovertemplate=f"trial {point.number}: {point.accuracy:.2%}<br>{words}<extra></extra>",
        )
    for place, axis in enumerate([*axes.values(), accuracy]):
        _draw_axis(figure, place, axis, "{:.1%}".format if axis is accuracy else in_words)
    figure.update_xaxes(visible=False, range=[-0.35, len(axes) + 0.35])
    figure.update_yaxes(visible=False, range=[-0.14, 1.36])
    words = f"Parallel coordinates of {len(drawn)} trials over {len(axes)} fields and the validation accuracy"
    return Chart(_titled(figure, "Every trial as a line"), words + (f"; the best is trial {winner}." if winner else "."))


@dataclass(frozen=True)
class Axis:
    """One of parallel axes: which value lies how high, from 0 to 1."""

    title: str
    domain: Domain

    def height(self, value: Value) -> float:
        """Numbers lie by size or by their logarithm, listed values at equal distances; what is too low lies at the foot."""
        if isinstance(self.domain, tuple):
            return self.domain.index(value) / (len(self.domain) - 1)
        low, high, number = (self._scaled(each) for each in (self.domain.low, self.domain.high, value))
        return max(0.0, (number - low) / (high - low)) if high > low else 1.0

    def ticks(self) -> list[Value]:
        """The values that are written beside it: all of a list; the ends of a range and what lies between."""
        if isinstance(self.domain, tuple):
            return list(self.domain)
        low, high = self.domain.low, self.domain.high
        if not self.domain.log:
            return [low, high]
        between = [10.0**power for power in range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)]
        return [low, *(tick for tick in between if 0.08 < self.height(tick) < 0.92), high]

    def _scaled(self, value: Any) -> float:
        return math.log10(value) if isinstance(self.domain, Range) and self.domain.log else float(value)


def _draw_axis(figure: "Figure", place: int, axis: Axis, words: Callable[[Any], str]) -> None:
    """The line, its title above, its ends above and below, and what lies between beside it."""
    figure.add_shape(type="line", x0=place, x1=place, y0=0, y1=1, line={"color": FAINT, "width": 1}, layer="below")
    shared = {"x": place, "showarrow": False}
    figure.add_annotation(**shared, y=1.14, yanchor="bottom", text=axis.title.replace(" ", "<br>"), font={"size": 12})
    for tick in axis.ticks():
        height = axis.height(tick)
        beside = {"yshift": 11} if height == 1 else {"yshift": -11} if height == 0 else {"xanchor": "right", "xshift": -4}
        figure.add_annotation(**shared, **beside, y=height, text=words(tick), font={"size": 11})


def _figure(x: str, y: str) -> "Figure":
    import plotly.graph_objects as go  # half a second: only when a figure is drawn

    figure = go.Figure(layout={"height": HEIGHT, "margin": {"l": 8, "r": 12, "t": 44, "b": 8}, "showlegend": False})
    figure.update_layout(legend={"orientation": "h", "x": 0, "y": 1, "xanchor": "left", "yanchor": "bottom"}, hovermode="closest")
    figure.update_xaxes(title=x, automargin=True)
    figure.update_yaxes(title=y, automargin=True, tickformat=".0%")
    return figure


def _titled(figure: "Figure", title: str) -> "Figure":
    return figure.update_layout(title={"text": title, "font": {"size": 15}, "x": 0, "y": 0.98, "yanchor": "top"})
