"""Which recipe is better and whether that is more than chance: against scipy, by hand, and in simulations of nothing but chance."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from scipy import stats
from torch import Tensor

from fmnist import verdict
from fmnist.comparison import compare
from fmnist.seeds import Spread
from fmnist.verdict import Side, judge, reasons, sentence

TRUTH = torch.zeros(10_000, dtype=torch.int64)
TIGHT, WIDE = Spread(0.0001, 20, 22, own=True), Spread(0.01, 2, 3, own=True)
values = some.lists(some.floats(0.1, 0.9).filter(lambda value: value != 0.5), min_size=2, max_size=6, unique=True)


def side(name: str, *right: int, count: int = 10_000) -> Side:
    """A recipe whose runs are right on the first so many images."""
    return Side(name, torch.stack([(torch.arange(count) >= number).long() for number in right]))


def shifted(name: str, right: int, start: int) -> Side:
    """A run that is right on so many images from a start on, and wrong on all others."""
    places = torch.arange(10_000)
    return Side(name, ((places < start) | (places >= start + right)).long()[None])


@given(values, values)
def test_welch_is_scipys(first: list[float], second: list[float]):
    found, reference = verdict.welch(first, second), stats.ttest_ind(first, second, equal_var=False)
    interval = reference.confidence_interval(0.95)
    assert found.p_value == pytest.approx(reference.pvalue, rel=1e-6)
    assert found.interval == pytest.approx((interval.low, interval.high), rel=1e-6, abs=1e-9)


@settings(deadline=None)
@given(some.lists(some.tuples(*[some.booleans()] * 5), min_size=3, max_size=40))
def test_the_test_over_images_is_scipys_paired_t(images: list[tuple[bool, ...]]):
    wrong = torch.tensor(images).T.long()  # (5, N): two runs against three
    first, second = Side("a", wrong[:2]), Side("b", wrong[2:])
    found = verdict.paired(first, second, TRUTH[: len(images)])
    gains = ((wrong[:2] == 0).double().mean(0) - (wrong[2:] == 0).double().mean(0)).tolist()
    if len({round(gain, 9) for gain in gains}) == 1:
        return  # no spread: scipy refuses
    reference = stats.ttest_rel(gains, [0.0] * len(gains))
    interval = reference.confidence_interval(0.95)
    assert found.p_value == pytest.approx(reference.pvalue, rel=1e-6)
    assert found.interval == pytest.approx((interval.low, interval.high), rel=1e-6, abs=1e-9)


def test_a_borrowed_spread_by_hand():
    """Means 0.90 and 0.89 of one and two runs, deviation 0.01 with 4 degrees: error 0.01 * sqrt(1.5), t(0.975, 4) = 2.7764."""
    found = verdict.borrowed([0.90], [0.88, 0.90], Spread(0.01, 4, 6, own=False))
    assert found.amount == pytest.approx(0.01)
    assert found.interval == pytest.approx((0.01 - 2.7764 * 0.0122474, 0.01 + 2.7764 * 0.0122474), rel=1e-4)
    assert found.p_value == pytest.approx(2 * stats.t.sf(0.01 / 0.0122474, 4), rel=1e-4)


def test_without_any_spread_only_equality_is_chance():
    assert verdict.welch([0.9, 0.9], [0.8, 0.8]).p_value == 0
    assert verdict.welch([0.9, 0.9], [0.9, 0.9]).p_value == 1


# ---- what follows ----


def test_one_run_each_is_judged_by_mcnemar_and_the_interval_of_the_comparison():
    first, second = shifted("a", 9_000, 0), shifted("b", 9_200, 300)
    found = judge(first, second, TRUTH, None)
    pair = compare(first.guesses[0], second.guesses[0], TRUTH)
    assert (found.better, found.worse) == ("b", "a")
    assert found.images == verdict.Difference(pair.difference, pair.interval, pair.p_value)


@pytest.mark.parametrize(
    ("first", "second", "known", "outcome"),
    [
        (9_400, 9_400, TIGHT, "equal"),
        (9_400, 9_402, TIGHT, "images"),
        (9_400, 9_450, WIDE, "seeds"),
        (9_400, 9_450, None, "open"),
        (9_400, 9_450, TIGHT, "real"),
    ],
)
def test_every_outcome(first: int, second: int, known: Spread | None, outcome: str):
    assert judge(side("a", first), side("b", second), TRUTH, known).outcome == outcome


def test_several_seeds_of_both_need_no_borrowed_spread():
    found = judge(side("a", 9_400, 9_405, 9_410), side("b", 9_450, 9_455, 9_460), TRUTH, WIDE)
    assert (found.outcome, found.spread) == ("real", None)
    assert found.seeds == verdict.welch([0.9450, 0.9455, 0.9460], [0.9400, 0.9405, 0.9410])
    assert judge(side("a", 9_400, 9_480), side("b", 9_450, 9_530), TRUTH, None).outcome == "seeds"


def test_the_order_of_the_two_does_not_matter():
    there, back = (judge(*sides, TRUTH, WIDE) for sides in ((side("a", 9_400), side("b", 9_450)), (side("b", 9_450), side("a", 9_400))))
    assert there == back


def test_the_best_of_many_needs_more_than_the_better_of_two():
    first, second = side("a", 9_400), side("b", 9_408)  # eight images: p = 2 / 2^8
    assert judge(first, second, TRUTH, TIGHT).outcome == "real"
    assert judge(first, second, TRUTH, TIGHT, pairs=45).outcome == "images"


def test_recipes_that_are_as_good_are_seldom_told_apart():
    """300 times two recipes of three seeds that differ by chance alone; a real difference may be found in one of twenty at most."""
    generator = torch.Generator().manual_seed(0)
    truth, found = torch.zeros(400, dtype=torch.int64), 0
    for _ in range(300):
        wrong = (torch.rand(6, 400, generator=generator) < 0.1).long()
        found += judge(Side("a", wrong[:3]), Side("b", wrong[3:]), truth, None).outcome == "real"
    assert found / 300 <= 0.05


def test_a_recipe_that_is_better_is_found():
    generator = torch.Generator().manual_seed(0)
    better, worse = ((torch.rand(3, 10_000, generator=generator) < share).long() for share in (0.06, 0.08))
    assert judge(Side("a", better), Side("b", worse), TRUTH, None).outcome == "real"


# ---- in words ----


def said(first: Side, second: Side, known: Spread | None, pairs: int = 1) -> str:
    found = judge(first, second, TRUTH, known, pairs)
    return " ".join([sentence(found), *reasons(found)])


def test_a_real_difference_in_words():
    assert said(side("Run 3", 9_399), side("Run 5", 9_430), TIGHT).split(". ") == [
        "Run 5 is better by 0.31 points (94.30 % against 93.99 %)",
        "That is more than the choice of test images makes, and more than another seed makes: it is real",
        "Of the same 10,000 images 31 are right for Run 5 alone, 0 for Run 3 alone: 95 % interval +0.20 to +0.43 points, p < 0.001 "
        "(McNemar's test)",
        "Another seed moves a run by 0.01 points (standard deviation, by 22 runs of these settings): 95 % interval +0.28 to +0.34 points, "
        "p < 0.001.",
    ]


def test_what_is_not_known_is_said_with_what_to_do():
    words = said(side("Run 3", 9_399), side("Run 5", 9_430), None)
    assert "how much another seed makes is not known. " in words
    assert words.endswith("How much another seed makes is not known here: train each with one or two other seeds to find out.")


def test_chance_is_called_chance():
    assert said(side("A", 9_400), side("B", 9_402), None).startswith(
        "B and A cannot be told apart: 0.02 points (94.02 % against 94.00 %) is no more than the choice of test images makes."
    )
    assert "but no more than another seed may make." in said(side("A", 9_400), side("B", 9_450), WIDE)
    assert said(side("A", 9_400), side("B", 9_400), WIDE).startswith("A and B are equally good: both reach 94.00 %.")


def test_several_seeds_and_several_pairs_are_said():
    words = said(side("A", 9_400, 9_405), side("B", 9_450, 9_456), None, pairs=3)
    assert "averaged over the seeds of each" in words
    assert "Over the seeds, 2 against 2 runs" in words
    assert words.endswith("Of 3 pairs some differ by luck, so here p must be below 0.017 (Bonferroni).")
    assert "by 22 runs of other settings of such networks" in said(side("A", 9_400), side("B", 9_450), Spread(0.01, 20, 22, own=False))


def test_a_guess_of_each_run_makes_its_accuracy():
    guesses: Tensor = torch.tensor([[0, 1, 2, 3], [0, 0, 0, 0]])
    assert Side("a", guesses).accuracies(torch.tensor([0, 1, 2, 0])) == [0.75, 0.5]
