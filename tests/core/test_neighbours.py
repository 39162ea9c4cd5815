"""The nearest images against brute force in float64, and in an order without luck."""

import time
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from fmnist import neighbours


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def brute_force(features: Tensor, query: Tensor, count: int) -> tuple[list[int], list[float]]:
    """One pair at a time, sorted by Python."""
    cosines = [float(torch.nn.functional.cosine_similarity(row.double(), query.double(), dim=0)) for row in features]
    order = sorted(range(len(cosines)), key=lambda index: (-cosines[index], index))[:count]
    return order, [cosines[index] for index in order]


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_the_nearest_are_those_of_brute_force(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(neighbours, "ROWS", 64)  # so that there are several chunks, the last one not full
    monkeypatch.setattr(neighbours, "QUERIES", 2)
    features, queries = random(300, 16).to(dtype), random(5, 16, seed=1)
    indices, similarity = neighbours.nearest(features, queries, 7)
    assert (indices.dtype, similarity.dtype) == (torch.int64, torch.float32)
    for query, found, cosines in zip(queries, indices, similarity, strict=True):
        order, exact = brute_force(features, query, 7)
        assert found.tolist() == order
        assert cosines.tolist() == pytest.approx(exact, abs=1e-6)


def test_by_hand():
    """Length does not count, only direction: the same, at right angles, opposite; and nothing is like nothing."""
    features = torch.tensor([[0.0, 3.0], [0.0, 0.0], [-2.0, 0.0], [5.0, 0.0], [1.0, 1.0]])
    indices, similarity = neighbours.nearest(features, torch.tensor([0.1, 0.0]))
    assert indices.tolist() == [3, 4, 0, 1, 2]
    assert similarity.tolist() == pytest.approx([1.0, 0.5**0.5, 0.0, 0.0, -1.0])


def test_equal_images_come_in_the_order_of_their_index(monkeypatch: pytest.MonkeyPatch):
    """The same row lies at odd and even places of several chunks, where a vectorised sum may round differently."""
    monkeypatch.setattr(neighbours, "ROWS", 101)
    features = random(1000, 130)
    twins = [3, 4, 100, 101, 207, 500, 998, 999]
    features[twins] = features[3].clone()
    indices, similarity = neighbours.nearest(features, features[3] + 0.1 * random(130, seed=2), len(twins))
    assert indices.tolist() == twins
    assert len(set(similarity.tolist())) == 1


def alike(seed: int) -> Tensor:
    """Features that differ by little more than single precision can tell, as those of one class of a well-trained network do."""
    return (random(512, seed=seed) + 2e-4 * random(3_000, 512, seed=seed + 1)).half()


def stretched(seed: int) -> Tensor:
    """The nearest have lengths whose squares single precision does not have, and some rows are nothing."""
    features = random(400, 32, seed=seed)
    features[:60] = (features[99] + 0.1 * features[:60]) * torch.logspace(-30, 30, 60)[:, None]
    features[100::7] = 0
    return features


@pytest.mark.parametrize("kind", [alike, stretched], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("seed", range(3))
def test_the_rough_look_before_loses_none_of_the_nearest(kind: Callable[[int], Tensor], seed: int):
    """Against the pass over everything in double precision, which many queries at once take."""
    features = kind(seed)
    query = features[99] + 0.01 * features[98]
    indices, similarity = neighbours.nearest(features, query, 61)
    [order], [exact] = neighbours.nearest(features, query[None], 61)
    assert indices.tolist() == order.tolist()
    assert similarity.tolist() == pytest.approx(exact.tolist(), abs=1e-7)


def test_there_are_never_more_than_there_are():
    assert neighbours.nearest(random(3, 4), random(4), 10)[0].shape == (3,)
    assert neighbours.nearest(random(3, 4), random(0, 4), 2)[0].shape == (0, 2)
    assert neighbours.nearest(random(0, 4), random(2, 4), 2)[1].shape == (2, 0)


def test_the_whole_training_split_is_searched_fast():
    features = random(60_000, 512).half()
    begun = time.perf_counter()
    indices, _ = neighbours.nearest(features, features[59_999])
    assert time.perf_counter() - begun < 3  # a tenth of a second on an idle core
    assert int(indices[0]) == 59_999
