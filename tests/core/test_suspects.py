"""Doubtful labels: planted ones are found, by hand and among thousands."""

import torch

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


def test_planted_wrong_labels_are_found():
    """A classifier of ten Gaussian clouds; 60 of 3,000 labels are wrong."""
    generator = torch.Generator().manual_seed(0)
    truth = torch.randint(0, 10, (3000,), generator=generator)
    logits = torch.randn(3000, 10, generator=generator) + 6 * torch.eye(10)[truth]
    labels, planted = truth.clone(), torch.randperm(3000, generator=generator)[:60]
    labels[planted] = (labels[planted] + torch.randint(1, 10, (60,), generator=generator)) % 10
    found = suspects.find(logits, labels, torch.zeros(3000, dtype=torch.bool))
    right = set(found.indices.tolist()) & set(planted.tolist())
    assert len(right) >= 45  # three of four
    assert set(found.indices[:40].tolist()) <= set(planted.tolist())  # and the most doubtful are wrong without exception
    assert (found.suggested == truth[found.indices]).double().mean() > 0.9
    assert (found.own - found.other).diff().min() >= 0


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
