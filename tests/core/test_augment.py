"""Augmentation against its definition: every output pixel comes from where the plan says."""

import torch
import torch.nn.functional as F

from fmnist import augment
from fmnist.config import TrainConfig
from fmnist.data import Split
from fmnist.models import MEAN, STD


def _images(count: int = 40) -> torch.Tensor:
    return torch.randint(1, 256, (count, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def _shown(config: TrainConfig, images: torch.Tensor, epoch: int = 0) -> tuple[augment.Plan, torch.Tensor]:
    plan = augment.plan(config, epoch, len(images))
    split = Split(images, torch.zeros(len(images), dtype=torch.int64))
    return plan, augment.batch(augment.stock(split, config), config, plan, slice(0, len(images)))


def test_without_augmentation_an_epoch_is_a_permutation_of_the_images():
    images = _images()
    plan, shown = _shown(TrainConfig(), images)
    assert sorted(plan.order.tolist()) == list(range(40))
    assert torch.equal(shown, images[plan.order])


def test_a_flip_mirrors_left_and_right_of_about_half_of_the_images():
    images = _images(400)
    plan, shown = _shown(TrainConfig(flip=True), images)
    for image, original, flipped in zip(shown, images[plan.order], plan.flip, strict=True):
        assert torch.equal(image, original.flip(1) if flipped else original)
    assert 150 < int(plan.flip.sum()) < 250


def test_a_shift_moves_the_image_and_leaves_black_behind():
    images = _images()
    plan, shown = _shown(TrainConfig(shift=3), images)
    for image, original, (down, right) in zip(shown, images[plan.order], plan.shift.tolist(), strict=True):
        wide = F.pad(original, [3] * 4)
        assert torch.equal(image, wide[down : down + 28, right : right + 28])
    assert set(plan.shift.flatten().tolist()) == set(range(7))


def test_flip_and_shift_together_flip_first():
    images = _images()
    plan, shown = _shown(TrainConfig(shift=2, flip=True), images)
    for image, original, (down, right), flipped in zip(shown, images[plan.order], plan.shift.tolist(), plan.flip, strict=True):
        wide = F.pad(original, [2] * 4)
        window = wide.flip(1) if flipped else wide
        left = right if not flipped else 4 - right  # the gather counts columns in the unflipped image
        assert torch.equal(image, window[down : down + 28, left : left + 28])


def test_erasing_blackens_one_rectangle_in_the_chosen_share():
    images = _images(400)
    plan, shown = _shown(TrainConfig(erase=0.3), images)
    covered = (shown == 0).sum(dim=(1, 2))
    sides = (plan.erase[:, 1] - plan.erase[:, 0]) * (plan.erase[:, 3] - plan.erase[:, 2])
    assert torch.equal(covered, sides)
    assert 80 < int((covered > 0).sum()) < 160
    assert int(covered[covered > 0].min()) >= 25
    assert int(covered.max()) <= 14 * 14


def test_the_randomness_of_an_epoch_depends_on_seed_and_epoch_alone():
    config = TrainConfig(flip=True, shift=2, erase=0.5, views=0.5, outliers=0.1)
    torch.manual_seed(1)
    first = augment.plan(config, 3, 100)
    torch.manual_seed(2)
    again = augment.plan(config, 3, 100)
    for mine, theirs in zip(vars(first).values(), vars(again).values(), strict=True):
        assert torch.equal(torch.as_tensor(mine), torch.as_tensor(theirs))
    assert not torch.equal(first.order, augment.plan(config, 4, 100).order)
    assert not torch.equal(first.order, augment.plan(config.model_copy(update={"seed": 1}), 3, 100).order)


def test_clean_epochs_at_the_end_see_the_images_as_they_are():
    config = TrainConfig(epochs=5, flip=True, shift=2, erase=0.5, views=0.3, outliers=0.2, clean_epochs=2)
    assert augment.plan(config, 2, 50).flip is not None
    images = _images()
    plan, shown = _shown(config, images, epoch=3)
    assert torch.equal(shown, images[plan.order])


def test_normalised_pictures_have_the_constants_of_the_training_set():
    pictures = augment.normalised(torch.full((2, 28, 28), 51, dtype=torch.uint8))
    assert pictures.shape == (2, 1, 28, 28)
    torch.testing.assert_close(pictures[0, 0, 0, 0], torch.tensor((0.2 - MEAN) / STD))


def test_the_first_batch_is_what_the_first_step_trains_on():
    config = TrainConfig(batch_size=8, train_size=100, validation_size=0, shift=2, views=0.5)
    split = Split(_images(100), torch.arange(100) % 10)
    images, labels = augment.first_batch(config, split)
    plan = augment.plan(config, 0, 100)
    assert torch.equal(images, augment.batch(augment.stock(split, config), config, plan, slice(0, 8)))
    assert torch.equal(labels, split.labels[plan.order[:8]])
