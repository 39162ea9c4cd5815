"""A garment from its background: by how its colour differs from the border's, then by GrabCut.

Source: C. Rother, V. Kolmogorov and A. Blake, "GrabCut": Interactive Foreground Extraction using Iterated Graph Cuts, 2004, in OpenCV.
"""

from dataclasses import dataclass

import cv2
import numpy as np

WORK_SIDE = 128  # pixels of the longest side while a garment is looked for
LEAST_SIDE = 4  # pixels: a picture that is shorter has no border beside its middle
STRIP = 0.03  # of the side: the border that is taken for background
GROUNDS = 4  # colours that a background may have
ROUNDS = 4  # of GrabCut
LEAST_DISTANCE = 12.0  # of LAB: what differs less from the border is background
LEAST_SHARE, MOST_SHARE = 0.04, 0.97  # of the picture: a mask outside is not a garment
COMPANION = 0.2  # of the largest piece: smaller ones are dropped


@dataclass(frozen=True)
class Garment:
    """Where a garment is in a picture."""

    mask: np.ndarray  # bool (H, W)
    way: str  # how it was found: "grabcut", "colour", "centre", "none"


def distances(colours: np.ndarray) -> np.ndarray:
    """How far each pixel is from the nearest of the border's colours, in LAB: float32 (H, W), 0-255.

    Args:
        colours: uint8 (H, W, 3) RGB.
    """
    lab = cv2.cvtColor(colours, cv2.COLOR_RGB2LAB).astype(np.float32)
    border = lab[_border(lab.shape[:2])]
    centres = _clusters(border)
    apart = lab[:, :, None, :] - centres
    return np.sqrt((apart**2).sum(axis=3).min(axis=2)).clip(0, 255)


def _border(shape: tuple[int, ...]) -> np.ndarray:
    strip = max(1, round(STRIP * min(shape)))
    border = np.ones(shape, bool)
    border[strip:-strip, strip:-strip] = False
    return border


def _clusters(points: np.ndarray) -> np.ndarray:
    count = min(GROUNDS, len(points))
    stop = (cv2.TERM_CRITERIA_MAX_ITER + cv2.TERM_CRITERIA_EPS, 12, 0.5)
    return np.asarray(cv2.kmeans(points, count, np.empty(0, np.int32), stop, 1, cv2.KMEANS_PP_CENTERS)[2])


def by_colour(distance: np.ndarray, threshold: float | None = None) -> np.ndarray:
    """What is farther from the border's colours than a threshold (0-1 of the farthest; None = by Otsu's method): bool (H, W)."""
    if threshold is not None:
        return distance > threshold * float(np.percentile(distance, 99.5))
    level = cv2.threshold(distance.astype(np.uint8), 0, 255, cv2.THRESH_OTSU)[0]
    return distance > max(LEAST_DISTANCE, level)


def by_grabcut(colours: np.ndarray, first: np.ndarray, sure: np.ndarray | None = None) -> np.ndarray:
    """A first guess refined by GrabCut, the border sure to be background: bool (H, W).

    Args:
        colours: uint8 (H, W, 3).
        first: bool (H, W), what is probably the garment.
        sure: bool (H, W), what is surely background; None = the border.
    """
    marks = np.where(first, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    marks[_border(marks.shape) if sure is None else sure] = cv2.GC_BGD
    if (marks == cv2.GC_PR_FGD).sum() < 16 or (marks != cv2.GC_PR_FGD).sum() < 16:
        return first
    cv2.setRNGSeed(0)  # GrabCut begins with a random clustering: the same picture must give the same answer
    cv2.grabCut(colours, marks, (0, 0, 1, 1), np.zeros((1, 65)), np.zeros((1, 65)), ROUNDS, cv2.GC_INIT_WITH_MASK)
    return (marks == cv2.GC_FGD) | (marks == cv2.GC_PR_FGD)


def tidy(mask: np.ndarray, *, holes: bool = True) -> np.ndarray:
    """Thin parts and small gaps taken out, holes filled, small pieces dropped: bool (H, W)."""
    round_one, round_two = (cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)) for size in (3, 5))
    opened = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, round_one)
    closed = cv2.morphologyEx(opened, cv2.MORPH_CLOSE, round_two)
    return large_pieces(without_holes(closed) if holes else closed)


def without_holes(mask: np.ndarray) -> np.ndarray:
    padded = np.pad(mask.astype(np.uint8), 1)
    cv2.floodFill(padded, None, (0, 0), 2)
    return (padded != 2).astype(np.uint8)[1:-1, 1:-1]


def large_pieces(mask: np.ndarray) -> np.ndarray:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count < 2:
        return mask.astype(bool)
    areas = stats[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    return (areas >= COMPANION * areas.max())[labels] & (labels > 0)


def garment(colours: np.ndarray, way: str = "auto", threshold: float | None = None, *, holes: bool = True) -> Garment | None:
    """Where the garment is; None where nothing stands out from the border.

    Args:
        colours: uint8 (H, W, 3) RGB, at most WORK_SIDE on its longest side.
        way: "auto" or "colour".
        threshold: as in `by_colour`; given, it decides alone.
    """
    if min(colours.shape[:2]) < LEAST_SIDE:
        return None
    cv2.setRNGSeed(0)
    distance = distances(colours)
    if distance.max() < 2 * LEAST_DISTANCE:
        return None
    coloured = by_colour(distance, threshold)
    if threshold is not None or way == "colour":
        mask = tidy(coloured, holes=holes)
        return Garment(mask, "colour") if mask.any() else None
    cut = tidy(by_grabcut(colours, coloured), holes=holes)
    if LEAST_SHARE < cut.mean() < MOST_SHARE:
        return Garment(cut, "grabcut")
    mask = tidy(coloured, holes=holes)
    if LEAST_SHARE < mask.mean() < MOST_SHARE:
        return Garment(mask, "colour")
    return Garment(np.ones_like(mask), "none")
