"""One class against the rest: how well its probability separates it, at every threshold."""

from dataclasses import dataclass

import torch
from torch import Tensor

POINTS = 500  # of a curve at most: more than a screen can show


@dataclass(frozen=True)
class Curve:
    """A curve and the area below it; no point and no area where the class has no image, or nothing but images."""

    x: Tensor  # float64 (P,), rising from 0 to 1
    y: Tensor  # float64 (P,), 0-1
    threshold: Tensor  # float64 (P,), falling: from this probability on an image is taken for the class; inf where none is taken
    area: float | None  # 0-1, of all points, not only of those that are kept


def roc(probabilities: Tensor, labels: Tensor, index: int) -> Curve:
    """The ROC curve of a class: x is the share of other images that are taken for it, y the share of its own.

    Args:
        probabilities: float (N, 10).
        labels: int64 (N,).
        index: of the class, 0-9.
    """
    from sklearn.metrics import auc, roc_curve

    truth, score = (labels == index).cpu(), probabilities[:, index].double().cpu()
    if not _has_both(truth):
        return _nothing()
    x, y, threshold = roc_curve(truth.numpy(), score.numpy())
    return _curve(torch.from_numpy(x), torch.from_numpy(y), torch.from_numpy(threshold), float(auc(x, y)))


def precision_recall(probabilities: Tensor, labels: Tensor, index: int) -> Curve:
    """The precision-recall curve of a class: x is the recall, y the precision; the area is the average precision.

    Args:
        probabilities: float (N, 10).
        labels: int64 (N,).
        index: of the class, 0-9.
    """
    from sklearn.metrics import average_precision_score, precision_recall_curve

    truth, score = (labels == index).cpu(), probabilities[:, index].double().cpu()
    if not _has_both(truth):
        return _nothing()
    area = float(average_precision_score(truth.numpy(), score.numpy()))
    found = precision_recall_curve(truth.numpy(), score.numpy(), drop_intermediate=True)
    y, x, threshold = (torch.from_numpy(values.copy()).flip(0) for values in found)  # theirs run from recall 1 down to 0
    return _curve(x, y, torch.cat([threshold.new_tensor([torch.inf]), threshold]), area)


def thinned(length: Tensor, points: int = POINTS) -> Tensor:
    """The positions of at most `points` of the points of a curve, evenly along it, the first and the last among them.

    Args:
        length: float64 (P,), how long the curve is up to each of its points; never falls.
    """
    if len(length) <= points:
        return torch.arange(len(length))
    wanted = torch.linspace(float(length[0]), float(length[-1]), points, dtype=torch.float64)
    chosen = torch.searchsorted(length, wanted).clamp(max=len(length) - 1)
    chosen[0], chosen[-1] = 0, len(length) - 1
    return chosen.unique()


def _has_both(truth: Tensor) -> bool:
    return bool(truth.any()) and not bool(truth.all())


def _nothing() -> Curve:
    none = torch.zeros(0, dtype=torch.float64)
    return Curve(none, none, none, None)


def _curve(x: Tensor, y: Tensor, threshold: Tensor, area: float) -> Curve:
    # Evenly along the curve, not by number: most thresholds lie where hardly anything changes.
    steps = x.diff().abs() + y.diff().abs()
    chosen = thinned(torch.cat([steps.new_zeros(1), steps.cumsum(0)]))
    return Curve(x[chosen], y[chosen], threshold[chosen], area)
