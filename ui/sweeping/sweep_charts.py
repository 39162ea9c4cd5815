"""The trials of a sweep in, plotly figures with their words out. No screen needed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from fmnist.config import FIELDS, TrainConfig, in_words
from fmnist.importance import Importance
from fmnist.sweep import Spec, Trial
from ui import parallel
from ui.evaluation.figures import BLUE, FAINT, HEIGHT, ORANGE, Chart

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

DEPTH = 0.2  # trials further below the best than this are drawn at the bottom, so that the others can be told apart
MOST_LINES = 200  # of the best trials over parallel axes: more would be a carpet


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


def axes(spec: Spec, judged: Sequence[Point]) -> list[parallel.Axis]:
    """An axis for each field, and the validation accuracy: what lies far below the best stands at its foot."""
    accuracies = [point.accuracy for point in judged]
    floor = max(min(accuracies), max(accuracies) - DEPTH)

    def words(accuracy: float) -> str:
        return f"{'≤ ' * (accuracy == floor > min(accuracies))}{accuracy:.1%}"

    fields = [parallel.axis(FIELDS[name].title or name, [getattr(point.config, name) for point in judged], in_words) for name in spec.space]
    return [*fields, parallel.axis("Validation accuracy", [max(accuracy, floor) for accuracy in accuracies], words)]


def lines(judged: Sequence[Point], winner: int | None) -> list[parallel.Line]:
    """How each trial is drawn; `winner` is the number of the best."""

    def line(point: Point) -> parallel.Line:
        color, width = (ORANGE, 3.5) if point.number == winner else (BLUE, 2) if point.complete else (FAINT, 1.5)
        return parallel.Line(f"Trial {point.number}: {point.accuracy:.2%}", color, width=width)

    return [line(point) for point in judged]


def _figure(x: str, y: str) -> "Figure":
    import plotly.graph_objects as go  # half a second: only when a figure is drawn

    figure = go.Figure(layout={"height": HEIGHT, "margin": {"l": 8, "r": 12, "t": 44, "b": 8}, "showlegend": False})
    figure.update_layout(legend={"orientation": "h", "x": 0, "y": 1, "xanchor": "left", "yanchor": "bottom"}, hovermode="closest")
    figure.update_xaxes(title=x, automargin=True)
    figure.update_yaxes(title=y, automargin=True, tickformat=".0%")
    return figure


def _titled(figure: "Figure", title: str) -> "Figure":
    return figure.update_layout(title={"text": title, "font": {"size": 15}, "x": 0, "y": 0.98, "yanchor": "top"})
