"""Whether a run is, bit for bit, what it would have been without its interruptions; and what broke that, if something did.

A training that goes on repeats no number and skips none as long as everything that its numbers depend on stays as it was: see
docs/decisions/0026. That is written down for each sitting, so it can be said when it was not so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

WORDS = {  # what the numbers of a training depend on, beside its config and its images
    "device": "on {now} instead of {before}",
    "name": "on another processor ({now} instead of {before})",
    "kernels": "with kernels for {now} instead of {before}",
    "threads": "with {now} instead of {before} threads",
    "torch": "with PyTorch {now} instead of {before}",
    "precision": "in {now} instead of {before}",
    "steps": "in {now} instead of {before} steps",
    "code": "with another version of this code ({now} instead of {before})",
}


@dataclass(frozen=True)
class Sitting:
    """The time that a run spent in one process."""

    step: int  # finished steps when it began
    environment: Mapping[str, Any]  # versions, device, threads, precision


def change(sittings: Sequence[Sitting]) -> str | None:
    """What the last sitting computes with that was not so before: "with 1 instead of 2 threads"; None if nothing.

    Args:
        sittings: of one run, in their order.
    """
    *before, last = _part_of_the_run(sittings)
    return _differences(before[-1], last) if before else None


def sentence(sittings: Sequence[Sitting]) -> str | None:
    """Where and why a run is not exact, for a person; None for one that is."""
    changes = [(sitting.step, _differences(before, sitting)) for before, sitting in pairwise(_part_of_the_run(sittings))]
    parts = [f"from step {step:,} on it was trained {words}" for step, words in changes if words]
    return f"Not exact: {'; '.join(parts)}." if parts else None


def _part_of_the_run(sittings: Sequence[Sitting]) -> list[Sitting]:
    """The last sitting, and those before it whose work was not all made again: a later one began behind them."""
    found: list[Sitting] = []
    for sitting in reversed(sittings):
        if not found or sitting.step < found[-1].step:
            found.append(sitting)
    return found[::-1]


def _differences(before: Sitting, sitting: Sitting) -> str | None:
    """What is known of both and is not the same."""
    pairs = {name: (before.environment.get(name), sitting.environment.get(name)) for name in WORDS}
    told = [WORDS[name].format(before=old, now=new) for name, (old, new) in pairs.items() if None not in (old, new) and old != new]
    return ", ".join(told) or None
