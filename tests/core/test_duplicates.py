"""Pairs of images that are alike: planted ones, and all of them against brute force."""

import time
from pathlib import Path

import numpy as np
import pytest
import torch

from fmnist import duplicates
from fmnist.computation import Computation


@pytest.fixture
def images() -> torch.Tensor:
    """300 images of blobs and noise: some are a little alike, none is a copy."""
    generator = torch.Generator().manual_seed(0)
    shapes = torch.rand(12, 28, 28, generator=generator).mul(255)[torch.randint(0, 12, (300,), generator=generator)]
    return (0.85 * shapes + 0.15 * torch.rand(300, 28, 28, generator=generator) * 255).to(torch.uint8)


@pytest.fixture(params=["small blocks", "one block"])
def _blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With small blocks some are on the diagonal, some are not, and the last ones are cut off; with short bounds most pairs must be
    compared in full."""
    if request.param == "small blocks":
        monkeypatch.setattr(duplicates, "BLOCK", 64)
        monkeypatch.setattr(duplicates, "SHORT", 6)


def brute_force(vectors: torch.Tensor) -> list[tuple[float, int, int]]:
    """Every pair above the bar, the most alike first."""
    likeness = vectors.double() @ vectors.double().T
    pairs = torch.triu_indices(len(vectors), len(vectors), offset=1).T.tolist()
    return sorted(((-float(likeness[a, b]), a, b) for a, b in pairs if likeness[a, b] >= duplicates.AT_LEAST))


@pytest.mark.usefixtures("_blocks")
@pytest.mark.parametrize("limit", [20, 10_000])
@pytest.mark.parametrize("by", ["pixels", "features", "few features"])
def test_the_most_alike_pairs_equal_brute_force(images: torch.Tensor, by: str, limit: int) -> None:
    features = images.flatten(1)[:, ::3].half() if by == "features" else images.flatten(1)[:, 300:304].half()
    vectors = duplicates.pixels_of(images) if by == "pixels" else duplicates.features_of(features)
    found = duplicates.find(vectors, images, limit=limit)
    theirs = brute_force(vectors)[:limit]
    assert len(found) == len(theirs) > 10
    assert list(zip(found.first.tolist(), found.second.tolist(), strict=True)) == [(a, b) for _, a, b in theirs]
    torch.testing.assert_close(found.likeness.double(), torch.tensor([-score for score, _, _ in theirs], dtype=torch.float64))
    assert not found.exact.any()


def test_by_pixels_is_the_correlation_of_the_pixels(images: torch.Tensor) -> None:
    vectors = duplicates.pixels_of(images[:20])
    np.testing.assert_allclose(vectors @ vectors.T, np.corrcoef(images[:20].flatten(1).double().numpy()), atol=1e-6)


@pytest.mark.usefixtures("_blocks")
def test_planted_copies_come_first_then_the_nearly_equal_ones(images: torch.Tensor) -> None:
    images[250] = images[3]
    images[40], images[299] = images[10], images[10]  # three of a kind are three pairs
    images[77] = (images[200].float() * 0.6 + 20).to(torch.uint8)  # a darker copy with less contrast
    images[120] = images[121]
    images[120, 5, 5] ^= 32  # one pixel is another
    found = duplicates.find(duplicates.pixels_of(images), images)
    pairs = list(zip(found.first.tolist(), found.second.tolist(), strict=True))
    assert pairs[:4] == [(3, 250), (10, 40), (10, 299), (40, 299)]
    assert found.exact.tolist()[:5] == [True] * 4 + [False]
    assert found.likeness[:4].tolist() == [1.0] * 4
    assert set(pairs[4:6]) == {(77, 200), (120, 121)}
    assert float(found.likeness.diff().max()) <= 0


def test_images_of_one_grey_are_alike_only_if_they_are_equal() -> None:
    """They have no direction, so nothing can be said of their likeness; but bytes are bytes."""
    images = torch.zeros(4, 28, 28, dtype=torch.uint8)
    images[2] = 9
    found = duplicates.find(duplicates.pixels_of(images), images)
    assert list(zip(found.first.tolist(), found.second.tolist(), strict=True)) == [(0, 1), (0, 3), (1, 3)]
    assert found.exact.all()


def test_more_copies_than_the_limit_are_cut_off_in_order() -> None:
    found = duplicates.find(torch.zeros(30, 4), torch.zeros(30, 28, 28, dtype=torch.uint8), limit=5)
    assert list(zip(found.first.tolist(), found.second.tolist(), strict=True)) == [(0, at) for at in range(1, 6)]


def test_nothing_alike_and_nothing_at_all_give_no_pairs() -> None:
    assert len(duplicates.find(torch.eye(8), torch.arange(8 * 784).view(8, 28, 28).to(torch.uint8))) == 0
    assert len(duplicates.find(torch.zeros(1, 4), torch.zeros(1, 28, 28, dtype=torch.uint8))) == 0


def test_the_progress_rises_to_the_whole(images: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "BLOCK", 64)
    shares: list[float] = []
    duplicates.find(duplicates.pixels_of(images), images, lambda share, _: shares.append(share))
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_the_process_finds_what_the_function_finds(images: torch.Tensor, tmp_path: Path) -> None:
    images[250] = images[3]
    search = Computation("fmnist.duplicates", tmp_path / "pairs.safetensors", {"of": "a test"})
    search.begin({"images": images})
    while search.progress():
        time.sleep(0.05)
    kept = search.result()
    assert kept is not None, search.error
    found = duplicates.Pairs(**kept)
    here = duplicates.find(duplicates.pixels_of(images), images)
    assert all(torch.equal(kept[name], value) for name, value in vars(here).items())
    assert (int(found.first[0]), int(found.second[0]), bool(found.exact[0])) == (3, 250, True)
