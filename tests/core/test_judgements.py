"""Which images are shown, in which order: by hand, and against the confusion matrix."""

import csv
import io
import re

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from fmnist.data import CLASS_NAMES
from fmnist.evaluation import confusion_matrix
from fmnist.judgements import COLUMNS, KINDS, ORDERS, Judgements, choose, judge, rows, write_csv

SOME = torch.log(torch.tensor([[0.7, 0.2, 0.1], [0.5, 0.4, 0.1], [0.05, 0.9, 0.05], [0.3, 0.6, 0.1]]))
LABELS = torch.tensor([0, 1, 1, 0])  # right, wrong, right, wrong


def some(index: list[int] | None = None) -> Judgements:
    """Four images of three classes, as log-probabilities; two are wrong."""
    return judge(SOME, LABELS, torch.tensor(index or [10, 11, 12, 13]))


def many(count: int = 400) -> Judgements:
    generator = torch.Generator().manual_seed(0)
    return judge(torch.randn(count, 10, generator=generator), torch.randint(0, 10, (count,), generator=generator))


def test_a_judgement_by_hand():
    found = some()
    assert len(found) == 4
    assert found.index.tolist() == [10, 11, 12, 13]
    assert found.truth.tolist() == [0, 1, 1, 0]
    assert found.guess.tolist() == [0, 0, 1, 1]
    torch.testing.assert_close(found.confidence, torch.tensor([0.7, 0.5, 0.9, 0.6]))
    torch.testing.assert_close(found.own, torch.tensor([0.7, 0.4, 0.9, 0.3]))
    torch.testing.assert_close(found.margin, torch.tensor([0.5, 0.1, 0.85, 0.3]))
    torch.testing.assert_close(found.loss, -torch.tensor([0.7, 0.4, 0.9, 0.3]).log())


def test_the_losses_are_those_of_the_cross_entropy():
    scores, labels = torch.randn(50, 10), torch.randint(0, 10, (50,))
    torch.testing.assert_close(judge(scores, labels).loss, F.cross_entropy(scores, labels, reduction="none"))


def test_a_very_sure_model_still_has_losses_of_different_size():
    loss = judge(torch.tensor([[30.0, 0.0], [25.0, 0.0], [900.0, 0.0]]), torch.tensor([0, 0, 0])).loss
    assert 0 < loss[0] < loss[1]
    assert str(float(loss[2])) == "0.0"  # never -0.0


def test_columns_of_different_length_are_refused():
    with pytest.raises(ValueError, match="4 logits, 3 labels and 3 places"):
        judge(SOME, LABELS[:3])


@pytest.mark.parametrize(
    ("kind", "order", "expected"),
    [
        ("errors", "confidence", [3, 1]),
        ("errors", "loss", [3, 1]),
        ("errors", "margin", [1, 3]),
        ("errors", "index", [1, 3]),
        ("unsure", "confidence", [0, 2]),
        ("unsure", "loss", [0, 2]),
        ("unsure", "margin", [0, 2]),
        ("all", "confidence", [2, 0, 3, 1]),
        ("all", "loss", [3, 1, 0, 2]),
        ("all", "margin", [1, 3, 0, 2]),
        ("all", "index", [0, 1, 2, 3]),
    ],
)
def test_each_kind_in_each_order_by_hand(kind: str, order: str, expected: list[int]):
    assert choose(some(), kind, order=order).tolist() == expected


@pytest.mark.parametrize("order", ORDERS)
def test_equals_come_by_their_index(order: str):
    index = torch.randperm(500, generator=torch.Generator().manual_seed(0))
    same = judge(SOME[1:2].expand(500, 3), torch.ones(500, dtype=torch.int64), index)
    assert index[choose(same, "errors", order=order)].tolist() == list(range(500))


def test_an_order_by_index_is_that_of_the_split_and_not_of_the_rows():
    assert choose(some([30, 10, 40, 20]), "all", order="index").tolist() == [1, 3, 0, 2]


def test_a_random_order_is_the_same_for_a_seed_and_another_for_another():
    found = many()
    first = choose(found, "right", seed=1)
    assert torch.equal(first, choose(found, "right", seed=1))
    assert not torch.equal(first, choose(found, "right", seed=2))
    assert first.tolist() != sorted(first.tolist())
    assert torch.equal(first.sort().values, choose(found, "unsure").sort().values)


def test_a_filter_keeps_the_random_order():
    found = many()
    everything = choose(found, "right", seed=1)
    assert torch.equal(choose(found, "right", truth=4, seed=1), everything[found.truth[everything] == 4])


def test_each_cell_row_and_column_shows_exactly_what_the_matrix_counts():
    found = many()
    matrix = confusion_matrix(found.truth, found.guess)
    for truth in range(10):
        for guess in range(10):
            rows_of_cell = choose(found, "all", truth, guess)
            assert len(rows_of_cell) == matrix[truth, guess]
            assert all((found.truth[rows_of_cell] == truth) & (found.guess[rows_of_cell] == guess))
            assert len(choose(found, "errors", truth, guess)) == (0 if truth == guess else matrix[truth, guess])
        assert len(choose(found, "errors", truth=truth)) == matrix[truth].sum() - matrix[truth, truth]
        assert len(choose(found, "errors", guess=truth)) == matrix[:, truth].sum() - matrix[truth, truth]
        assert len(choose(found, "unsure", truth, truth)) == matrix[truth, truth]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), max_size=30), st.sampled_from(ORDERS), st.integers(0, 3))
def test_every_image_is_an_error_or_right_and_never_both(pairs: list[tuple[int, int]], order: str, seed: int):
    truth, guess = torch.tensor(pairs, dtype=torch.int64).view(-1, 2).unbind(1)
    found = judge(torch.eye(3)[guess], truth)
    errors, unsure, right, every = (choose(found, kind, order=order, seed=seed).tolist() for kind in KINDS)
    assert sorted(errors + unsure) == sorted(every) == list(range(len(pairs)))
    assert sorted(right) == sorted(unsure)


def test_a_kind_or_an_order_that_is_not_known_is_refused():
    for kind, order in (("wrong", "loss"), ("errors", "size")):
        with pytest.raises(ValueError, match="is not known"):
            choose(some(), kind, order=order)


def test_a_row_has_words_and_plain_numbers():
    (row,) = rows(some(), torch.tensor([3]))
    assert tuple(row) == COLUMNS
    assert (row["index"], row["true"], row["predicted"]) == (13, "T-shirt/top", "Trouser")
    assert [row["confidence"], row["loss"], row["margin"], row["probability_of_true"]] == pytest.approx([0.6, 1.203973, 0.3, 0.3], abs=1e-6)
    assert {type(value) for value in row.values()} == {int, str, float}
    assert rows(some(), torch.zeros(0, dtype=torch.int64)) == []


def test_the_csv_holds_the_rows_in_their_order():
    file, found = io.StringIO(), many()
    chosen = choose(found, "errors")
    write_csv(found, chosen, file)
    read = list(csv.DictReader(io.StringIO(file.getvalue())))
    assert [int(row["index"]) for row in read] == found.index[chosen].tolist()
    assert [row["true"] for row in read] == [CLASS_NAMES[truth] for truth in found.truth[chosen].tolist()]
    assert [float(row["loss"]) for row in read] == pytest.approx(found.loss[chosen].tolist(), abs=1e-6)


def test_no_cell_of_the_csv_is_a_formula():
    file = io.StringIO()
    sure = torch.tensor([[900.0, 0.0], [0.0, 900.0], [0.0, 0.0]])  # a loss of 0, one of 900, and no margin
    found = judge(sure, torch.tensor([0, 0, 0]))
    write_csv(found, choose(found, "all"), file)
    header, *lines = csv.reader(io.StringIO(file.getvalue()))
    assert tuple(header) == COLUMNS
    assert len(lines) == 3
    for cell in (cell for line in lines for cell in line):
        assert re.fullmatch(r"\d+(\.\d+)?", cell) or cell in CLASS_NAMES
    assert not any(name[0] in "=+-@\t\r" for name in CLASS_NAMES)
