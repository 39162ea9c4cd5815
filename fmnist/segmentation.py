"""A garment from its background: which colours the middle has and the border has not, refined by GrabCut.

A garment often reaches the border of a photo, so the border alone does not tell the background: a colour belongs to the background when it
is more frequent at the border than in the middle.

Source: C. Rother, V. Kolmogorov and A. Blake, "GrabCut": Interactive Foreground Extraction using Iterated Graph Cuts, 2004, in OpenCV.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

WORK_SIDE = 128  # pixels of the longest side while a garment is looked for
LEAST_SIDE = 4  # pixels: a picture that is shorter has no border beside its middle
STRIP = 0.04  # of the side: the border
LIGHTNESS = 0.7  # how much lightness counts beside the two colour axes of LAB: a shadow changes lightness alone
COLOURS = 16  # a picture is described by
MIDDLE = 0.44  # of half the side: how wide the middle is, as a standard deviation
GARMENT_FROM = 0.3  # of the natural logarithm of a colour's frequency in the middle by that at the border: more is probably the garment
GROUND_BELOW = -0.7  # less, at the border, is surely background
GROUNDS = 4  # colours that a background may have where its distance alone decides
ROUNDS = 3  # of GrabCut
LEAST_DISTANCE = 12.0  # of LAB: what differs less from the border is background
LEAST_SHARE, MOST_SHARE = 0.03, 0.97  # of the picture: a mask outside is not a garment
COMPANION = 0.2  # of the largest piece: smaller ones are dropped
TWIN = 0.4  # of the larger one's area: two pieces so alike are a pair
SAME = 0.97  # of what two masks cover together: they are alike where they share as much
LEAST_SOLID = 0.4  # of its convex hull: a mask that fills less is a print or the folds of a garment


BY_COLOUR = "how its colour differs from the border's"


@dataclass(frozen=True)
class Garment:
    """Where a garment is in a picture."""

    mask: np.ndarray  # bool (H, W)
    way: str  # how it was found, in words


def garment(colours: np.ndarray, way: str = "auto", threshold: float | None = None, *, holes: bool = True) -> Garment | None:
    """Where the garment is; None where nothing stands out from the border.

    Args:
        colours: uint8 (H, W, 3) RGB, at most WORK_SIDE on its longest side.
        way: "auto", or "colour" = by the distance from the border's colours alone.
        threshold: as in `by_colour`; given, it decides alone.
        holes: whether what the garment encloses belongs to it.
    """
    if min(colours.shape[:2]) < LEAST_SIDE:
        return None
    cv2.setRNGSeed(0)  # clustering begins at random: the same picture must give the same answer
    distance = distances(colours)
    if distance.max() < 2 * LEAST_DISTANCE:
        return None
    if threshold is not None or way == "colour":
        mask = tidy(by_colour(distance, threshold), holes=holes)
        return Garment(mask, BY_COLOUR) if mask.any() else None
    tidied = (Garment(tidy(found.mask, holes=holes), found.way) for found in _ways(colours, distance))
    return next((found for found in tidied if is_plausible(found.mask)), whole(colours))


def by_colour_alone(colours: np.ndarray, first: np.ndarray, *, holes: bool = True) -> Garment | None:
    """Another mask of the same picture, for where GrabCut leaves only shreds, as of shoes on tiles.

    Args:
        colours: uint8 (H, W, 3) RGB.
        first: bool (H, W), what `garment` found there.

    Returns:
        None where the colours give no garment, or the same one.
    """
    if min(colours.shape[:2]) < LEAST_SIDE:
        return None
    cv2.setRNGSeed(0)
    mask = tidy(by_colour(distances(colours)), holes=holes)
    alike = (mask & first).sum() > SAME * (mask | first).sum()
    return Garment(mask, BY_COLOUR) if is_plausible(mask) and not alike else None


def whole(colours: np.ndarray) -> Garment:
    """A picture taken as it is, background and all."""
    return Garment(np.ones(colours.shape[:2], bool), "none")


def _ways(colours: np.ndarray, distance: np.ndarray) -> Iterator[Garment]:
    """Masks, the most trusted first."""
    favour = middle_against_border(colours)
    ground = _border(favour.shape) & (favour < GROUND_BELOW)
    yield Garment(by_grabcut(colours, favour > GARMENT_FROM, ground), "colours that the middle has and the border has not, then GrabCut")
    coloured = by_colour(distance)
    yield Garment(by_grabcut(colours, coloured, _border(favour.shape)), f"{BY_COLOUR}, then GrabCut")
    yield Garment(coloured, BY_COLOUR)


def middle_against_border(colours: np.ndarray) -> np.ndarray:
    """How much more frequent each pixel's colour is in the middle than at the border, as a natural logarithm: float64 (H, W)."""
    labels, count = _described(colours)
    height, width = labels.shape
    across = ((np.arange(width) + 0.5) / width * 2 - 1) ** 2
    down = ((np.arange(height) + 0.5) / height * 2 - 1) ** 2
    middle = np.exp(-(down[:, None] + across) / (2 * MIDDLE**2))
    inner, outer = (np.bincount(labels.ravel(), weight.ravel().astype(float), count) for weight in (middle, _border(labels.shape)))
    return np.log((inner / inner.sum() + 0.005) / (outer / outer.sum() + 0.005))[labels]


def _described(colours: np.ndarray) -> tuple[np.ndarray, int]:
    """Which of a few typical colours each pixel has: int64 (H, W); and how many these are."""
    lab = cv2.cvtColor(colours, cv2.COLOR_RGB2LAB).astype(np.float32)
    lab[..., 0] *= LIGHTNESS
    points = cv2.GaussianBlur(lab, (0, 0), 1).reshape(-1, 3)
    centres = _clusters(np.ascontiguousarray(points[::3]), COLOURS)
    apart = (points**2).sum(1)[:, None] - 2 * points @ centres.T + (centres**2).sum(1)
    return apart.argmin(axis=1).reshape(colours.shape[:2]), len(centres)


def distances(colours: np.ndarray) -> np.ndarray:
    """How far each pixel is from the nearest of the border's colours, in LAB: float32 (H, W), 0-255.

    Args:
        colours: uint8 (H, W, 3) RGB.
    """
    lab = cv2.cvtColor(colours, cv2.COLOR_RGB2LAB).astype(np.float32)
    centres = _clusters(lab[_border(lab.shape[:2])], GROUNDS)
    apart = [((lab - centre) ** 2).sum(axis=2) for centre in centres]
    return np.sqrt(np.min(apart, axis=0)).clip(0, 255)


def _border(shape: tuple[int, ...]) -> np.ndarray:
    strip = max(1, round(STRIP * min(shape)))
    border = np.ones(shape, bool)
    border[strip:-strip, strip:-strip] = False
    return border


def _clusters(points: np.ndarray, most: int) -> np.ndarray:
    count = min(most, len(points))
    stop = (cv2.TERM_CRITERIA_MAX_ITER + cv2.TERM_CRITERIA_EPS, 10, 1.0)
    return np.asarray(cv2.kmeans(points, count, np.empty(0, np.int32), stop, 1, cv2.KMEANS_PP_CENTERS)[2])


def by_colour(distance: np.ndarray, threshold: float | None = None) -> np.ndarray:
    """What is farther from the border's colours than a threshold (0-1 of the farthest; None = by Otsu's method): bool (H, W)."""
    if threshold is not None:
        return distance > threshold * float(np.percentile(distance, 99.5))
    level = cv2.threshold(distance.astype(np.uint8), 0, 255, cv2.THRESH_OTSU)[0]
    return distance > max(LEAST_DISTANCE, level)


def by_grabcut(colours: np.ndarray, first: np.ndarray, ground: np.ndarray) -> np.ndarray:
    """A first guess refined by GrabCut: bool (H, W).

    Args:
        colours: uint8 (H, W, 3).
        first: bool (H, W), what is probably the garment.
        ground: bool (H, W), what is surely background.
    """
    marks = np.where(first, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    marks[ground] = cv2.GC_BGD
    probable = int((marks == cv2.GC_PR_FGD).sum())
    if not 16 <= probable <= marks.size - 16:  # its five colours of either side need a few pixels
        return marks == cv2.GC_PR_FGD
    cv2.setRNGSeed(0)
    cv2.grabCut(colours, marks, (0, 0, 1, 1), np.zeros((1, 65)), np.zeros((1, 65)), ROUNDS, cv2.GC_INIT_WITH_MASK)
    return (marks == cv2.GC_FGD) | (marks == cv2.GC_PR_FGD)


def tidy(mask: np.ndarray, *, holes: bool = True) -> np.ndarray:
    """Thin parts (a hanger, a cord) and small gaps taken out, holes filled, small pieces dropped: bool (H, W)."""
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    opened = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, brush)
    closed = cv2.morphologyEx(opened if opened.any() else mask.astype(np.uint8), cv2.MORPH_CLOSE, brush)
    return large_pieces(without_holes(closed) if holes else closed)


def without_holes(mask: np.ndarray) -> np.ndarray:
    """A mask with what it encloses: uint8 (H, W), 0 or 1."""
    padded = np.pad(mask.astype(np.uint8), 1)
    cv2.floodFill(padded, np.empty(0, np.uint8), (0, 0), (2,))
    return (padded != 2).astype(np.uint8)[1:-1, 1:-1]


def large_pieces(mask: np.ndarray, share: float = COMPANION) -> np.ndarray:
    """The largest piece of a mask and those of at least a share of its area: bool (H, W)."""
    labels, areas = pieces(mask)
    return np.isin(labels, 1 + np.flatnonzero(areas >= share * areas.max(initial=1)))


def pieces(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which piece each pixel belongs to, 0 = none: int32 (H, W); and the area of the pieces from 1: int32 (P,)."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    return np.asarray(labels), np.asarray(stats)[1:, cv2.CC_STAT_AREA]


def is_pair(mask: np.ndarray) -> bool:
    """Whether a mask is of two pieces of a similar size."""
    return len(pieces(large_pieces(mask, TWIN))[1]) == 2


def is_plausible(mask: np.ndarray) -> bool:
    """Whether a mask can be a garment: neither a speck nor everything, and not shreds."""
    if not LEAST_SHARE < mask.mean() < MOST_SHARE:
        return False
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    hulls = sum(cv2.contourArea(cv2.convexHull(contour)) for contour in contours)
    return bool(mask.sum() >= LEAST_SOLID * hulls)


def at_the_edge(mask: np.ndarray) -> float:
    """The largest share of any side of the picture that a mask touches: 0-1."""
    return float(max(side.mean() for side in (mask[0], mask[-1], mask[:, 0], mask[:, -1])))
