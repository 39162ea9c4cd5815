"""Runs that differ in their seed alone: which belong together, and how much the seed makes."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from statistics import variance

from fmnist.config import TrainConfig
from fmnist.run import Run, Status


@dataclass(frozen=True)
class Spread:
    """How far runs of one recipe lie from each other, pooled over groups of several seeds."""

    deviation: float  # standard deviation of the test accuracy of one run, 0-1
    freedom: int  # degrees of freedom: runs less groups
    runs: int
    own: bool  # of the recipes that were asked about; else of others like them


def recipe(config: TrainConfig) -> TrainConfig:
    """What runs of different seeds have in common."""
    return config.model_copy(update={"seed": 0})


def groups(runs: Iterable[Run]) -> list[list[Run]]:
    """Finished runs of the same recipe together, each other run alone; in the order in which they are first met."""
    found: dict[TrainConfig | str, list[Run]] = {}
    for run in runs:
        is_whole = run.config is not None and run.status == Status.FINISHED and run.accuracy is not None
        found.setdefault(recipe(run.config) if is_whole and run.config else run.id, []).append(run)
    return list(found.values())


def further(run: Run, runs: Iterable[Run], count: int) -> list[TrainConfig]:
    """The recipe of a run with seeds that none of the given runs has tried with it yet."""
    assert run.config
    tried = {other.config.seed for other in runs if other.config and recipe(other.config) == recipe(run.config)} | {run.config.seed}
    return [run.config.model_copy(update={"seed": max(tried) + place}) for place in range(1, count + 1)]


def spread(runs: Iterable[Run], recipes: Collection[TrainConfig]) -> Spread | None:
    """How much the seed moves the test accuracy of these recipes, as far as the given runs tell; None if they do not.

    From the runs of the recipes themselves, or else from those of the same networks on as many images.

    Args:
        recipes: as `recipe` gives them.
    """
    several = [group for group in groups(runs) if len(group) > 1]
    alike = {(known.network, known.train_size) for known in recipes}
    own = [group for group in several if (config := group[0].config) and recipe(config) in recipes]
    others = [group for group in several if (config := group[0].config) and (config.network, config.train_size) in alike]
    if not (used := own or others):
        return None
    accuracies = [[run.accuracy or 0.0 for run in group] for group in used]
    return pooled(accuracies, own=bool(own))


def pooled(accuracies: Sequence[Sequence[float]], *, own: bool = True) -> Spread:
    """The spread within groups, each of at least two accuracies, 0-1."""
    runs = sum(len(group) for group in accuracies)
    freedom = runs - len(accuracies)
    squares = sum((len(group) - 1) * variance(group) for group in accuracies)
    return Spread((squares / freedom) ** 0.5, freedom, runs, own)
