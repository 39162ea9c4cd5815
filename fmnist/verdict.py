"""Which of two recipes is better, by how much, and whether that is more than chance: that of the test images and that of the seed.

Two things move a test accuracy without meaning anything: which images happen to be in the test split, and which seed a training began
with. Both recipes are judged on the same images, so the first is a paired test; the second needs several seeds, of these recipes or,
failing those, of others. Only a difference beyond both is called real.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, variance
from typing import Literal

from torch import Tensor

from fmnist import comparison
from fmnist.comparison import CHANCE, Comparison
from fmnist.seeds import Spread

Outcome = Literal["equal", "images", "seeds", "open", "real"]


@dataclass(frozen=True)
class Side:
    """A recipe with what its runs say of the same images."""

    name: str
    guesses: Tensor  # int64 (R, N): a row for each of its runs, which differ in their seed alone; R is at least 1

    def accuracies(self, truth: Tensor) -> list[float]:
        """Of each run, 0-1."""
        return (self.guesses == truth).double().mean(1).tolist()


@dataclass(frozen=True)
class Difference:
    """By how much one mean is above another, and what chance makes of it."""

    amount: float
    interval: tuple[float, float]  # 95 %
    p_value: float


@dataclass(frozen=True)
class Verdict:
    """Two recipes on the same images; the better one first."""

    better: str
    worse: str
    accuracies: tuple[list[float], list[float]]  # of the runs of each, 0-1
    pair: Comparison | None  # image by image, where each has one run
    images: Difference  # what another choice of test images would make of it
    seeds: Difference | None  # what other seeds would make of it; None: nobody knows
    spread: Spread | None  # whence `seeds` knows how much a seed makes; None: from the several runs of both
    limit: float  # a p value below this is more than chance

    @property
    def outcome(self) -> Outcome:
        """Equal accuracies; explained by the images or by the seed; more than the images, and seeds unknown; or more than both."""
        if not self.images.amount:
            return "equal"
        if self.images.p_value >= self.limit:
            return "images"
        if self.seeds is None:
            return "open"
        return "real" if self.seeds.p_value < self.limit else "seeds"


def judge(one: Side, other: Side, truth: Tensor, known: Spread | None, pairs: int = 1) -> Verdict:
    """The verdict on two recipes.

    Args:
        truth: int64 (N,); N is at least 2.
        known: how much a seed makes, for where not both have several runs.
        pairs: how many pairs were looked at to find this one; the more, the more a difference must be (Bonferroni).
    """
    better, worse = sorted((one, other), key=lambda side: -fmean(side.accuracies(truth)))
    above, below = better.accuracies(truth), worse.accuracies(truth)
    has_seeds = min(len(above), len(below)) > 1
    pair = comparison.compare(worse.guesses[0], better.guesses[0], truth) if len(above) == len(below) == 1 else None
    images = Difference(pair.difference, pair.interval, pair.p_value) if pair else paired(better, worse, truth)
    seeds = welch(above, below) if has_seeds else borrowed(above, below, known) if known else None
    return Verdict(better.name, worse.name, (above, below), pair, images, seeds, None if has_seeds else known, CHANCE / pairs)


def paired(first: Side, second: Side, truth: Tensor) -> Difference:
    """The paired t test over the images: how often the runs of each side are right on one, less how often the others are."""
    gains = (first.guesses == truth).double().mean(0) - (second.guesses == truth).double().mean(0)  # (N,)
    return _difference(float(gains.mean()), float(gains.std()) / len(gains) ** 0.5, len(gains) - 1)


def welch(first: Sequence[float], second: Sequence[float]) -> Difference:
    """The difference of two means whose spreads may differ, each of at least two values.

    Source: Welch, The generalization of Student's problem (1947); the degrees of freedom are those of Satterthwaite (1946).
    """
    one, other = variance(first) / len(first), variance(second) / len(second)
    below = one**2 / (len(first) - 1) + other**2 / (len(second) - 1)
    return _difference(fmean(first) - fmean(second), (one + other) ** 0.5, (one + other) ** 2 / below if below else 1)


def borrowed(first: Sequence[float], second: Sequence[float], known: Spread) -> Difference:
    """The difference of two means of too few values, with a spread that is known from elsewhere."""
    error = known.deviation * (1 / len(first) + 1 / len(second)) ** 0.5
    return _difference(fmean(first) - fmean(second), error, known.freedom)


def _difference(amount: float, error: float, freedom: float) -> Difference:
    """Args: error: the standard error of the amount."""
    from scipy.stats import t

    if not error:
        return Difference(amount, (amount, amount), float(not amount))
    reach = float(t.ppf(1 - CHANCE / 2, freedom)) * error
    return Difference(amount, (amount - reach, amount + reach), float(2 * t.sf(abs(amount) / error, freedom)))


# ---- in words ------------------------------------------------------------------------------------------------------------------------


def sentence(verdict: Verdict) -> str:
    """The verdict as a person would say it."""
    better, worse = (f"{100 * fmean(side):.2f} %" for side in verdict.accuracies)
    amount = f"{100 * verdict.images.amount:.2f} points ({better} against {worse})"
    apart = f"{verdict.better} and {verdict.worse} cannot be told apart: {amount}"
    return {
        "equal": f"{verdict.better} and {verdict.worse} are equally good: both reach {better}.",
        "images": f"{apart} is no more than the choice of test images makes.",
        "seeds": f"{apart} is more than the choice of test images makes, but no more than another seed may make.",
        "open": f"{verdict.better} is better by {amount}. That is more than the choice of test images makes; how much another seed makes "
        "is not known.",
        "real": f"{verdict.better} is better by {amount}. That is more than the choice of test images makes, and more than another seed "
        "makes: it is real.",
    }[verdict.outcome]


def reasons(verdict: Verdict) -> list[str]:
    """What the verdict rests on, a sentence for each kind of chance."""
    said = [_of_images(verdict), _of_seeds(verdict)]
    if verdict.limit < CHANCE:
        said.append(f"Of {CHANCE / verdict.limit:.0f} pairs some differ by luck, so here p must be below {verdict.limit:.2g} (Bonferroni).")
    return said


def _of_images(verdict: Verdict) -> str:
    if verdict.pair:
        counts = f"{verdict.pair.fixed:,} are right for {verdict.better} alone, {verdict.pair.broken:,} for {verdict.worse} alone"
        return f"Of the same {verdict.pair.count:,} images {counts}: {_figures(verdict.images)} (McNemar's test)."
    return f"Image by image, averaged over the seeds of each: {_figures(verdict.images)} (paired t test)."


def _of_seeds(verdict: Verdict) -> str:
    if verdict.seeds is None:
        return "How much another seed makes is not known here: train each with one or two other seeds to find out."
    if verdict.spread is None:
        first, second = (len(side) for side in verdict.accuracies)
        return f"Over the seeds, {first} against {second} runs: {_figures(verdict.seeds)} (Welch's t test)."
    whose = "these settings" if verdict.spread.own else "other settings of such networks"
    known = f"{100 * verdict.spread.deviation:.2f} points (standard deviation, by {verdict.spread.runs} runs of {whose})"
    return f"Another seed moves a run by {known}: {_figures(verdict.seeds)}."


def _figures(difference: Difference) -> str:
    low, high = difference.interval
    p = "p < 0.001" if difference.p_value < 0.001 else f"p = {difference.p_value:.3f}"
    return f"95 % interval {100 * low:+.2f} to {100 * high:+.2f} points, {p}"
