"""Images whose label is doubtful, by what a model says of them.

In the manner of confident learning (Northcutt, Jiang and Chuang, arXiv 1911.00068): an image is doubtful if another class than its label
reaches that class's threshold, which is the mean probability of the class among the images that bear its label. What the model
was trained on with these labels it doubts less, so those images have thresholds of their own.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from fmnist.config import TrainConfig
from fmnist.data import Split, hold_out
from fmnist.models import NUM_CLASSES


@dataclass(frozen=True)
class Suspects:
    """Doubtful labels, the most doubtful first; M images."""

    indices: Tensor  # int64 (M,): which of the images that were looked at
    labels: Tensor  # int64 (M,): what they are said to be
    suggested: Tensor  # int64 (M,): what the model takes them for
    own: Tensor  # float32 (M,): the probability of the label, 0-1
    other: Tensor  # float32 (M,): the probability of the suggestion, 0-1
    seen: Tensor  # bool (M,): whether the model was trained on the image, so that it had a chance to learn the label by heart

    def __len__(self) -> int:
        return len(self.indices)


def find(logits: Tensor, labels: Tensor, seen: Tensor) -> Suspects:
    """The images whose label a model confidently denies, by the margin between label and suggestion.

    Args:
        logits: float32 (N, 10).
        labels: int64 (N,).
        seen: bool (N,): which images the model was trained on, see `seen_by`.
    """
    probabilities = logits.softmax(1)
    everyone = torch.arange(len(labels))
    confident = probabilities >= _thresholds(probabilities, labels, seen)
    suggested = torch.where(confident, probabilities, -1.0).argmax(1)
    own, other = probabilities[everyone, labels], probabilities[everyone, suggested]
    doubtful = confident.any(1) & (suggested != labels) & (other > own)
    indices = doubtful.nonzero()[:, 0]
    indices = indices[(own - other)[indices].argsort(stable=True)]
    return Suspects(indices, *(values[indices] for values in (labels, suggested, own, other, seen)))


def _thresholds(probabilities: Tensor, labels: Tensor, seen: Tensor) -> Tensor:
    """The threshold of each class for each image, float32 (N, 10); no probability reaches that of a class that nobody bears."""
    found = torch.full((2, NUM_CLASSES), torch.inf)
    for group in (0, 1):
        for label in range(NUM_CLASSES):
            bearers = (seen == bool(group)) & (labels == label)
            if bearers.any():
                found[group, label] = probabilities[bearers, label].mean()
    return found[seen.long()]


def seen_by(config: TrainConfig, count: int) -> Tensor:
    """Which of the training split's `count` images a run was trained on: bool (count,). The others are out of its sample."""
    numbers = torch.arange(count)
    trained_on, _ = hold_out(Split(numbers, numbers), config)
    seen = torch.zeros(count, dtype=torch.bool)
    seen[trained_on.labels] = True
    return seen
