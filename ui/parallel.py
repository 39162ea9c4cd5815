"""Parallel coordinates: an axis a setting or figure, a line a run or trial; a drag along an axis picks those that pass there.

Not plotly's: that needs WebGL, tells Streamlit nothing of what is picked, and knows no dashes.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from math import log10
from pathlib import Path
from typing import Any

from streamlit.components.v2 import component

LOG_FROM = 20  # an axis whose values lie this many times apart is logarithmic
TICKS = 5

_FILES = Path(__file__).with_suffix("")
_draw = component(
    "parallel_coordinates",
    html='<div class="frame"><svg></svg><p class="said" role="status"></p></div>',
    css=_FILES.with_suffix(".css").read_text(encoding="utf-8"),
    js=_FILES.with_suffix(".js").read_text(encoding="utf-8"),
)


@dataclass(frozen=True)
class Line:
    """How a run or a trial is drawn. Later ones lie above earlier ones."""

    name: str
    color: str
    dash: str = "solid"
    width: float = 2  # px


@dataclass(frozen=True)
class Axis:
    """An axis with where each line crosses it."""

    title: str
    ticks: list[tuple[float, str]]  # place 0-1 from below, words
    places: list[float | None]  # of each line; None: it has no such figure


def axis(title: str, values: Sequence[Any], words: Callable[[Any], str]) -> Axis:
    """An axis of numbers, or of words where some are not numbers; numbers far apart stand on a logarithmic one."""
    there = [value for value in values if value is not None]
    if any(isinstance(value, str | bool) for value in there):
        order = {value: place for place, value in enumerate(sorted(set(there), key=str))}
        return _axis(title, [None if value is None else order[value] for value in values], {order[value]: words(value) for value in order})
    scale = log10 if is_logarithmic(there) else float
    marks = sorted(set(there))
    marks = marks if len(marks) <= TICKS else [marks[round(place * (len(marks) - 1) / (TICKS - 1))] for place in range(TICKS)]
    return _axis(title, [None if value is None else scale(value) for value in values], {scale(mark): words(mark) for mark in marks})


def is_logarithmic(values: Sequence[Any]) -> bool:
    """Whether positive numbers lie so far apart that the small ones would fall together."""
    return bool(values) and min(values) > 0 and max(values) / min(values) >= LOG_FROM


def show(axes: Sequence[Axis], lines: Sequence[Line], *, of: str, key: str) -> list[int]:
    """Draw the lines; returns the places of those that pass through every picked stretch, none where nothing is picked.

    Args:
        of: what the lines are, in the plural.
    """
    data = {
        "axes": [asdict(one) for one in axes],
        "lines": [asdict(line) for line in lines],
        "of": of,
        "label": f"Parallel coordinates of {len(lines)} {of} over {', '.join(one.title for one in axes)}.",
    }
    said = _draw(data=data, key=key, on_picked_change=lambda: None)
    return sorted(row for row in said.get("picked") or [] if 0 <= row < len(lines))


def _axis(title: str, numbers: Sequence[float | None], marks: dict[float, str]) -> Axis:
    there = [number for number in numbers if number is not None]
    low, high = min(there, default=0.0), max(there, default=1.0)

    def place(number: float) -> float:
        return round((number - low) / (high - low), 4) if high > low else 0.5

    return Axis(title, [(place(number), word) for number, word in marks.items()], [None if n is None else place(n) for n in numbers])
