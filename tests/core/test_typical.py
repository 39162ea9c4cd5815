"""Typical images by construction, and the distance against NumPy."""

import numpy as np
import torch

from fmnist import typical


def test_the_image_in_the_middle_is_most_typical_and_the_one_far_away_least():
    generator = torch.Generator().manual_seed(0)
    features, labels = torch.randn(400, 8, generator=generator), torch.arange(400) % 2
    features[labels == 1] += 20
    features[10] = features[labels == 0].mean(0)
    features[20] = 9.0
    order = typical.ranked(typical.distances(features, labels), labels, 0)
    assert order[0] == 10
    assert order[-1] == 20
    assert sorted(order.tolist()) == list(range(0, 400, 2))


def test_an_odd_image_is_found_in_a_direction_in_which_its_class_hardly_varies():
    """By plain distance it is one of the nearest to the mean: every other one is further away, in the direction that varies."""
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(500, 3, generator=generator) * torch.tensor([10.0, 10.0, 0.5])
    features[7] = torch.tensor([0.0, 0.0, 9.0])
    plain = (features - features.mean(0)).norm(dim=1)
    assert plain[7] < plain.median()
    assert typical.ranked(typical.distances(features, torch.zeros(500, dtype=torch.int64)), torch.zeros(500), 0)[-1] == 7


def test_the_distance_equals_numpy():
    generator = torch.Generator().manual_seed(0)
    features, labels = torch.randn(6000, 12, generator=generator), torch.randint(0, 3, (6000,), generator=generator)
    features @= torch.randn(12, 12, generator=generator)
    centred = np.concatenate([features[labels == label].double() - features[labels == label].double().mean(0) for label in range(3)])
    covariance = centred.T @ centred / len(centred)
    covariance += typical.RIDGE * np.trace(covariance) / 12 * np.eye(12)
    theirs = np.sqrt(np.einsum("ni,ij,nj->n", centred, np.linalg.inv(covariance), centred))
    mine = typical.distances(features, labels)
    torch.testing.assert_close(torch.cat([mine[labels == label] for label in range(3)]), torch.from_numpy(theirs).float())


def test_features_that_never_vary_are_no_trouble():
    features = torch.zeros(50, 6, dtype=torch.float16)
    features[:, 0] = torch.arange(50)
    found = typical.distances(features, torch.zeros(50, dtype=torch.int64))
    assert found.isfinite().all()
    assert found.argmax() in (0, 49)
    assert typical.distances(torch.ones(3, 4), torch.zeros(3, dtype=torch.int64)).tolist() == [0, 0, 0]
    assert typical.distances(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64)).shape == (0,)
