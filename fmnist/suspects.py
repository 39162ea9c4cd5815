"""Images whose label is doubtful, by what a model says of them.

In the manner of confident learning (Northcutt, Jiang and Chuang, arXiv 1911.00068): an image is doubtful if another class than its label
reaches that class's threshold, which is the mean probability of the class among the images that bear its label. What the model
was trained on with these labels it doubts less, so those images have thresholds of their own.

The same authors' package cleanlab is an extra and a second opinion: docs/decisions/0008-cleanlab-extra.md.
"""

import importlib.util
import threading
from dataclasses import dataclass

import torch
from torch import Tensor

from fmnist.config import TrainConfig
from fmnist.data import Split, hold_out
from fmnist.errors import ConfigError
from fmnist.models import NUM_CLASSES

NO_CLEANLAB = "cleanlab, another way to find doubtful labels, is not installed. To have it: pip install -r requirements-suspects.txt"
_ONE_AT_A_TIME = threading.Lock()  # cleanlab hands its arrays on in global variables


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
    doubtful = confident.any(1) & (suggested != labels) & (probabilities[everyone, suggested] > probabilities[everyone, labels])
    return _ranked(doubtful.nonzero()[:, 0], labels, suggested, probabilities, seen)


def _ranked(indices: Tensor, labels: Tensor, suggested: Tensor, probabilities: Tensor, seen: Tensor) -> Suspects:
    """The images at `indices`, in the order of the margin."""
    own, other = (probabilities.gather(1, column[:, None])[:, 0] for column in (labels, suggested))
    indices = indices[(own - other)[indices].argsort(stable=True)]
    return Suspects(indices, *(values[indices] for values in (labels, suggested, own, other, seen)))


def has_cleanlab() -> bool:
    """Whether `find_by_cleanlab` can be called."""
    return importlib.util.find_spec("cleanlab") is not None


def find_by_cleanlab(logits: Tensor, labels: Tensor, seen: Tensor) -> Suspects:
    """What cleanlab takes for wrong labels, in the same form and order as `find`; the arguments are the same, too.

    It estimates how many labels of each class are wrong, and names as many (its own default, "prune by noise rate"): usually more than
    `find`. The images that were trained on are judged apart from the others. It needs two images of each class; where there are fewer,
    it names none.

    Raises:
        ConfigError: cleanlab is not installed.
    """
    probabilities, chosen = logits.softmax(1), torch.zeros(len(labels), dtype=torch.bool)
    for rows in (seen.nonzero()[:, 0], (~seen).nonzero()[:, 0]):
        chosen[rows] = _issues(probabilities[rows], labels[rows])
    others = probabilities.scatter(1, labels[:, None], -1.0)
    return _ranked(chosen.nonzero()[:, 0], labels, others.argmax(1), probabilities, seen)


def _issues(probabilities: Tensor, labels: Tensor) -> Tensor:
    """cleanlab's verdict on each image, bool (N,); in this process, because its pool of processes costs more than it gains here."""
    try:
        from cleanlab.filter import find_label_issues
    except ImportError as error:
        raise ConfigError(NO_CLEANLAB) from error
    if int(torch.bincount(labels, minlength=NUM_CLASSES).min()) < 2:
        return torch.zeros(len(labels), dtype=torch.bool)
    with _ONE_AT_A_TIME:
        return torch.from_numpy(find_label_issues(labels.numpy(), probabilities.double().numpy(), n_jobs=1))


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
