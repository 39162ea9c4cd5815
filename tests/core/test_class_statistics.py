"""What the images of a class look like together: by hand and against NumPy."""

import numpy as np
import pytest
import torch

from fmnist import class_statistics
from fmnist.data import Split


def split_of(images: torch.Tensor, labels: list[int]) -> Split:
    return Split(images.to(torch.uint8), torch.tensor(labels))


def test_two_images_by_hand():
    images = torch.zeros(2, 28, 28)
    images[0, 0, :] = 255  # one bright row in one of two images
    (only,) = class_statistics.describe(split_of(images, [6, 6]))
    assert (only.label, only.name, only.count) == (6, "Shirt", 2)
    assert only.mean_image[0].tolist() == [127.5] * 28
    assert only.spread_image[0].tolist() == [127.5] * 28
    assert float(only.mean_image[1:].sum() + only.spread_image[1:].sum()) == 0
    assert only.ink == pytest.approx(28 / (2 * 784))
    assert only.brightness[0] == pytest.approx(1 - only.ink)
    assert only.brightness[-1] == pytest.approx(only.ink)


def test_every_figure_equals_numpy():
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (2300, 28, 28), generator=generator, dtype=torch.uint8)
    labels = torch.randint(0, 2, (2300,), generator=generator)
    for found in class_statistics.describe(Split(images, labels)):
        theirs = images[labels == found.label].numpy()
        assert found.count == len(theirs)
        np.testing.assert_allclose(found.mean_image, theirs.mean(0), rtol=1e-6)
        np.testing.assert_allclose(found.spread_image, theirs.std(0), rtol=1e-5)
        assert (found.mean, found.spread) == pytest.approx((theirs.mean(), theirs.std()))
        assert found.ink == pytest.approx((theirs >= class_statistics.INK).mean())
        assert found.brightness == pytest.approx(np.histogram(theirs, bins=16, range=(0, 256))[0] / theirs.size)


def test_equal_images_have_no_spread():
    images = torch.full((50, 28, 28), 77)
    (only,) = class_statistics.describe(split_of(images, [0] * 50))
    assert float(only.spread_image.max()) == 0
    assert only.spread == pytest.approx(0, abs=1e-6)


def test_a_class_without_images_is_left_out():
    assert [found.label for found in class_statistics.describe(split_of(torch.zeros(2, 28, 28), [3, 9]))] == [3, 9]
