"""Features in two dimensions: principal components by hand and against scikit-learn, t-SNE by what it must keep together."""

import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness

from fmnist import maps


def clouds(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Three groups far apart in 16 dimensions: float16 (count, 16) and the group of each."""
    generator = torch.Generator().manual_seed(0)
    groups = torch.randint(0, 3, (count,), generator=generator)
    return (torch.randn(count, 16, generator=generator) + 12 * torch.eye(16)[groups]).half(), groups


def test_points_on_a_line_have_one_direction():
    """(0, 0), (3, 4), (6, 8): all variance along (0.6, 0.8), so the coordinates are -5, 0, 5 and then nothing."""
    coordinates, shares = maps.principal(torch.tensor([[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]]))
    torch.testing.assert_close(coordinates, torch.tensor([[-5.0, 0.0], [0.0, 0.0], [5.0, 0.0]]), atol=1e-5, rtol=0)
    torch.testing.assert_close(shares, torch.tensor([1.0, 0.0]))


@pytest.mark.parametrize("dimensions", [2, 7, 50])
def test_principal_components_equal_scikit_learn_up_to_their_sign(dimensions: int):
    features, _ = clouds(200)
    features = features * torch.arange(1, 17)  # no two directions alike
    theirs = PCA(min(dimensions, 16), svd_solver="full").fit(features.double().numpy())
    coordinates, shares = maps.principal(features, dimensions)
    expected = torch.from_numpy(theirs.transform(features.double().numpy())).float()
    torch.testing.assert_close(coordinates.abs(), expected.abs(), rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(shares, torch.from_numpy(theirs.explained_variance_ratio_).float())


def test_the_sign_of_a_direction_does_not_depend_on_luck():
    features = clouds(200)[0] * torch.arange(1, 17)
    coordinates, _ = maps.principal(features, 16)
    directions = (features.double() - features.double().mean(0)).T @ coordinates.double()  # up to their lengths
    assert (directions.gather(0, directions.abs().argmax(0, keepdim=True)) > 0).all()


def test_features_that_never_vary_lie_in_the_middle():
    coordinates, shares = maps.principal(torch.full((5, 4), 3.0))
    assert coordinates.tolist() == [[0, 0]] * 5
    assert shares.tolist() == [0, 0]


def test_a_sample_is_the_same_at_each_call_and_has_no_image_twice():
    chosen = maps.sample(10_000, 3_000)
    assert torch.equal(chosen, maps.sample(10_000, 3_000))
    assert len(chosen) == len(set(chosen.tolist())) == 3_000
    assert chosen.tolist() == sorted(chosen.tolist())
    assert maps.sample(500, 3_000).tolist() == list(range(500))
    assert set(chosen.tolist()) < set(maps.sample(10_000, 4_000).tolist())  # a larger map has what the smaller one has


def test_tsne_keeps_neighbours_and_says_how_far_it_is():
    features, groups = clouds(150)
    said: list[tuple[float, str]] = []
    coordinates = maps.tsne(features, lambda share, step: said.append((share, step)))
    assert coordinates.shape == (150, 2)
    assert trustworthiness(features.float().numpy(), coordinates.numpy(), n_neighbors=5) > 0.9
    distance = torch.cdist(coordinates, coordinates).fill_diagonal_(torch.inf)
    assert (groups[distance.argmin(1)] == groups).all()
    assert said[-1] == (1.0, "Iteration 1,000 of 1,000")
    assert [share for share, _ in said] == sorted(share for share, _ in said)
    assert len(said) >= 20
    assert torch.equal(coordinates, maps.tsne(features))  # the same seed, the same map


def test_a_map_of_very_few_images_is_drawn_too():
    assert maps.tsne(torch.randn(5, 3, generator=torch.Generator().manual_seed(0))).isfinite().all()


def test_more_images_are_expected_to_take_longer():
    assert maps.expected_seconds(1_000) < maps.expected_seconds(3_000) < maps.expected_seconds(10_000)
