"""Images that are there twice, or nearly: inside the splits and between them. `python -m fmnist.duplicates` is the process that looks.

Every image is compared with every other one, by the likeness of their pixels or of what a network makes of them. Pixels find the same
picture; features find what the network cannot tell apart, which for a trained one is half of a class.
"""

import hashlib
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, islice

import torch
import torch.nn.functional as F
from torch import Tensor

from fmnist import computation
from fmnist.archives import ARCHIVES
from fmnist.computation import Computation, Tell
from fmnist.data import Dataset
from fmnist.home import runs_folder
from fmnist.outputs import Outputs
from fmnist.prediction import Model

LIMIT = 2_000  # pairs that are kept, the most alike ones
AT_LEAST = 0.95  # likeness of a pair worth keeping
BLOCK = 2_048  # images compared at once: the numbers in work are 16 MB
SHORT = 128  # numbers that stand for a vector in the first look
ROUNDING = 1e-5  # more than float32 loses in a product of unit vectors


@dataclass(frozen=True)
class Pairs:
    """Pairs of images that are alike, the most alike first; M pairs. An image's place counts the training split, then the test split."""

    first: Tensor  # int64 (M,)
    second: Tensor  # int64 (M,), greater than `first`
    likeness: Tensor  # float32 (M,): the cosine, at most 1
    exact: Tensor  # bool (M,): whether every byte is equal

    def __len__(self) -> int:
        return len(self.first)


def pixels_of(images: Tensor) -> Tensor:
    """What two images are compared by: uint8 (N, 28, 28) -> float32 (N, 784), mean 0 and length 1, so that a cosine is the
    correlation of the pixels and a brighter copy is a copy. An image of one grey has no direction: all zero."""
    found = torch.empty(len(images), images[0].numel())
    for chunk, target in zip(images.flatten(1).split(BLOCK), found.split(BLOCK), strict=True):
        grey = chunk.float()
        target[:] = F.normalize(grey - grey.mean(1, keepdim=True))
    return found


def features_of(features: Tensor) -> Tensor:
    """float16 or float32 (N, F) -> float32 (N, F) of length 1; zero stays zero."""
    return torch.cat([F.normalize(chunk.float()) for chunk in features.split(BLOCK)])


def find(vectors: Tensor, images: Tensor, tell: Tell = lambda share, step: None, limit: int = LIMIT) -> Pairs:
    """The `limit` most alike pairs, those with equal bytes first; copies of copies are pairs too.

    Args:
        vectors: float32 (N, F) of length 1 or 0, from `pixels_of` or `features_of`.
        images: uint8 (N, 28, 28).

    Source: compared with brute force in test_duplicates.py.
    """
    search, bounds = _Search(vectors, limit), _shortened(vectors)
    starts = [(a, b) for a in range(0, len(vectors), BLOCK) for b in range(a, len(vectors), BLOCK)]
    for done, (a, b) in enumerate(starts):
        search.look(bounds[a : a + BLOCK] @ bounds[b : b + BLOCK].T, a, b)
        tell((done + 1) / len(starts), f"{len(vectors):,} images, each with each")
    exact = torch.tensor(list(islice(_copies(images), limit)), dtype=torch.int64).view(-1, 2)
    pairs = torch.cat([exact, search.best()]).unique(dim=0)  # in the order of their places
    same = (images[pairs[:, 0]] == images[pairs[:, 1]]).flatten(1).all(1)
    likeness = torch.where(same, 1.0, _likeness(vectors, pairs).clamp(-1, 1))
    order = torch.where(same, 2.0, likeness).argsort(descending=True, stable=True)[:limit]
    return Pairs(pairs[order, 0], pairs[order, 1], likeness[order].float(), same[order])


def _shortened(vectors: Tensor) -> Tensor:
    """Vectors of SHORT numbers whose products are never below those of the long ones, and seldom far above: float32 (N, SHORT).

    What lies in the SHORT - 1 main directions is kept as it is; of what lies across only the length is kept, and the product of two
    such parts is at most the product of their lengths (Cauchy and Schwarz). So a pair that is not alike enough here need not be
    compared in full, which saves most of the work.
    """
    some = vectors[:: max(1, len(vectors) // 5_000)].double()
    directions = torch.linalg.eigh(some.T @ some).eigenvectors.flip(1)[:, : SHORT - 1].float()
    found = torch.empty(len(vectors), directions.shape[1] + 1)
    for chunk, target in zip(vectors.split(BLOCK), found.split(BLOCK), strict=True):
        target[:, :-1] = chunk @ directions
        across = chunk.square().sum(1) - target[:, :-1].square().sum(1)
        target[:, -1] = across.clamp(min=0).sqrt()
    return found


class _Search:
    """The most alike pairs so far, and how alike a pair must be to become one of them."""

    def __init__(self, vectors: Tensor, limit: int) -> None:
        self._vectors, self._limit, self._bar = vectors, limit, AT_LEAST
        self._pairs = torch.zeros(0, 2, dtype=torch.int64)
        self._likeness = torch.zeros(0, dtype=torch.float64)

    def look(self, bounds: Tensor, a: int, b: int) -> None:
        """Take what is good enough of a block.

        Args:
            bounds: float32 (A, B), at least the likeness of each pair.
            a, b: the places of the first row and of the first column.
        """
        places = _at_least(bounds, self._bar - ROUNDING)
        if len(places) > bounds.numel() // 50:  # so many that a matrix product is faster than one by one
            places = _at_least(self._vectors[a : a + BLOCK] @ self._vectors[b : b + BLOCK].T, self._bar - ROUNDING)
        pairs = places + torch.tensor([a, b])
        pairs = pairs[pairs[:, 0] < pairs[:, 1]]
        likeness = _likeness(self._vectors, pairs)
        good = likeness >= self._bar
        self._pairs, self._likeness = torch.cat([self._pairs, pairs[good]]), torch.cat([self._likeness, likeness[good]])
        if len(self._pairs) > 4 * self._limit:
            self._shrink()

    def best(self) -> Tensor:
        """int64 (M, 2), M at most the limit."""
        self._shrink()
        return self._pairs

    def _shrink(self) -> None:
        order = self._likeness.argsort(descending=True, stable=True)[: self._limit]
        self._pairs, self._likeness = self._pairs[order], self._likeness[order]
        if len(order) == self._limit:
            self._bar = float(self._likeness[-1])


def _at_least(block: Tensor, bar: float) -> Tensor:
    """Where a block reaches the bar, int64 (M, 2). Rows that do not are passed over first: that is ten times as fast."""
    rows = (block.amax(1) >= bar).nonzero()[:, 0]
    places = (block[rows] >= bar).nonzero()
    return torch.stack([rows[places[:, 0]], places[:, 1]], 1)


def _copies(images: Tensor) -> Iterator[tuple[int, int]]:
    """Pairs of images with equal bytes."""
    same: defaultdict[bytes, list[int]] = defaultdict(list)
    for index, image in enumerate(images.numpy()):
        same[hashlib.blake2b(image.tobytes(), digest_size=16).digest()].append(index)
    for group in same.values():
        yield from combinations(group, 2)


def _likeness(vectors: Tensor, pairs: Tensor) -> Tensor:
    """The cosine of each pair, float64 (M,): the same number wherever a pair stands."""
    parts = [(vectors[some[:, 0]].double() * vectors[some[:, 1]].double()).sum(1) for some in pairs.split(BLOCK)]
    return torch.cat(parts) if parts else torch.zeros(0, dtype=torch.float64)


def by_pixels() -> Computation:
    """The search over both splits by pixels, which needs no model. Its input is from `inputs`, its result is for `Pairs(**result)`."""
    about = {"duplicates": "pixels 1", "limit": str(LIMIT), **_both_splits()}
    return Computation("fmnist.duplicates", runs_folder() / "dataset" / "duplicates.safetensors", about)


def by_features(model: Model) -> Computation:
    """The search over both splits by a model's features; input and result as in `by_pixels`."""
    about = {"duplicates": "features 1", "limit": str(LIMIT), "model": model.sha256, **_both_splits()}
    return Computation("fmnist.duplicates", model.folder / f"{model.sha256[:16]}-duplicates.safetensors", about)


def inputs(dataset: Dataset, train: Outputs | None = None, test: Outputs | None = None) -> dict[str, Tensor]:
    """What a search reads: both splits one after the other, and their features if it is to go by them."""
    found = {"images": torch.cat([dataset.train.images, dataset.test.images])}
    return found | ({"features": torch.cat([train.features, test.features])} if train and test else {})


def _both_splits() -> dict[str, str]:
    return {name: ARCHIVES[name].sha256 for name in ("train images", "test images")}


def _compute(inputs: dict[str, Tensor], tell: Tell) -> dict[str, Tensor]:
    images = inputs["images"]
    return vars(find(features_of(inputs["features"]) if "features" in inputs else pixels_of(images), images, tell))


if __name__ == "__main__":
    sys.exit(computation.main(_compute))
