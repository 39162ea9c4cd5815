"""Successive halving, asynchronous: a trial that is not among the best at a rung is stopped there, and its time goes to others.

Source: Li et al., "A System for Massively Parallel Hyperparameter Tuning" (ASHA), arXiv 1810.05934, in the variant that stops trials
instead of pausing them, so that each trial runs once from its start to its end.
"""

import random
from collections.abc import Sequence

KEPT = 3  # one of so many goes on at each rung; the paper's eta
ENOUGH = 200  # trials beyond which the share that is trained changes no more


def rungs(epochs: int) -> list[int]:
    """After which epochs a trial is judged: a third, a ninth, a twenty-seventh of its epochs, the first one first."""
    found, rung = [], epochs // KEPT
    while rung:
        found.append(rung)
        rung //= KEPT
    return found[::-1]


def cutoff(others: Sequence[float]) -> float | None:
    """The accuracy that a trial needs to go on: that of the last one that would; None while too few have come so far to tell.

    Args:
        others: the validation accuracies of the trials that finished the same epoch before.
    """
    best = (len(others) + 1) // KEPT  # so many of all, the new one among them, go on
    return sorted(others, reverse=True)[best - 1] if best else None


def verdict(epochs: int, epoch: int, accuracy: float, others: Sequence[float]) -> str | None:
    """Why a trial is stopped after an epoch, as a sentence; None when it goes on.

    Args:
        epochs: how many it has.
        accuracy: its validation accuracy after `epoch`, 0-1.
        others: those of the trials that finished the same epoch before.
    """
    needed = cutoff(others) if epoch in rungs(epochs) else None
    if needed is None or accuracy >= needed:
        return None
    return (
        f"Stopped early by its sweep: {accuracy:.2%} of the validation images after epoch {epoch}, "
        f"where the best third has at least {needed:.2%}."
    )


def expected_share(epochs: int, trials: int) -> float:
    """The share of all epochs that are trained, on average, when trials come in a random order and keep their rank throughout."""
    dice, rounds, trials = random.Random(0), 20, min(trials, ENOUGH)
    return sum(_epochs_of_one_sweep(epochs, trials, dice) for _ in range(rounds)) / (rounds * epochs * trials)


def _epochs_of_one_sweep(epochs: int, trials: int, dice: random.Random) -> int:
    seen: dict[int, list[float]] = {rung: [] for rung in rungs(epochs)}
    trained = 0
    for _ in range(trials):
        quality, end = dice.random(), epochs
        for rung, others in seen.items():
            needed = cutoff(others)
            others.append(quality)
            if needed is not None and quality < needed:
                end = rung
                break
        trained += end
    return trained
