"""Whether a model is as sure as it is right, what makes it so, and what it gains by keeping silent when it is unsure."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from fmnist.curves import thinned

BINS = 15  # of the calibration error, as in Guo et al.
TEMPERATURES = (0.05, 20.0)  # the lowest and the highest that are fitted: beyond them nothing on a screen would change
HALVINGS = 40  # of the range of log-temperatures, which leaves 5e-12


@dataclass(frozen=True)
class Reliability:
    """Confidence and accuracy in equal bins of confidence; NaN in a bin without an image."""

    edges: Tensor  # float64 (bins + 1,), from 0 to 1; a bin holds its upper edge, not its lower one
    counts: Tensor  # int64 (bins,): the histogram of confidence
    confidence: Tensor  # float64 (bins,), mean, 0-1
    accuracy: Tensor  # float64 (bins,), 0-1

    @property
    def error(self) -> float:
        """The expected calibration error, 0-1: the gap of a bin, weighted by its images."""
        gaps = (self.accuracy - self.confidence).abs().nan_to_num()
        return float((gaps * self.counts).sum() / self.counts.sum().clamp(min=1))


@dataclass(frozen=True)
class Coverage:
    """What a model that keeps silent below a threshold of confidence is worth, from the highest threshold to the lowest."""

    threshold: Tensor  # float64 (P,), falling: images with at least this confidence are kept
    share: Tensor  # float64 (P,), of the images that are kept, rising to 1
    accuracy: Tensor  # float64 (P,), of the images that are kept


@dataclass(frozen=True)
class Kept:
    """One point of a coverage: what a model says of the images it is sure enough of."""

    threshold: float  # images with at least this confidence are kept
    share: float  # of the images that are kept, 0-1
    accuracy: float | None  # of those, 0-1; None if none is kept


def reliability(probabilities: Tensor, labels: Tensor, bins: int = BINS) -> Reliability:
    """The confidence of a model against its accuracy, bin by bin.

    Args:
        probabilities: float (N, 10), rows sum to 1.
        labels: int64 (N,).

    Source: Guo et al., On Calibration of Modern Neural Networks (arXiv 1706.04599), section 2.
    """
    confidence, guess = probabilities.cpu().double().max(1)
    right = (guess == labels.cpu()).double()
    index = (confidence * bins).ceil().long().clamp(1, bins) - 1  # bins are open below, closed above
    counts = torch.bincount(index, minlength=bins)
    sums = torch.zeros(2, bins, dtype=torch.float64).index_add_(1, index, torch.stack([confidence, right]))
    mean_confidence, accuracy = sums / counts  # 0 / 0 is NaN
    return Reliability(torch.linspace(0, 1, bins + 1, dtype=torch.float64), counts, mean_confidence, accuracy)


def calibration_error(probabilities: Tensor, labels: Tensor, bins: int = BINS) -> float:
    """How far confidence is from accuracy, weighted over equal bins of confidence: 0 is perfect, and no image too.

    Args:
        probabilities: float (N, 10), rows sum to 1.
        labels: int64 (N,).

    Source: Guo et al., On Calibration of Modern Neural Networks (arXiv 1706.04599), equation 3.
    """
    return reliability(probabilities, labels, bins).error


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """The temperature by which logits must be divided for the least cross-entropy, between 0.05 and 20; 1 without an image.

    Fit it on validation images, never on those that are reported. What a model says does not change, only how sure it is.

    Args:
        logits: float (N, 10).
        labels: int64 (N,).

    Source: Guo et al., section 4.2. The cross-entropy is convex in 1 / temperature, so its slope has one zero, found by halving.
    """
    if not len(labels):
        return 1.0
    logits = logits.cpu().double()
    above_truth = logits - logits.gather(1, labels.cpu()[:, None])  # (N, 10): how much higher than the true class
    low, high = (math.log(temperature) for temperature in TEMPERATURES)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if _slope(above_truth, math.exp(-middle)) > 0:
            low = middle
        else:
            high = middle
    return min(max(math.exp((low + high) / 2), TEMPERATURES[0]), TEMPERATURES[1])


def _slope(above_truth: Tensor, scale: float) -> float:
    """The derivative of the mean cross-entropy by the scale of the logits."""
    return float(((above_truth * scale).softmax(1) * above_truth).sum(1).mean())


def coverage(confidence: Tensor, right: Tensor) -> Coverage:
    """Share and accuracy of the images that are kept, at every threshold (500 at most); images as sure as each other go together.

    Args:
        confidence: float (N,), 0-1.
        right: bool (N,), whether the guess is right.
    """
    threshold, kept, good = _thresholds(confidence, right)
    chosen = thinned(kept)
    return Coverage(threshold[chosen], kept[chosen] / max(1, len(confidence)), (good / kept)[chosen])


def at_coverage(confidence: Tensor, right: Tensor, share: float) -> Kept:
    """The highest threshold that keeps at least this share of the images, 0-1. "May abstain on 5 %" is a share of 0.95.

    Args:
        confidence: float (N,), 0-1.
        right: bool (N,), whether the guess is right.
    """
    threshold, kept, _ = _thresholds(confidence, right)
    enough = kept >= share * len(confidence) - 1e-9  # 0.95 * 100 may be more than 95
    return at_threshold(confidence, right, float(threshold[enough][0]) if enough.any() else 0.0)


def at_threshold(confidence: Tensor, right: Tensor, threshold: float) -> Kept:
    """What is left when the model keeps silent on every image with less confidence than the threshold.

    Args:
        confidence: float (N,), 0-1.
        right: bool (N,), whether the guess is right.
    """
    kept = confidence.double() >= threshold
    count = int(kept.sum())
    return Kept(threshold, count / max(1, len(kept)), int((right & kept).sum()) / count if count else None)


def _thresholds(confidence: Tensor, right: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Each confidence there is, from the highest on; how many images have at least it; how many of those are right: float64 (P,)."""
    values, place, counts = confidence.double().unique(return_inverse=True, return_counts=True)
    good = torch.zeros_like(values).index_add_(0, place, right.double())
    return values.flip(0), counts.flip(0).cumsum(0).double(), good.flip(0).cumsum(0)
