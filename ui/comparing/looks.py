"""How each run is drawn: the same colour and dash in every chart, whatever else is chosen. No screen needed."""

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

from fmnist.run import Run

# Found by a search for eight colours that stay apart (OKLab) for the colour-blind too, and can be seen on white and on the dark page.
COLOURS = ("#1e4bff", "#ff690f", "#2db487", "#962db4", "#c30000", "#d278ff", "#1e695a", "#8778a5")
DASHES = {"solid": "━━━━", "dot": "▪ ▪ ▪ ▪", "dash": "━ ━ ━", "dashdot": "━ ▪ ━", "longdash": "━━ ━━"}  # plotly's word -> how it looks


class Look(NamedTuple):
    """How a run is drawn."""

    color: str
    dash: str


LOOKS = [Look(color, dash) for dash, color in product(DASHES, COLOURS)]


def of(numbers: Sequence[int]) -> dict[int, Look]:
    """Run number -> look: that of its number if no other run has it, else the next free one; up to 40 runs all look different."""
    found: dict[int, Look] = {}
    for number in numbers:
        home = number % len(COLOURS)
        wanted = [*LOOKS[home : len(COLOURS)], *LOOKS[:home], *LOOKS[len(COLOURS) :]]
        taken = set(found.values())
        found[number] = next((look for look in wanted if look not in taken), LOOKS[number % len(LOOKS)])
    return found


def called(run: Run) -> str:
    """A run in a legend: "Run 12", or "12 · wide net" where a person named it."""
    return run.name if run.name == f"Run {run.number}" else f"{run.number} · {run.name}"


def group_name(group: Sequence[Run]) -> str:
    """Runs of one recipe in a legend: "Run 12 (3 seeds)"."""
    return f"{called(group[0])} ({len(group)} seeds)" if len(group) > 1 else called(group[0])
