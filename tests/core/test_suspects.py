"""Doubtful labels: planted ones are found, by hand and among thousands."""

import os
import subprocess
import sys

import pytest
import torch
from torch import Tensor

from fmnist import suspects
from fmnist.config import TrainConfig
from fmnist.data import Split, hold_out


def logits_of(rows: list[dict[int, float]]) -> torch.Tensor:
    """Logits with these probabilities; what is left is shared by the other classes."""
    found = torch.zeros(len(rows), 10)
    for row, said in zip(found, rows, strict=True):
        row += (1 - sum(said.values())) / (10 - len(said))
        row[list(said)] = torch.tensor(list(said.values()))
    return found.log()


def test_thresholds_and_order_by_hand():
    """Class 0 has the threshold (0.9 + 0.7 + 0.1 + 0.2) / 4 = 0.475, class 1 has (0.8 + 0.6) / 2 = 0.7.

    Image 2 is taken for a 1 with 0.85, image 3 with 0.75: both reach 0.7. Image 4 is taken for another class with only 0.6: not enough.
    """
    logits = logits_of([{0: 0.9}, {0: 0.7}, {0: 0.2, 1: 0.75}, {0: 0.1, 1: 0.85}, {1: 0.8}, {1: 0.6}])
    found = suspects.find(logits, torch.tensor([0, 0, 0, 0, 1, 1]), torch.zeros(6, dtype=torch.bool))
    assert found.indices.tolist() == [3, 2]
    assert found.labels.tolist() == [0, 0]
    assert found.suggested.tolist() == [1, 1]
    torch.testing.assert_close(found.own, torch.tensor([0.1, 0.2]))
    torch.testing.assert_close(found.other, torch.tensor([0.85, 0.75]))


def test_a_guess_below_the_threshold_of_its_class_is_no_suspicion():
    logits = logits_of([{0: 0.9}, {0: 0.3, 1: 0.6}, {1: 0.8}])
    assert len(suspects.find(logits, torch.tensor([0, 0, 1]), torch.zeros(3, dtype=torch.bool))) == 0


def test_images_that_were_trained_on_do_not_raise_the_threshold_of_the_others():
    """0.7 for class 1 is a lot among images that the model has never seen, and little among those that it knows by heart."""
    rows, labels = [{1: 0.99}, {1: 0.99}, {0: 0.2, 1: 0.7}, {0: 0.2, 1: 0.7}, {1: 0.6}], torch.tensor([1, 1, 0, 0, 1])
    seen = torch.tensor([True, True, True, False, False])
    found = suspects.find(logits_of(rows), labels, seen)
    assert found.indices.tolist() == [3]
    assert found.seen.tolist() == [False]


@pytest.fixture(scope="module")
def clouds() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What a classifier of ten Gaussian clouds says of 3,000 images, their labels, what they are, and which 60 of the labels are wrong."""
    generator = torch.Generator().manual_seed(0)
    truth = torch.randint(0, 10, (3000,), generator=generator)
    logits = torch.randn(3000, 10, generator=generator) + 6 * torch.eye(10)[truth]
    labels, planted = truth.clone(), torch.randperm(3000, generator=generator)[:60]
    labels[planted] = (labels[planted] + torch.randint(1, 10, (60,), generator=generator)) % 10
    return logits, labels, truth, planted


@pytest.mark.parametrize("find", [suspects.find, suspects.find_by_cleanlab])
def test_planted_wrong_labels_are_found(find, clouds):
    logits, labels, truth, planted = clouds
    found = find(logits, labels, torch.zeros(3000, dtype=torch.bool))
    right = set(found.indices.tolist()) & set(planted.tolist())
    assert len(right) >= 45  # three of four
    assert set(found.indices[:40].tolist()) <= set(planted.tolist())  # and the most doubtful are wrong without exception
    assert (found.suggested == truth[found.indices]).double().mean() > 0.9
    assert (found.own - found.other).diff().min() >= 0
    torch.testing.assert_close(found.own, logits.softmax(1)[found.indices, found.labels])
    torch.testing.assert_close(found.other, logits.softmax(1)[found.indices, found.suggested])


def test_cleanlab_judges_what_was_trained_on_apart_from_the_rest(clouds):
    logits, labels, _, planted = clouds
    seen = torch.arange(3000) < 2000
    alone = suspects.find_by_cleanlab(logits[2000:], labels[2000:], torch.zeros(1000, dtype=torch.bool))
    by_heart = torch.where(
        seen[:, None], 20 * torch.eye(10)[labels], logits
    )  # it says of each image that it was trained on what its label says
    found = suspects.find_by_cleanlab(by_heart, labels, seen)
    assert found.indices.tolist() == (alone.indices + 2000).tolist()
    assert not found.seen.any()
    assert len(set(found.indices.tolist()) & set(planted.tolist())) > 10


def test_cleanlab_names_nobody_where_a_class_is_nearly_missing():
    for count in (0, 1, 10):
        found = suspects.find_by_cleanlab(torch.randn(count, 10), torch.arange(count), torch.zeros(count, dtype=torch.bool))
        assert len(found) == 0


def test_without_cleanlab_one_sentence_says_how_to_get_it():
    code = (
        "import sys; sys.modules['cleanlab'] = None\n"
        "import torch; from fmnist import suspects; from fmnist.errors import FmnistError\n"
        "assert not suspects.has_cleanlab()\n"
        "try: suspects.find_by_cleanlab(torch.zeros(20, 10), torch.arange(20) % 10, torch.zeros(20, dtype=torch.bool))\n"
        "except FmnistError as error: print(error)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ))
    assert said.stdout.strip() == suspects.NO_CLEANLAB
    assert "pip install -r requirements-suspects.txt" in said.stdout


def test_nobody_is_suspected_where_all_is_right_or_nothing_is_there():
    sure = 20 * torch.eye(10)
    assert len(suspects.find(sure, torch.arange(10), torch.ones(10, dtype=torch.bool))) == 0
    assert len(suspects.find(torch.zeros(0, 10), torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=torch.bool))) == 0


def test_seen_are_exactly_the_images_that_a_run_trains_on():
    config = TrainConfig(train_size=700, validation_size=100)
    numbers = torch.arange(1000)
    trained, held_out = hold_out(Split(numbers, numbers), config)
    seen = suspects.seen_by(config, 1000)
    assert sorted(seen.nonzero()[:, 0].tolist()) == sorted(trained.labels.tolist())
    assert not seen[held_out.labels].any()
    assert int(seen.sum()) == 600
