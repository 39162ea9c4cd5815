"""From lines to a garment: gaps closed, what the lines enclose filled, a bag's handle left open.

The dataset knows no outlines, so a drawing is shown as what it outlines: a grey silhouette with its lines brighter on top.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from fmnist import framing
from fmnist.drawings import LINE, WORK_SIDE

TONE = 150  # of what lines enclose; the lines themselves are 255
GAPS = (0, 3, 6, 10, 15, 22)  # pixels: half of the gaps that are closed, one after the other until enough is enclosed
ENOUGH = 0.45  # of the convex hull: an outline that encloses as much is closed
LEAST = 0.15  # of the convex hull: what encloses less is only lines
# A handle is an enclosed area at the top, narrow above, without notches, and with something at least as wide below it.
HANDLE_TOP, HANDLE_BOTTOM, HANDLE_HEIGHT = 0.12, 0.7, 0.2  # of the drawing's height: begins above, ends above, is at least as high
HANDLE_DOME = 0.8  # of its widest: its width near the top is at most this
HANDLE_SOLID = 0.88  # of its convex hull


@dataclass(frozen=True)
class Filled:
    """A drawing's lines and what they enclose, both bool and of one shape."""

    strokes: np.ndarray
    inside: np.ndarray
    gap: int  # pixels that were closed on the way; 0 where nothing had to be


def fill(lines: np.ndarray, how: Literal["auto", "on", "off"] = "auto") -> Filled:
    """What lines enclose, small gaps closed first, larger ones only while too little is enclosed.

    Args:
        lines: bool (H, W) with ground all around, as from `drawings.at_work_side`.
        how: "auto" = where enough is enclosed, and handles are left open; "on" = the most that closing gives; "off" = lines alone.
    """
    best = Filled(lines, np.zeros_like(lines), 0)
    if how == "off" or not lines.any():
        return best
    hull = _hull_area(lines)
    for gap in GAPS:
        inside = _enclosed(_closed(lines, gap)) & ~lines
        if inside.sum() > best.inside.sum() * 1.15:
            best = Filled(lines, inside, 2 * gap)
        if how == "auto" and (inside | lines).sum() >= ENOUGH * hull and inside.sum() >= 0.3 * hull:
            break
    if how == "on":
        return best
    return _without_handles(best) if best.inside.sum() >= LEAST * hull else Filled(lines, np.zeros_like(lines), 0)


def _closed(lines: np.ndarray, gap: int) -> np.ndarray:
    if not gap:
        return lines
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * gap + 1, 2 * gap + 1))
    return cv2.morphologyEx(lines.astype(np.uint8), cv2.MORPH_CLOSE, brush).astype(bool)


def _enclosed(lines: np.ndarray) -> np.ndarray:
    """What cannot be reached from the first pixel without crossing a line: bool, the lines included."""
    canvas = lines.astype(np.uint8)
    cv2.floodFill(canvas, np.empty(0, np.uint8), (0, 0), (2,))
    return canvas != 2


def _hull_area(mask: np.ndarray) -> float:
    return max(1.0, cv2.contourArea(cv2.convexHull(cv2.findNonZero(mask.astype(np.uint8)))))


def _without_handles(filled: Filled) -> Filled:
    whole = filled.inside | filled.strokes
    rows, _ = framing.box(whole)
    inside = filled.inside.copy()
    for region, top in _regions(filled.inside):
        height, begins = region.shape[0], (top[0] - rows.start) / (rows.stop - rows.start)
        share = height / (rows.stop - rows.start)
        below = whole[top[0] + height + round(LINE * WORK_SIDE / framing.SIDE) :]
        at_the_top = begins <= HANDLE_TOP and begins + share <= HANDLE_BOTTOM and share >= HANDLE_HEIGHT
        if at_the_top and _is_dome(region) and below.any(axis=0).sum() >= 0.85 * region.shape[1]:
            inside[top[0] : top[0] + height, top[1] : top[1] + region.shape[1]] &= ~region
    return Filled(filled.strokes, inside, filled.gap)


def _regions(inside: np.ndarray) -> Iterator[tuple[np.ndarray, tuple[int, int]]]:
    """Each enclosed area cut out, bool, and where its first row and column are."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(inside.astype(np.uint8), connectivity=4)
    for number in range(1, count):
        left, top, width, height = (int(value) for value in stats[number, :4])
        yield np.asarray(labels)[top : top + height, left : left + width] == number, (top, left)


def _is_dome(region: np.ndarray) -> bool:
    widths = region.sum(axis=1)
    near_the_top = widths[int(0.15 * len(widths))]
    return bool(near_the_top <= HANDLE_DOME * widths.max() and region.sum() >= HANDLE_SOLID * _hull_area(region))


def is_solid(filled: Filled) -> bool:
    """Whether most of the drawing was filled by the person who drew it."""
    return bool(filled.strokes.sum() > 0.6 * _hull_area(filled.strokes))


def shown(filled: Filled) -> np.ndarray:
    """Lines at 255 on what they enclose at TONE, black elsewhere; an area that was drawn solid gets an edge: uint8 (H, W)."""
    tones = np.where(filled.inside, TONE, 0).astype(np.uint8)
    tones[filled.strokes] = 255
    depth = cv2.distanceTransform(filled.strokes.astype(np.uint8), cv2.DIST_L2, 3)
    tones[depth > LINE * WORK_SIDE / framing.SIDE] = TONE
    return tones
