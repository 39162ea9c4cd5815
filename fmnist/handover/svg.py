"""A small line chart as SVG, for a page without a script: axes from round number to round number, points that say what they are."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 480, 240
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 10, 30  # of the frame, for the numbers beside it
MOST_POINTS = 240  # of a series: more would be drawn over each other
MOST_MARKS = 60  # points of a series that are marked and named


@dataclass(frozen=True)
class Series:
    """One line."""

    name: str  # of the legend; empty = the title says it
    x: Sequence[float]
    y: Sequence[float]
    kind: str  # classes of the page's style: "first", "second thin"
    marked: bool = False  # each point is marked and says its numbers


def chart(title: str, series: Sequence[Series], *, share: bool = False, x_title: str = "epoch") -> str:
    """A figure with its legend; empty when there is no point.

    Args:
        share: values are 0-1 and shown in percent.
    """
    drawn = [each for each in series if len(each.x)]
    if not drawn:
        return ""
    scale = 100 if share else 1
    y_ticks = ticks(min(min(each.y) for each in drawn) * scale, max(max(each.y) for each in drawn) * scale)
    x_end = max(max(each.x) for each in drawn)
    places = _Places(x_end, y_ticks[0], y_ticks[-1], scale)
    frame = [_horizontal(places, tick) for tick in y_ticks] + [_vertical(places, tick) for tick in ticks(0, x_end) if tick <= x_end]
    lines = [_line(places, each) for each in drawn]
    legend = "".join(f'<span class="{each.kind}">{escape(each.name)}</span>' for each in drawn if each.name)
    unit = ", %" if share else ""
    label = escape(f"{title}: " + "; ".join(f"{each.name} ends at {each.y[-1] * scale:.4g}" for each in drawn))
    axis = f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 2}" text-anchor="end">{escape(x_title)}</text>'
    return (
        f"<figure><figcaption><b>{escape(title + unit)}</b><div class='legend'>{legend}</div></figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">{"".join(frame + lines)}{axis}</svg></figure>'
    )


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers from below `low` to above `high`, at most about `most` of them."""
    span = high - low or abs(high) or 1.0
    rough = span / (most - 1)
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 2.5, 5, 10) if unit * factor >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(index * step, 12) for index in range(first, max(last, first + 1) + 1)]


@dataclass(frozen=True)
class _Places:
    """Where numbers lie in the drawing."""

    x_end: float
    low: float
    high: float
    scale: float

    def x(self, value: float) -> str:
        return f"{LEFT + (WIDTH - LEFT - RIGHT) * value / (self.x_end or 1):.1f}"

    def y(self, value: float) -> str:
        return f"{HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - self.low) / (self.high - self.low):.1f}"


def _horizontal(places: _Places, tick: float) -> str:
    y = places.y(tick)
    return (
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>'
        f'<text x="{LEFT - 6}" y="{y}" dy="0.32em" text-anchor="end">{tick:g}</text>'
    )


def _vertical(places: _Places, tick: float) -> str:
    return f'<text x="{places.x(tick)}" y="{HEIGHT - BOTTOM + 15}" text-anchor="middle">{tick:g}</text>'


def _line(places: _Places, series: Series) -> str:
    x, y = _thinned(series.x), [value * places.scale for value in _thinned(series.y)]
    points = " ".join(f"{places.x(along)},{places.y(value)}" for along, value in zip(x, y, strict=True))
    line = f'<polyline class="{series.kind}" points="{points}"/>'
    if not series.marked or len(x) > MOST_MARKS:
        return line
    marks = (
        f'<circle class="{series.kind}" cx="{places.x(along)}" cy="{places.y(value)}" r="3">'
        f"<title>{escape(series.name)}, epoch {along:g}: {value:.4g}</title></circle>"
        for along, value in zip(x, y, strict=True)
    )
    return line + "".join(marks)


def _thinned(values: Sequence[float]) -> list[float]:
    """Means of stretches, where there are more values than can be drawn."""
    stretch = math.ceil(len(values) / MOST_POINTS)
    parts = (values[start : start + stretch] for start in range(0, len(values), stretch))
    return [sum(part) / len(part) for part in parts]
