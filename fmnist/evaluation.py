"""From a model and a split to every figure. Pure: tensors in, frozen results out."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fmnist.augment import normalised
from fmnist.data import CLASS_NAMES, Split
from fmnist.models import NUM_CLASSES

BATCH = 250  # images at once: the activations of the reference network stay in the cache of a processor
BINS = 15  # of the calibration error, as in Guo et al.


@dataclass(frozen=True)
class ClassFigures:
    """How one class fares: each figure 0-1; 0 where nothing can be divided."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class Report:
    """The figures of a model on a split."""

    accuracy: float  # 0-1
    loss: float  # mean cross-entropy in nats
    ece: float  # expected calibration error, 0-1
    confusion: list[list[int]]  # 10 x 10, row = truth, column = guess
    per_class: dict[str, ClassFigures]


@torch.inference_mode()
def logits(model: nn.Module, images: Tensor, progress: Callable[[float], None] | None = None) -> Tensor:
    """What a model says of pictures, in float32, with the model in evaluation mode as it was or not.

    Args:
        model: (B, 1, 28, 28) -> (B, 10).
        images: uint8 (N, 28, 28), on the device of the model.
        progress: is told the share that is done, 0-1.

    Returns:
        float32 (N, 10), on the same device.
    """
    was_training = model.training
    model.eval()
    try:
        return torch.cat(list(_batches(model, images, progress))) if len(images) else torch.zeros(0, NUM_CLASSES)
    finally:
        model.train(was_training)


def _batches(model: nn.Module, images: Tensor, progress: Callable[[float], None] | None) -> Iterator[Tensor]:
    for start in range(0, len(images), BATCH):
        yield model(normalised(images[start : start + BATCH])).float()
        if progress:
            progress(min(1.0, (start + BATCH) / len(images)))


def loss_and_accuracy(scores: Tensor, labels: Tensor) -> tuple[float, float]:
    """Mean cross-entropy in nats, and the share of right answers. `scores`: float32 (N, 10); `labels`: int64 (N,)."""
    return float(F.cross_entropy(scores, labels)), float((scores.argmax(1) == labels).double().mean())


def confusion_matrix(truth: Tensor, guess: Tensor) -> Tensor:
    """Count how often each class was taken for each other class.

    Args:
        truth: int64, shape (N,), classes 0-9.
        guess: same dtype, shape and range.

    Returns:
        int64, shape (10, 10): row = truth, column = guess; the sum is N.

    Source: the bincount identity; checked by hand in test_evaluation.py.
    """
    pairs = truth * NUM_CLASSES + guess  # (N,), one number per (truth, guess)
    return torch.bincount(pairs, minlength=NUM_CLASSES**2).view(NUM_CLASSES, NUM_CLASSES)


def calibration_error(probabilities: Tensor, labels: Tensor, bins: int = BINS) -> float:
    """How far confidence is from accuracy, weighted over equal bins of confidence: 0 is perfect.

    Args:
        probabilities: float32 (N, 10), rows sum to 1.
        labels: int64 (N,).

    Source: Guo et al., On Calibration of Modern Neural Networks (arXiv 1706.04599), equation 3.
    """
    if not len(labels):
        return 0.0
    confidence, guess = probabilities.double().max(1)
    right = (guess == labels).double()
    index = (confidence * bins).ceil().long().clamp(1, bins) - 1  # bins are open below, closed above
    gaps = torch.zeros(bins, dtype=torch.float64, device=labels.device).index_add_(0, index, right - confidence)
    return float(gaps.abs().sum() / len(labels))


def report(scores: Tensor, labels: Tensor) -> Report:
    """Every figure of float32 (N, 10) logits against int64 (N,) labels."""
    scores, labels = scores.cpu(), labels.cpu()
    loss, accuracy = loss_and_accuracy(scores, labels)
    confusion = confusion_matrix(labels, scores.argmax(1))
    return Report(
        accuracy=accuracy,
        loss=loss,
        ece=calibration_error(scores.softmax(1), labels),
        confusion=confusion.tolist(),
        per_class={name: _class_figures(confusion, index) for index, name in enumerate(CLASS_NAMES)},
    )


def _class_figures(confusion: Tensor, index: int) -> ClassFigures:
    right = int(confusion[index, index])
    support, guessed = int(confusion[index].sum()), int(confusion[:, index].sum())
    precision = right / guessed if guessed else 0.0
    recall = right / support if support else 0.0
    f1 = 2 * right / (support + guessed) if support + guessed else 0.0
    return ClassFigures(precision, recall, f1, support)


def evaluate(model: nn.Module, split: Split, progress: Callable[[float], None] | None = None) -> Report:
    """Every figure of a model on a split that lies on the model's device."""
    return report(logits(model, split.images, progress), split.labels)
