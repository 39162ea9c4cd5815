"""Two models on the same images: by hand, and against published tables."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from fmnist.comparison import Comparison, compare, difference_matrix, positions, shared_errors
from fmnist.evaluation import confusion_matrix


def table(both_right: int, fixed: int, broken: int, both_wrong: int) -> tuple[Tensor, Tensor, Tensor]:
    """Guesses of two models that are right and wrong as often as this, and the truth."""
    first = torch.tensor([0] * both_right + [1] * fixed + [0] * broken + [1] * both_wrong, dtype=torch.int64)
    second = torch.tensor([0] * both_right + [0] * fixed + [1] * broken + [2] * both_wrong, dtype=torch.int64)
    return first, second, torch.zeros(len(first), dtype=torch.int64)


def compared(*counts: int) -> Comparison:
    return compare(*table(*counts))


def test_the_counts_and_the_difference_by_hand():
    found = compared(80, 7, 3, 10)
    assert (found.both_right, found.fixed, found.broken, found.both_wrong, found.count) == (80, 7, 3, 10, 100)
    assert found.difference == pytest.approx(0.04)


def test_mcnemar_by_hand():
    """Eight images are right for one model only, seven of them for the first: 2 * (1 + 8) / 2^8."""
    assert compared(1, 7, 1, 12).p_value == pytest.approx(2 * 9 / 256)
    assert compared(1, 1, 7, 12).p_value == pytest.approx(2 * 9 / 256)
    assert compared(90, 5, 5, 0).p_value == 1
    assert compared(90, 0, 10, 0).p_value == pytest.approx(2 / 2**10)


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [
        ((59, 16, 6, 80), 0.0046, 0.1186),  # Cavo et al. (2012)
        ((1, 7, 1, 12), 0.026, 0.507),  # Bentur et al. (2009)
    ],
)
def test_the_interval_of_the_difference_is_the_published_one(counts: tuple[int, ...], low: float, high: float):
    """Fagerland, Lydersen and Laake, Statistical Analysis of Contingency Tables (2017), chapter 8, Newcombe's square-and-add interval."""
    digits = 10.0 ** -len(str(low).split(".")[1])
    assert compared(*counts).interval == pytest.approx((low, high), abs=digits / 2)


@settings(deadline=None)
@given(st.tuples(*[st.integers(0, 12)] * 4))
def test_the_other_way_round_everything_is_the_other_way_round(counts: tuple[int, int, int, int]):
    first, second, truth = table(*counts)
    there, back = compare(first, second, truth), compare(second, first, truth)
    assert there.count == back.count == sum(counts)
    assert back.difference == -there.difference
    assert (-back.interval[1], -back.interval[0]) == pytest.approx(there.interval)
    assert back.p_value == pytest.approx(there.p_value)
    assert there.interval[0] - 1e-12 <= there.difference <= there.interval[1] + 1e-12
    assert -1 - 1e-12 <= there.interval[0] <= there.interval[1] <= 1 + 1e-12
    assert 0 < there.p_value <= 1


def test_ninety_five_of_a_hundred_intervals_hold_the_difference():
    """400 pairs of models on 500 images; the second is right on 3 % more of them."""
    generator = torch.Generator().manual_seed(0)
    chance = torch.tensor([0.85, 0.06, 0.03, 0.06])  # both right, fixed, broken, both wrong
    draws = torch.multinomial(chance, 500 * 400, replacement=True, generator=generator).view(400, 500)
    tables = [draw.bincount(minlength=4).tolist() for draw in draws]
    held = sum(low <= 0.03 <= high for low, high in (compared(*counts).interval for counts in tables))
    assert 0.92 <= held / 400 <= 0.98


@pytest.mark.parametrize("counts", [(1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1), (20, 0, 0, 0), (0, 0, 0, 20), (0, 9, 0, 0)])
def test_one_image_all_right_and_all_wrong_have_figures_too(counts: tuple[int, ...]):
    found = compared(*counts)
    assert found.interval[0] <= found.difference <= found.interval[1]
    assert found.interval[0] < found.interval[1]  # nothing is certain


def test_without_an_image_nothing_is_known():
    found = compared(0, 0, 0, 0)
    assert (found.difference, found.interval, found.p_value) == (0, (-1, 1), 1)


def test_the_difference_matrix_by_hand():
    truth, first, second = torch.tensor([0, 0, 6]), torch.tensor([0, 6, 6]), torch.tensor([0, 0, 3])
    matrix = difference_matrix(first, second, truth)
    assert matrix.dtype == torch.int64
    assert {tuple(place): int(matrix[tuple(place)]) for place in matrix.nonzero().tolist()} == {
        (0, 0): 1,
        (0, 6): -1,
        (6, 6): -1,
        (6, 3): 1,
    }


@settings(deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 9)] * 3), min_size=1, max_size=60))
def test_rows_of_a_difference_sum_to_nothing_and_positions_are_what_is_counted(images: list[tuple[int, int, int]]):
    first, second, truth = torch.tensor(images).unbind(1)
    matrix, found = difference_matrix(first, second, truth), compare(first, second, truth)
    assert matrix.sum(1).tolist() == [0] * 10
    assert torch.equal(confusion_matrix(truth, first) + matrix, confusion_matrix(truth, second))
    for what, count in (("fixed", found.fixed), ("broken", found.broken), ("both wrong", found.both_wrong)):
        assert len(positions(first, second, truth, what)) == count
    assert found.fixed - found.broken == int(matrix.trace())


def test_positions_by_hand():
    truth = torch.tensor([0, 0, 0, 0, 0])
    first, second = torch.tensor([0, 1, 0, 1, 1]), torch.tensor([0, 0, 1, 1, 2])
    assert positions(first, second, truth, "fixed").tolist() == [1]
    assert positions(first, second, truth, "broken").tolist() == [2]
    assert positions(first, second, truth, "both wrong").tolist() == [3, 4]
    assert positions(first, second, truth, "changed").tolist() == [1, 2, 4]
    with pytest.raises(ValueError, match="'worse' is not known"):
        positions(first, second, truth, "worse")


def test_shared_errors_by_hand():
    """Five images of class 0: all wrong; only the third model wrong; the first two wrong; all right; only the first wrong."""
    guesses = torch.tensor([[5, 0, 1, 0, 3], [5, 0, 2, 0, 0], [4, 9, 0, 0, 0]])
    found = shared_errors(guesses, torch.zeros(5, dtype=torch.int64))
    assert found.wrong.tolist() == [3, 1, 2, 0, 1]
    assert found.by_all.tolist() == [0]
    assert found.alone.tolist() == [-1, 2, -1, -1, 0]


def test_one_model_shares_its_errors_with_itself():
    found = shared_errors(torch.tensor([[0, 1]]), torch.tensor([0, 0]))
    assert (found.by_all.tolist(), found.alone.tolist()) == ([1], [-1, 0])
    with pytest.raises(ValueError, match="no model"):
        shared_errors(torch.zeros(0, 2, dtype=torch.int64), torch.tensor([0, 0]))
