"""What was said after each epoch, and what can be read off it: learnt when, forgotten how often."""

import uuid
from pathlib import Path

import torch

from fmnist import history

RUN = uuid.UUID(int=7).hex
TRUTH = torch.tensor([3, 3, 3, 3, 3])
# Image:                  always, never, late, forgotten twice, lost at the end
GUESSES = torch.tensor([[3, 1, 1, 3, 3], [3, 1, 3, 1, 3], [3, 1, 3, 3, 3], [3, 1, 3, 1, 3], [3, 2, 3, 3, 0]], dtype=torch.uint8)


def test_an_image_is_learnt_at_the_epoch_from_which_it_stays_right():
    assert history.learnt(GUESSES, TRUTH).tolist() == [1, 0, 2, 5, 0]


def test_forgetting_is_being_right_and_then_wrong():
    assert history.forgotten(GUESSES, TRUTH).tolist() == [0, 0, 0, 2, 1]


def test_one_epoch_is_a_history_too():
    assert history.learnt(GUESSES[:1], TRUTH).tolist() == [1, 0, 0, 1, 1]
    assert history.forgotten(GUESSES[:1], TRUTH).tolist() == [0] * 5


def test_what_was_recorded_is_read_and_a_damaged_epoch_is_left_out(home: Path):
    logits = torch.randn(3, 50, 10, generator=torch.Generator().manual_seed(0))
    for epoch, scores in enumerate(logits, 1):
        history.record(RUN, epoch, scores)
    whole = history.read(RUN, [1, 2, 3])
    assert whole is not None
    assert whole.epochs == (1, 2, 3)
    assert torch.equal(whole.guesses.long(), logits.argmax(2))
    assert torch.allclose(whole.confidences / 255, logits.softmax(2).max(2).values, atol=1 / 255)

    (file,) = (home / "runs" / RUN / "history").glob("*2.safetensors")
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    assert file.stat().st_size < 600  # two bytes an image and a header
    left = history.read(RUN, [1, 2, 3])
    assert left is not None
    assert left.epochs == (1, 3)
    assert torch.equal(left.guesses, whole.guesses[[0, 2]])


def test_an_epoch_that_the_store_does_not_know_is_not_read(home: Path):
    history.record(RUN, 4, torch.eye(10))
    assert history.read(RUN, [1, 2, 3]) is None
