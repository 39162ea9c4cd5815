"""Figures by hand, and against scikit-learn."""

import json
from dataclasses import asdict
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, f1_score, log_loss, precision_recall_fscore_support

from fmnist import evaluation
from fmnist.data import CLASS_NAMES
from fmnist.models import build

NOTHING: Any = 0  # what 0 / 0 is; scikit-learn's annotation knows only its words


def test_confusion_counts_by_hand():
    matrix = evaluation.confusion_matrix(torch.tensor([0, 0, 6, 9]), torch.tensor([0, 6, 6, 7]))
    assert matrix[0, 0] == matrix[0, 6] == matrix[6, 6] == matrix[9, 7] == 1
    assert int(matrix.sum()) == 4


@pytest.mark.parametrize("case", ["random", "class never guessed", "class never there", "all right", "all wrong", "one image"])
def test_every_figure_equals_scikit_learn(case: str):
    generator = torch.Generator().manual_seed(0)
    scores, labels = torch.randn(300, 10, generator=generator), torch.randint(0, 10, (300,), generator=generator)
    if case == "class never guessed":
        scores[:, 3] = -8
    elif case == "class never there":
        labels[labels == 3] = 4
    elif case == "all right":
        scores[torch.arange(300), labels] = 50
    elif case == "all wrong":
        scores[torch.arange(300), labels] = -12
    elif case == "one image":
        scores, labels = scores[:1], labels[:1]
    report, guess = evaluation.report(scores, labels), scores.argmax(1)
    assert report.confusion == confusion_matrix(labels, guess, labels=range(10)).tolist()
    assert report.accuracy == pytest.approx(float((guess == labels).double().mean()))
    assert report.loss == pytest.approx(log_loss(labels, scores.double().softmax(1), labels=range(10)), rel=1e-4, abs=1e-6)
    assert report.macro_f1 == pytest.approx(f1_score(labels, guess, labels=range(10), average="macro", zero_division=NOTHING))
    theirs: Any = precision_recall_fscore_support(labels, guess, labels=range(10), zero_division=NOTHING)
    for index, name in enumerate(CLASS_NAMES):
        mine = report.per_class[name]
        assert (mine.precision, mine.recall, mine.f1, mine.support) == pytest.approx([float(figure[index]) for figure in theirs])
    said = json.loads(json.dumps(asdict(report), allow_nan=False))  # as `fmnist evaluate --json` prints it
    assert said["accuracy_interval"] == list(report.accuracy_interval)


def test_a_report_of_no_image_is_refused():
    with pytest.raises(ValueError, match="no image"):
        evaluation.report(torch.zeros(0, 10), torch.zeros(0, dtype=torch.int64))


def test_a_class_names_the_two_that_it_is_most_taken_for():
    """Six shirts: one right, one taken for a dress, two each for a T-shirt and a coat, which are named in the order of the classes."""
    guess = torch.tensor([6, 3, 4, 4, 0, 0])
    report = evaluation.report(torch.eye(10)[guess], torch.full((6,), 6))
    assert report.per_class["Shirt"].confused_with == (("T-shirt/top", 2), ("Coat", 2))
    assert report.per_class["Coat"].confused_with == ()  # what is taken for a coat is the shirt's error


def test_a_class_that_is_taken_for_one_other_names_one():
    report = evaluation.report(torch.eye(10)[torch.tensor([9, 7])], torch.tensor([9, 9]))
    assert report.per_class["Ankle boot"].confused_with == (("Sneaker", 1),)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=60))
def test_the_confusion_matrix_sums_to_what_is_there(pairs: list[tuple[int, int]]):
    truth, guess = torch.tensor(pairs).unbind(1)
    matrix = evaluation.confusion_matrix(truth, guess)
    assert int(matrix.sum()) == len(pairs)
    assert torch.equal(matrix.sum(1), truth.bincount(minlength=10))
    assert torch.equal(matrix.sum(0), guess.bincount(minlength=10))


@pytest.mark.parametrize(
    ("right", "count", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0000, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_the_interval_of_an_accuracy_is_the_published_one(right: int, count: int, low: float, high: float):
    """Newcombe, Two-sided confidence intervals for the single proportion (Statistics in Medicine 17, 1998), table I, method 3."""
    assert evaluation.accuracy_interval(right, count) == pytest.approx((low, high), abs=5e-5)


@settings(deadline=None)
@given(st.integers(1, 10_000).flatmap(lambda count: st.tuples(st.integers(0, count), st.just(count))))
def test_the_interval_of_an_accuracy_equals_that_of_scipy_and_holds_the_accuracy(figures: tuple[int, int]):
    right, count = figures
    low, high = evaluation.accuracy_interval(right, count)
    assert 0 <= low <= high <= 1
    assert low - 1e-12 <= right / count <= high + 1e-12
    theirs = binomtest(right, count).proportion_ci(0.95, "wilson")
    assert (low, high) == pytest.approx((float(theirs.low), float(theirs.high)), abs=1e-9)


def test_without_an_image_the_accuracy_may_be_anything():
    assert evaluation.accuracy_interval(0, 0) == (0.0, 1.0)
    with pytest.raises(ValueError, match="3 of 2"):
        evaluation.accuracy_interval(3, 2)


def confused(*groups: tuple[int, ...]) -> torch.Tensor:
    """100 images of each class; each class is taken ten times for the class beside it in its group."""
    matrix = torch.eye(10, dtype=torch.int64) * 100
    for group in groups:
        for one, other in pairwise(group):
            for row, column in ((one, other), (other, one)):
                matrix[row, column] += 10
                matrix[row, row] -= 10
    return matrix


def test_classes_that_are_taken_for_each_other_stand_side_by_side():
    order = evaluation.similarity_order(confused((9, 5, 7), (2, 6, 0, 4, 3), (8, 1)))
    assert sorted(order) == list(range(10))
    beside = {frozenset(pair) for pair in pairwise(order)}
    assert {frozenset(pair) for pair in [(9, 5), (5, 7), (2, 6), (6, 0), (0, 4), (4, 3), (8, 1)]} <= beside


@pytest.mark.parametrize("seed", range(6))
def test_the_order_of_the_classes_does_not_depend_on_their_numbers(seed: int):
    generator = torch.Generator().manual_seed(seed)
    matrix = torch.randint(1, 1000, (10, 10), generator=generator)
    renamed = torch.randperm(10, generator=generator)
    order = evaluation.similarity_order(matrix)
    other = renamed[evaluation.similarity_order(matrix[renamed][:, renamed])].tolist()
    assert order in (other, other[::-1])
    assert order[0] < order[-1]


@pytest.mark.parametrize("matrix", [torch.zeros(10, 10, dtype=torch.int64), torch.eye(10, dtype=torch.int64) * 7])
def test_classes_that_are_never_confused_keep_their_order(matrix: torch.Tensor):
    assert evaluation.similarity_order(matrix.tolist()) == list(range(10))


def test_one_error_of_one_image_brings_two_classes_together():
    matrix = torch.zeros(10, 10, dtype=torch.int64)
    matrix[8, 2] = 1
    order = evaluation.similarity_order(matrix)
    assert sorted(order) == list(range(10))
    assert abs(order.index(8) - order.index(2)) == 1


def test_logits_do_not_depend_on_batches_and_leave_the_model_in_its_mode():
    model = build("small").train()
    images = torch.randint(0, 256, (evaluation.BATCH + 7, 28, 28), dtype=torch.uint8)
    shares: list[float] = []
    scores = evaluation.logits(model, images, shares.append)
    assert model.training
    assert shares[-1] == 1.0
    torch.testing.assert_close(scores[-7:], evaluation.logits(model, images[-7:]), rtol=1e-4, atol=1e-5)


def test_no_image_gives_no_logits():
    assert evaluation.logits(build("linear"), torch.zeros(0, 28, 28, dtype=torch.uint8)).shape == (0, 10)
