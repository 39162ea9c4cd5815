"""Curves of one class against the rest, by hand: scikit-learn is inside, so it is not asked."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from fmnist.curves import POINTS, Curve, precision_recall, roc, thinned

CURVES = [roc, precision_recall]
Draw = Callable[[Tensor, Tensor, int], Curve]


def of_class_2(scores: list[float], truth: list[bool]) -> tuple[Tensor, Tensor, int]:
    """Images whose probability of class 2 is given, and whether they are of it (or of class 7)."""
    probabilities = torch.zeros(len(scores), 10, dtype=torch.float64)
    probabilities[:, 2] = torch.tensor(scores, dtype=torch.float64)
    return probabilities, torch.tensor([2 if own else 7 for own in truth], dtype=torch.int64), 2


def separable(count: int = 20_000) -> tuple[Tensor, Tensor, int]:
    """Probabilities as a network gives them: a tenth of the images is of the class, most are far from the threshold."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 10, (count,), generator=generator)
    scores = torch.randn(count, 10, generator=generator)
    scores[torch.arange(count), labels] += 2.5
    return (scores * 2).softmax(1), labels, 6


def test_the_roc_curve_by_hand():
    """Right, wrong, right, wrong, by falling probability: up, right, up, right. Three of the four pairs are in order."""
    curve = roc(*of_class_2([0.9, 0.8, 0.4, 0.1], [True, False, True, False]))
    assert curve.x.tolist() == [0, 0, 0.5, 0.5, 1]
    assert curve.y.tolist() == [0, 0.5, 0.5, 1, 1]
    assert curve.threshold.tolist() == [torch.inf, 0.9, 0.8, 0.4, 0.1]
    assert curve.area == pytest.approx(0.75)


def test_the_precision_recall_curve_by_hand():
    """One of one, one of two, two of three, two of four. The average precision is 1/2 * 1 + 1/2 * 2/3."""
    curve = precision_recall(*of_class_2([0.9, 0.8, 0.4, 0.1], [True, False, True, False]))
    assert curve.x.tolist() == [0, 0.5, 0.5, 1, 1]
    assert curve.y.tolist() == pytest.approx([1, 1, 1 / 2, 2 / 3, 1 / 2])
    assert curve.threshold.tolist() == [torch.inf, 0.9, 0.8, 0.4, 0.1]
    assert curve.area == pytest.approx(1 / 2 + 1 / 3)


def test_a_perfect_class_has_an_area_of_one_and_a_reversed_one_of_none():
    assert roc(*of_class_2([0.9, 0.8, 0.2, 0.1], [True, True, False, False])).area == 1
    assert precision_recall(*of_class_2([0.9, 0.8, 0.2, 0.1], [True, True, False, False])).area == 1
    assert roc(*of_class_2([0.9, 0.8, 0.2, 0.1], [False, False, True, True])).area == 0


def test_a_model_that_says_the_same_of_every_image_has_a_diagonal():
    curve = roc(*of_class_2([0.5] * 6, [True, False, True, False, False, False]))
    assert (curve.x.tolist(), curve.y.tolist(), curve.area) == ([0, 1], [0, 1], 0.5)
    assert precision_recall(*of_class_2([0.5] * 6, [True, False, True, False, False, False])).area == pytest.approx(1 / 3)


@pytest.mark.parametrize("draw", CURVES)
@pytest.mark.parametrize("truth", [[True, True], [False, False], [True], []])
def test_a_class_without_images_or_with_nothing_else_has_no_curve(draw: Draw, truth: list[bool]):
    curve = draw(*of_class_2([0.7] * len(truth), truth))
    assert curve.area is None
    assert len(curve.x) == len(curve.y) == len(curve.threshold) == 0


def test_the_area_is_the_share_of_pairs_that_are_in_order():
    probabilities, labels, index = separable(600)
    own, others = probabilities[labels == index, index], probabilities[labels != index, index]
    assert roc(probabilities, labels, index).area == pytest.approx(float((own[:, None] > others).double().mean()))


def test_a_thinned_roc_curve_keeps_its_ends_and_its_area():
    curve = roc(*separable())
    assert 100 < len(curve.x) <= POINTS
    assert (curve.x[0], curve.y[0], curve.x[-1], curve.y[-1]) == (0, 0, 1, 1)
    assert bool((curve.x.diff() >= 0).all())
    assert bool((curve.y.diff() >= 0).all())
    assert float(torch.trapezoid(curve.y, curve.x)) == pytest.approx(curve.area, abs=1e-3)


def test_a_thinned_precision_recall_curve_keeps_its_ends_and_its_area():
    curve = precision_recall(*separable())
    assert 100 < len(curve.x) <= POINTS
    assert (curve.x[0], curve.y[0], curve.x[-1]) == (0, 1, 1)
    assert float(curve.y[-1]) == pytest.approx(0.1, abs=0.01)  # the share of the class
    assert bool((curve.x.diff() >= 0).all())
    assert float((curve.x.diff() * curve.y[1:]).sum()) == pytest.approx(curve.area, abs=5e-3)
    assert float((curve.x.diff() + curve.y.diff().abs()).max()) < 0.05  # dense to the end, where few thresholds lie


def test_each_point_of_a_roc_curve_is_what_its_threshold_gives():
    probabilities, labels, index = separable(2_000)
    curve = roc(probabilities, labels, index)
    for x, y, threshold in list(zip(curve.x, curve.y, curve.threshold, strict=True))[:: len(curve.x) // 7]:
        taken, own = probabilities[:, index].double() >= threshold, labels == index
        assert float(x) == pytest.approx(float((taken & ~own).sum() / (~own).sum()))
        assert float(y) == pytest.approx(float((taken & own).sum() / own.sum()))


def test_a_short_curve_is_not_thinned_and_a_long_one_keeps_its_first_and_last_point():
    assert thinned(torch.tensor([0.0, 0.1, 0.2, 0.3, 9.0]), points=5).tolist() == [0, 1, 2, 3, 4]
    assert thinned(torch.arange(101.0), points=5).tolist() == [0, 25, 50, 75, 100]
    flat = torch.cat([torch.zeros(50), torch.ones(50)])  # the length does not grow but once
    assert {0, 99} <= set(thinned(flat, points=5).tolist())
    assert thinned(torch.zeros(0)).tolist() == []
