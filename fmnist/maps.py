"""Features in two dimensions: the principal components at once, t-SNE in a process of its own, `python -m fmnist.maps`."""

import contextlib
import io
import re
import sys

import torch
from torch import Tensor

from fmnist import computation
from fmnist.computation import Computation, Tell
from fmnist.outputs import Outputs, about
from fmnist.prediction import Model

FEWEST, USUAL, MOST = 1_000, 3_000, 10_000  # images on a map
SEED = 0
DIMENSIONS = 50  # what t-SNE sees of the features, as its authors advise
ITERATIONS = 1_000
PERPLEXITY = 30.0
SECONDS_FOR_USUAL = 12.0  # t-SNE of USUAL images on two cores, with the start of the process


def sample(available: int, count: int) -> Tensor:
    """Which images are on the map: int64 (min(count, available),), the same at each call, in rising order."""
    order = torch.randperm(available, generator=torch.Generator().manual_seed(SEED))
    return order[:count].sort().values


def principal(features: Tensor, dimensions: int = 2) -> tuple[Tensor, Tensor]:
    """The directions in which the features vary most, and how much of all their variance each has.

    Computed from the covariance in float64, so the same features give the same map; the sign of a direction is the one in which its
    largest part is positive.

    Args:
        features: float16 or float32 (N, F), N > 0.
        dimensions: how many; F if there are fewer.

    Returns:
        coordinates: float32 (N, dimensions), mean 0.
        shares: float32 (dimensions,), 0-1, falling; 0 where nothing varies.
    """
    centred = features.double() - features.double().mean(0)
    values, vectors = torch.linalg.eigh(centred.T @ centred)  # rising
    values, vectors = values.flip(0)[:dimensions].clamp(min=0), vectors.flip(1)[:, :dimensions]
    largest = vectors.gather(0, vectors.abs().argmax(0, keepdim=True))
    total = centred.square().sum().clamp(min=torch.finfo(torch.float64).tiny)
    return (centred @ (vectors * largest.sign())).float(), (values / total).float()


def tsne(features: Tensor, tell: Tell = lambda share, step: None) -> Tensor:
    """Neighbours beside each other: float16 or float32 (N, F) -> float32 (N, 2), N > 3. Distances between groups mean little.

    Source: van der Maaten and Hinton, Visualizing Data using t-SNE (2008); scikit-learn's Barnes-Hut.
    """
    from sklearn.manifold import TSNE

    reduced, _ = principal(features, DIMENSIONS)
    perplexity = min(PERPLEXITY, (len(features) - 1) / 3)
    method = TSNE(perplexity=perplexity, init="pca", max_iter=ITERATIONS, random_state=SEED, verbose=2)
    with contextlib.redirect_stdout(_Listener(tell)):
        return torch.from_numpy(method.fit_transform(reduced.numpy())).float()


class _Listener(io.TextIOBase):
    """Reads the iteration out of what scikit-learn prints while it works."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell

    def write(self, text: str) -> int:
        if found := re.search(r"Iteration (\d+):", text):
            self._tell(int(found[1]) / ITERATIONS, f"Iteration {int(found[1]):,} of {ITERATIONS:,}")
        elif "nearest neighbors" in text:
            self._tell(0.0, "Looking for neighbours")
        return len(text)


def expected_seconds(count: int) -> float:
    """About how long t-SNE takes for so many images; measured on two cores."""
    return SECONDS_FOR_USUAL * count / USUAL


def tsne_of(model: Model, outputs: Outputs, count: int) -> Computation:
    """The t-SNE map of `sample(len(outputs), count)`; its result is {"coordinates": float32 (count, 2)}, its input {"features"}."""
    origin = {**about(model, outputs.split), "map": "t-SNE 1", "count": str(count)}
    return Computation("fmnist.maps", model.folder / f"{model.sha256[:16]}-{outputs.split}-tsne-{count}.safetensors", origin)


def _compute(inputs: dict[str, Tensor], tell: Tell) -> dict[str, Tensor]:
    return {"coordinates": tsne(inputs["features"], tell)}


if __name__ == "__main__":
    sys.exit(computation.main(_compute))
