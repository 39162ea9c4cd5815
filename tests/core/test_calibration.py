"""Calibration by hand, against scikit-learn and scipy, and on a model whose calibration is known."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from sklearn.calibration import calibration_curve
from torch import Tensor

from fmnist.calibration import at_coverage, at_threshold, calibration_error, coverage, fit_temperature, reliability


def drawn(factor: float, count: int = 10_000) -> tuple[Tensor, Tensor]:
    """Logits that are `factor` times as large as those that the labels are drawn from."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(count, 10, generator=generator) * 2
    return logits * factor, torch.multinomial(logits.softmax(1), 1, generator=generator).squeeze(1)


def test_calibration_error_by_hand():
    """Two pictures at 80 %, one right: the gap is 0.3. One at 100 %, right: no gap. Weighted: 0.3 * 2 / 3."""
    probabilities = torch.tensor([[0.8, 0.2], [0.8, 0.2], [1.0, 0.0]], dtype=torch.float64)
    assert calibration_error(probabilities, torch.tensor([0, 1, 0])) == pytest.approx(0.2)


def test_a_perfectly_calibrated_model_has_no_calibration_error():
    probabilities = torch.tensor([[0.75, 0.25]] * 4, dtype=torch.float64)
    assert calibration_error(probabilities, torch.tensor([0, 0, 0, 1])) == pytest.approx(0)


def test_the_bins_by_hand():
    """Four bins; 0.5 belongs to the second, whose upper edge it is. Nobody is as unsure as the first, or between 0.5 and 0.75."""
    probabilities = torch.tensor([[0.5, 0.5], [0.8, 0.2], [0.9, 0.1], [1.0, 0.0]], dtype=torch.float64)
    found = reliability(probabilities, torch.tensor([0, 0, 1, 0]), bins=4)
    assert found.edges.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert found.counts.tolist() == [0, 1, 0, 3]
    assert found.confidence.tolist() == pytest.approx([math.nan, 0.5, math.nan, 0.9], nan_ok=True)
    assert found.accuracy.tolist() == pytest.approx([math.nan, 1, math.nan, 2 / 3], nan_ok=True)
    assert found.error == pytest.approx((0.5 * 1 + (0.9 - 2 / 3) * 3) / 4)


@pytest.mark.parametrize("factor", [0.3, 1, 3])
def test_the_bins_equal_those_of_scikit_learn(factor: float):
    logits, labels = drawn(factor, 3_000)
    probabilities = logits.double().softmax(1)
    found = reliability(probabilities, labels, bins=15)
    confidence, guess = probabilities.max(1)
    accuracy, mean = calibration_curve(guess == labels, confidence, n_bins=15)
    there = found.counts > 0
    assert found.accuracy[there].tolist() == pytest.approx(accuracy.tolist())
    assert found.confidence[there].tolist() == pytest.approx(mean.tolist())


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 1)), max_size=40), st.integers(1, 20))
def test_the_bins_hold_every_image_and_their_means_lie_in_them(images: list[tuple[float, int]], bins: int):
    share = torch.tensor([one for one, _ in images], dtype=torch.float64)
    found = reliability(torch.stack([share, 1 - share], 1), torch.tensor([label for _, label in images], dtype=torch.int64), bins)
    assert int(found.counts.sum()) == len(images)
    assert 0 <= found.error <= 1
    assert torch.equal(found.confidence.isnan(), found.counts == 0)
    there = found.counts > 0
    assert bool((found.confidence[there] >= found.edges[:-1][there] - 1e-9).all())
    assert bool((found.confidence[there] <= found.edges[1:][there] + 1e-9).all())


def test_without_an_image_there_is_no_calibration_error():
    assert calibration_error(torch.zeros(0, 10), torch.zeros(0, dtype=torch.int64)) == 0


@pytest.mark.parametrize("factor", [0.5, 1, 2, 4])
def test_the_temperature_undoes_a_known_miscalibration(factor: float):
    logits, labels = drawn(factor)
    temperature = fit_temperature(logits, labels)
    assert temperature == pytest.approx(factor, rel=0.03)
    after = calibration_error((logits / temperature).softmax(1), labels)
    assert after < 0.02
    if factor != 1:
        assert after < calibration_error(logits.softmax(1), labels) / 3


def test_the_temperature_is_that_of_a_minimiser_of_scipy():
    logits, labels = drawn(1.7, 500)
    found = minimize_scalar(
        lambda log: float(F.cross_entropy(logits.double() / math.exp(log), labels)),
        bounds=(-3, 3),
        method="bounded",
        options={"xatol": 1e-9},
    )
    assert fit_temperature(logits, labels) == pytest.approx(math.exp(found.x), rel=1e-5)


def test_a_temperature_has_an_end_when_every_image_is_right_or_wrong():
    """Only sharper, or only flatter, would be better: without an end there is no answer. Also where float64 knows no loss any more."""
    for scale in (1.0, 50.0, 1e4):
        logits = torch.eye(10) * scale
        assert fit_temperature(logits, torch.arange(10)) == pytest.approx(0.05)
        assert fit_temperature(logits, torch.arange(10).roll(1)) == pytest.approx(20)
    assert fit_temperature(torch.tensor([[2.0, 1.0]]), torch.tensor([0])) == pytest.approx(0.05)  # one image
    assert fit_temperature(torch.zeros(0, 10), torch.zeros(0, dtype=torch.int64)) == 1.0


def test_coverage_by_hand():
    """Sure to unsure: right; right and wrong, equally sure; right. The two equals go together."""
    found = coverage(torch.tensor([0.5, 0.75, 0.875, 0.75]), torch.tensor([True, True, True, False]))
    assert found.threshold.tolist() == [0.875, 0.75, 0.5]
    assert found.share.tolist() == [0.25, 0.75, 1]
    assert found.accuracy.tolist() == pytest.approx([1, 2 / 3, 3 / 4])


def test_abstaining_on_five_of_a_hundred():
    """Of 100 images the 3 least sure ones are wrong, and the surest one too: without the 5 least sure, 94 of 95 are right."""
    confidence = torch.linspace(0.2, 0.99, 100)
    right = torch.ones(100, dtype=torch.bool)
    right[[0, 1, 2, 99]] = False
    kept = at_coverage(confidence, right, 0.95)
    assert kept.threshold == float(confidence[5])
    assert kept.share == pytest.approx(0.95)
    assert kept.accuracy == pytest.approx(94 / 95)
    assert at_threshold(confidence, right, kept.threshold) == kept


def test_images_as_sure_as_each_other_are_kept_together():
    confidence, right = torch.tensor([0.9, 0.8, 0.8, 0.8]), torch.tensor([True, True, False, False])
    assert at_coverage(confidence, right, 0.5).share == 1  # two of four cannot be kept, for three are equal
    assert at_coverage(confidence, right, 0.25).accuracy == 1
    assert at_threshold(confidence, right, 0.85).share == 0.25


def test_a_threshold_above_every_confidence_keeps_nothing():
    kept = at_threshold(torch.tensor([0.5, 0.6]), torch.tensor([True, False]), 0.7)
    assert (kept.share, kept.accuracy) == (0, None)


def test_without_an_image_nothing_is_kept():
    confidence, right = torch.zeros(0), torch.zeros(0, dtype=torch.bool)
    assert len(coverage(confidence, right).share) == 0
    assert (at_coverage(confidence, right, 0.95).share, at_coverage(confidence, right, 0.95).accuracy) == (0, None)


def test_a_long_coverage_is_thinned_and_keeps_its_ends():
    logits, labels = drawn(1)
    confidence, guess = logits.double().softmax(1).max(1)
    right = guess == labels
    found = coverage(confidence, right)
    assert 400 < len(found.share) <= 500
    assert (float(found.share[0]), float(found.share[-1])) == (1 / len(labels), 1)
    assert float(found.accuracy[-1]) == pytest.approx(float(right.double().mean()))
    assert float(found.accuracy[100]) > float(found.accuracy[-1])  # a model that knows when it is unsure


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=1, max_size=40), st.floats(0, 1))
def test_each_point_of_a_coverage_is_what_its_threshold_keeps(images: list[tuple[int, bool]], wanted: float):
    confidence = torch.tensor([eighths / 8 for eighths, _ in images])
    right = torch.tensor([one for _, one in images])
    found = coverage(confidence, right)
    for threshold, share, accuracy in zip(found.threshold.tolist(), found.share.tolist(), found.accuracy.tolist(), strict=True):
        kept = at_threshold(confidence, right, threshold)
        assert (kept.share, kept.accuracy) == pytest.approx((share, accuracy))
    kept = at_coverage(confidence, right, wanted)
    assert kept.share >= wanted - 1e-9
    assert kept.threshold in found.threshold.tolist()
    assert all(share < wanted for share in found.share.tolist() if share < kept.share)  # the least that is enough
