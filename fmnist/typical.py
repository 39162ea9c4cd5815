"""How typical each image is of its class: the distance of its features to the middle of the class."""

import torch
from torch import Tensor

RIDGE = 0.01  # of the mean variance, added to each direction: directions that hardly vary shall not decide alone
CHUNK = 4096  # rows in float64 at once


def distances(features: Tensor, labels: Tensor) -> Tensor:
    """The Mahalanobis distance of each image to the mean of its class, with the spread that the classes share.

    A plain distance would ask how far an image is in the directions in which its class varies anyway; this one asks how unusual it is.

    Args:
        features: float16 or float32 (N, F).
        labels: int64 (N,).

    Returns:
        float32 (N,): near sqrt(F) for a usual image, more for an odd one.

    Source: Lee et al., arXiv 1807.03888, equation 2.
    """
    if not len(features):
        return torch.zeros(0)
    means = _means(features, labels)  # (10, F)
    size = features.shape[1]
    scatter = torch.zeros(size, size, dtype=torch.float64)
    for some, label in zip(features.split(CHUNK), labels.split(CHUNK), strict=True):
        centred = some.double() - means[label]
        scatter += centred.T @ centred
    covariance = scatter / len(features)
    ridge = RIDGE * covariance.trace() / size + torch.finfo(torch.float64).eps
    whitening = torch.linalg.cholesky(covariance + ridge * torch.eye(size, dtype=torch.float64)).contiguous()
    parts = (
        torch.linalg.solve_triangular(whitening, (some.double() - means[label]).T, upper=False).norm(dim=0)
        for some, label in zip(features.split(CHUNK), labels.split(CHUNK), strict=True)
    )
    return torch.cat(list(parts)).float()


def _means(features: Tensor, labels: Tensor) -> Tensor:
    """float64 (C, F); zero for a label that nobody bears."""
    count = int(labels.max()) + 1
    sums = torch.zeros(count, features.shape[1], dtype=torch.float64)
    for some, label in zip(features.split(CHUNK), labels.split(CHUNK), strict=True):
        sums.index_add_(0, label, some.double())
    return sums / torch.bincount(labels, minlength=count).clamp(min=1)[:, None]


def ranked(distances: Tensor, labels: Tensor, label: int) -> Tensor:
    """The images of one class, the most typical first: int64 (M,)."""
    indices = (labels == label).nonzero()[:, 0]
    return indices[distances[indices].argsort(stable=True)]
