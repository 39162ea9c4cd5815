"""Two models on the same images, or many: how much better one is, whether the choice of images explains it, and where they differ."""

from dataclasses import dataclass

import torch
from torch import Tensor

from fmnist.evaluation import accuracy_interval, confusion_matrix

CHANCE = 0.05  # a p value below this is more than chance
NOBODY = -1


@dataclass(frozen=True)
class Comparison:
    """How a second model does on the images of a first one."""

    both_right: int
    fixed: int  # the first is wrong, the second right
    broken: int  # the first is right, the second wrong
    both_wrong: int
    difference: float  # of the accuracies, second less first, -1 to 1
    interval: tuple[float, float]  # of the difference, 95 %
    p_value: float  # McNemar's exact test: how often chance alone makes such a difference between models that are as good

    @property
    def count(self) -> int:
        return self.both_right + self.fixed + self.broken + self.both_wrong


@dataclass(frozen=True)
class SharedErrors:
    """The errors of R models on the same N images."""

    wrong: Tensor  # int64 (N,): how many of the models are wrong
    by_all: Tensor  # int64 (M,): the positions of the images that every model gets wrong
    alone: Tensor  # int64 (N,): the only model that is wrong, 0 to R - 1; -1 where none is, or several are


def compare(first: Tensor, second: Tensor, truth: Tensor) -> Comparison:
    """Two models against each other.

    Args:
        first: int64 (N,), the guesses of the first model.
        second: int64 (N,), those of the second.
        truth: int64 (N,).

    Source: the interval is method 10 of Newcombe, Improved confidence intervals for the difference between binomial proportions
    based on paired data (Statistics in Medicine 17, 1998); the test is McNemar's (1947), with the binomial distribution.
    """
    was, now = first == truth, second == truth
    both_right, both_wrong = int((was & now).sum()), int((~was & ~now).sum())
    fixed, broken = int((~was & now).sum()), int((was & ~now).sum())
    return Comparison(
        both_right=both_right,
        fixed=fixed,
        broken=broken,
        both_wrong=both_wrong,
        difference=(fixed - broken) / max(1, len(truth)),
        interval=_difference_interval(both_right, fixed, broken, both_wrong),
        p_value=_p_value(fixed, broken),
    )


def _difference_interval(both_right: int, fixed: int, broken: int, both_wrong: int) -> tuple[float, float]:
    """Newcombe's method 10: the intervals of both accuracies, joined by how alike the models are."""
    count = both_right + fixed + broken + both_wrong
    if not count:
        return -1.0, 1.0
    before, after = both_right + broken, both_right + fixed
    below, above = zip(_arms(before, count), _arms(after, count), strict=True)
    likeness = _likeness(both_right, fixed, broken, both_wrong)
    difference = (after - before) / count
    return difference - _joined(above[0], below[1], likeness), difference + _joined(below[0], above[1], likeness)


def _arms(right: int, count: int) -> tuple[float, float]:
    """How far the interval of an accuracy reaches below and above it."""
    low, high = accuracy_interval(right, count)
    return right / count - low, high - right / count


def _joined(one: float, other: float, likeness: float) -> float:
    return max(0.0, one**2 - 2 * likeness * one * other + other**2) ** 0.5


def _likeness(both_right: int, fixed: int, broken: int, both_wrong: int) -> float:
    """The correlation phi of being right, with Newcombe's correction for continuity where it is positive; 0 where there is none."""
    count = both_right + fixed + broken + both_wrong
    sums = (both_right + broken) * (fixed + both_wrong) * (both_right + fixed) * (broken + both_wrong)
    product = both_right * both_wrong - fixed * broken
    if product > 0:
        product = max(product - count / 2, 0)
    return product / sums**0.5 if sums else 0.0


def _p_value(fixed: int, broken: int) -> float:
    from scipy.stats import binomtest

    return float(binomtest(fixed, fixed + broken).pvalue) if fixed + broken else 1.0


def difference_matrix(first: Tensor, second: Tensor, truth: Tensor) -> Tensor:
    """How the second model's confusion matrix differs from the first's: int64 (10, 10), row = truth, column = guess; rows sum to 0."""
    return confusion_matrix(truth, second) - confusion_matrix(truth, first)


def positions(first: Tensor, second: Tensor, truth: Tensor, what: str) -> Tensor:
    """Where the models differ, or are both wrong: int64 (M,), rising.

    Args:
        first: int64 (N,), the guesses of the first model; second and truth alike.
        what: "fixed", "broken", "both wrong", or "changed": another guess, whether right or wrong.
    """
    was, now = first == truth, second == truth
    found = {"fixed": ~was & now, "broken": was & ~now, "both wrong": ~was & ~now, "changed": first != second}
    if what not in found:
        raise ValueError(f"'{what}' is not known. Known are {', '.join(found)}.")
    return found[what].nonzero().squeeze(1)


def shared_errors(guesses: Tensor, truth: Tensor) -> SharedErrors:
    """Which errors all models share, and which one makes alone.

    Args:
        guesses: int64 (R, N), a row for each model; at least one.
        truth: int64 (N,).
    """
    if not len(guesses):
        raise ValueError("There is no model whose errors could be shared.")
    errors = guesses != truth  # (R, N)
    wrong = errors.sum(0)
    alone = torch.where(wrong == 1, errors.long().argmax(0), NOBODY)
    return SharedErrors(wrong, (wrong == len(guesses)).nonzero().squeeze(1), alone)
