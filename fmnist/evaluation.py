"""From a model and a split to every figure. Pure: tensors in, frozen results out."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fmnist.augment import normalised
from fmnist.calibration import calibration_error
from fmnist.data import CLASS_NAMES, Split
from fmnist.models import NUM_CLASSES

BATCH = 100  # images at once on a processor: for 250 the layers take memory anew from the kernel, which costs a fifth of the time
GPU_BATCH = 250  # nothing of the kind there, but every batch has to be started
Z = 1.959963984540054  # of a 95 % interval: the normal distribution is below it 97.5 % of the time
CONFUSED_WITH = 2  # classes that are named as the ones a class is most confused with


@dataclass(frozen=True)
class ClassFigures:
    """How one class fares: each share 0-1; 0 where nothing can be divided."""

    precision: float
    recall: float
    f1: float
    support: int
    confused_with: tuple[tuple[str, int], ...]  # the class that its images are most taken for, and how many; at most two, none with 0


@dataclass(frozen=True)
class Report:
    """The figures of a model on a split."""

    accuracy: float  # 0-1
    accuracy_interval: tuple[float, float]  # 95 %, 0-1
    macro_f1: float  # mean of the ten classes, 0-1
    loss: float  # mean cross-entropy in nats
    ece: float  # expected calibration error, 0-1
    confusion: list[list[int]]  # 10 x 10, row = truth, column = guess
    per_class: dict[str, ClassFigures]


@torch.inference_mode()
def logits(model: nn.Module, images: Tensor, progress: Callable[[float], object] | None = None) -> Tensor:
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


def _batches(model: nn.Module, images: Tensor, progress: Callable[[float], object] | None) -> Iterator[Tensor]:
    size, done = BATCH if images.device.type == "cpu" else GPU_BATCH, 0
    for some in images.split(size):
        yield model(normalised(some)).float()
        done += len(some)
        if progress:
            progress(done / len(images))


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


def accuracy_interval(right: int, count: int) -> tuple[float, float]:
    """Where the accuracy lies with 95 % confidence when `right` of `count` images are right: low, high; 0 to 1 without an image.

    Source: the score interval of Wilson, Probable Inference (1927); the values of Newcombe (1998) are in test_evaluation.py.
    """
    if not 0 <= right <= count:
        raise ValueError(f"{right} of {count} images cannot be right.")
    if not count:
        return 0.0, 1.0
    share, extra = right / count, Z**2 / count
    middle = (share + extra / 2) / (1 + extra)
    half = (extra * share * (1 - share) + extra**2 / 4) ** 0.5 / (1 + extra)
    return max(0.0, middle - half), min(1.0, middle + half)


def similarity_order(confusion: Tensor | list[list[int]]) -> list[int]:
    """The ten classes in an order in which those that are taken for each other stand side by side.

    Args:
        confusion: counts (10, 10), row = truth, column = guess.

    Source: average linkage with optimal leaf ordering (Bar-Joseph et al. 2001), on the rates of confusion in both directions.
    """
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    counts = torch.as_tensor(confusion, dtype=torch.float64)
    rates = counts / counts.sum(1, keepdim=True).clamp(min=1)
    likeness = (rates + rates.T).fill_diagonal_(0)
    if not likeness.any():
        return list(range(NUM_CLASSES))
    distance = (likeness.max() - likeness).fill_diagonal_(0)
    order = leaves_list(linkage(squareform(distance.numpy()), "average", optimal_ordering=True)).tolist()
    return order if order[0] < order[-1] else order[::-1]  # both directions are as good: always the same one


def report(scores: Tensor, labels: Tensor) -> Report:
    """Every figure of float32 (N, 10) logits against int64 (N,) labels; N is at least 1."""
    if not len(labels):
        raise ValueError("There is no image, so there are no figures.")
    scores, labels = scores.cpu(), labels.cpu()
    loss, accuracy = loss_and_accuracy(scores, labels)
    confusion = confusion_matrix(labels, scores.argmax(1))
    per_class = {name: _class_figures(confusion, index) for index, name in enumerate(CLASS_NAMES)}
    return Report(
        accuracy=accuracy,
        accuracy_interval=accuracy_interval(int(confusion.trace()), len(labels)),
        macro_f1=sum(figures.f1 for figures in per_class.values()) / NUM_CLASSES,
        loss=loss,
        ece=calibration_error(scores.softmax(1), labels),
        confusion=confusion.tolist(),
        per_class=per_class,
    )


def _class_figures(confusion: Tensor, index: int) -> ClassFigures:
    right = int(confusion[index, index])
    support, guessed = int(confusion[index].sum()), int(confusion[:, index].sum())
    precision = right / guessed if guessed else 0.0
    recall = right / support if support else 0.0
    f1 = 2 * right / (support + guessed) if support + guessed else 0.0
    return ClassFigures(precision, recall, f1, support, _confused_with(confusion, index))


def _confused_with(confusion: Tensor, index: int) -> tuple[tuple[str, int], ...]:
    """The classes that images of a class are most taken for, with their counts; the first class first where two are as many."""
    taken_for = [
        (name, int(count)) for other, (name, count) in enumerate(zip(CLASS_NAMES, confusion[index], strict=True)) if other != index
    ]
    return tuple(sorted((pair for pair in taken_for if pair[1]), key=lambda pair: -pair[1])[:CONFUSED_WITH])


def evaluate(model: nn.Module, split: Split, progress: Callable[[float], object] | None = None) -> Report:
    """Every figure of a model on a split that lies on the model's device."""
    return report(logits(model, split.images, progress), split.labels)
