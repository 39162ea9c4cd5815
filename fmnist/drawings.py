"""The lines of a drawing: whether a picture is one, its ink from its ground, and lines as wide as survive at 28 pixels."""

import cv2
import numpy as np

from fmnist import framing

LOOK_SIDE = 640  # pixels: a drawing is looked at no larger than this
WORK_SIDE = 224  # of the drawing's longest side once it is cut out: eight times the image's
LINE = 1.5  # pixels: how wide a line is in the image
MARGIN = 40  # pixels of plain ground around a drawing at WORK_SIDE, so that the ground is one piece
PLAIN = 0.5  # of the picture: the ground of a digital drawing, all of one tone
THIN = 0.05  # of the longest side: half of what is wider is no line
FLAT = 10.0  # of 255: how far the tones of what was filled in, not photographed, lie apart (20th to 80th percentile)
EVEN = 30  # of 255: how strong a sheet's grain may be beside the strongest ink
FAINTEST = 20  # of 255: what differs less from its ground is no ink
SOLID = 0.12  # of the longest side: what is wider is an area, not a line
SPECK = 0.03  # of the longest side: a piece of ink no longer than this, far smaller than the largest, is dirt
DOT = 0.04  # of the longest side: a drawing no longer than this is nothing


def is_one(pixels: np.ndarray) -> bool:
    """Whether a picture is a drawing: thin lines, or flat tones, on a plain ground or a sheet of paper.

    Args:
        pixels: uint8 (H, W) or (H, W, 3) RGB.
    """
    step = max(1, max(pixels.shape[:2]) // 512)  # every so manyth pixel, not averages: these would make new tones
    return _is_of_few_tones(grey_of(np.ascontiguousarray(pixels[::step, ::step]))) or _is_on_paper(pixels)


def grey_of(pixels: np.ndarray) -> np.ndarray:
    """uint8 (H, W) of a picture in grey or RGB."""
    return pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)


def _is_of_few_tones(grey: np.ndarray) -> bool:
    """More than half of one tone, and what differs from it either thin or without any texture."""
    ground = int(np.bincount(grey.ravel(), minlength=256).argmax())
    far = np.abs(grey.astype(np.int16) - ground)
    if (far <= 6).mean() < PLAIN or far.max() < 40:
        return False
    depth = cv2.distanceTransform((far > 40).astype(np.uint8), cv2.DIST_L2, 3)
    deep = grey[depth > THIN * max(grey.shape)]
    return len(deep) < 0.01 * grey.size or float(np.ptp(np.percentile(deep, (20, 80)))) < FLAT


def _is_on_paper(pixels: np.ndarray) -> bool:
    """Little ink, all of it thin, on a ground that is even once shadows are taken out."""
    inked, _ = ink(framing.shrunk(pixels, 320))
    mask = strokes(inked)
    if not 0.003 < mask.mean() < 0.15:
        return False
    ground = inked[~cv2.dilate(mask.astype(np.uint8), np.ones((7, 7), np.uint8)).astype(bool)]
    thin = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 3).max() < THIN * max(mask.shape)
    return bool(thin and np.percentile(ground, 95) < EVEN)


def ink(pixels: np.ndarray, *, bright: bool | None = None) -> tuple[np.ndarray, bool]:
    """How much each pixel is ink: uint8 (H, W), 255 for the strongest; and whether lines are brighter than their ground.

    Shadows and the slow changes of a photographed sheet are taken out: each pixel is compared with the ground around it.

    Args:
        pixels: uint8 (H, W) or (H, W, 3) RGB; of colours, what is strongest in any channel counts.
        bright: whether lines are bright on dark; None = by the tone that the border has.
    """
    if bright is None:
        bright = bool(np.median(_border(grey_of(pixels))) < 110)
    dark = 255 - pixels if bright else pixels
    dark = dark if dark.ndim == 2 else dark.min(axis=2)
    contrast = np.clip(_ground(dark).astype(np.int16) - dark, 0, 255).astype(np.float32)
    strongest = max(float(np.percentile(contrast, 99.8)), 0.6 * float(contrast.max()))
    if strongest < FAINTEST:
        return np.zeros_like(dark), bright
    return (contrast * (255 / strongest)).clip(0, 255).astype(np.uint8), bright


def _border(grey: np.ndarray) -> np.ndarray:
    strip = max(1, round(0.03 * min(grey.shape)))
    return np.concatenate([part.ravel() for part in (grey[:strip], grey[-strip:], grey[:, :strip], grey[:, -strip:])])


def _ground(grey: np.ndarray) -> np.ndarray:
    """The tone of the bright ground around each pixel, lines taken out: uint8, the same shape."""
    edge = _border(grey)
    tone = np.median(edge)
    if (abs(edge - tone) <= 3).mean() > 0.6:  # a canvas has one tone, also below an area that is wider than any window
        return np.full_like(grey, tone)
    wide = cv2.dilate(framing.shrunk(grey, 96), np.ones((7, 7), np.uint8))
    half = int(np.percentile(wide, 60)) // 2
    even = cv2.blur(np.maximum(cv2.medianBlur(wide, 31), half).astype(np.uint8), (15, 15))
    return cv2.resize(even, grey.shape[::-1], interpolation=cv2.INTER_LINEAR)


def strokes(inked: np.ndarray, threshold: float | None = None) -> np.ndarray:
    """Which pixels are lines, dirt taken out: bool (H, W).

    Args:
        inked: as from `ink`.
        threshold: 0-1 of the strongest ink; None = found by Otsu's method.
    """
    if threshold is not None:
        return _without_specks(inked > min(254.0, 255 * threshold))
    level = cv2.threshold(inked, 0, 255, cv2.THRESH_OTSU)[0]
    return _without_specks(inked > np.clip(level, 40, 200))


def _without_specks(mask: np.ndarray) -> np.ndarray:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count < 3:
        return mask
    reach = stats[1:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(axis=1)
    kept = np.concatenate([[False], (reach > SPECK * max(mask.shape)) | (reach > 0.3 * reach.max())])
    return kept[np.asarray(labels, dtype=np.int32)]


def is_nothing(lines: np.ndarray) -> bool:
    """Whether there are no lines, or a dot at most."""
    rows, columns = framing.box(lines)
    return not lines.any() or max(rows.stop - rows.start, columns.stop - columns.start) < DOT * max(lines.shape)


def line_width(mask: np.ndarray) -> float:
    """How wide the lines of a drawing are, in its pixels: twice the usual depth of their middle."""
    if not mask.any():
        return 0.0
    depth = cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, 3)
    ridge = (depth >= cv2.dilate(depth, np.ones((3, 3), np.uint8))) & (depth > 0)
    return float(2 * np.median(depth[ridge]) - 1)


def at_work_side(mask: np.ndarray, thickness: int = 0, *, crop: bool = True) -> np.ndarray:
    """The drawing tightly cropped, its longest side WORK_SIDE, its lines LINE wide in the image, MARGIN of ground around: bool.

    Args:
        mask: bool (H, W) lines.
        thickness: -3 to 3 steps of a third of a pixel of the image thinner or thicker.
        crop: False = with all of its ground.
    """
    cut = mask[framing.box(mask)] if crop else mask
    wanted = WORK_SIDE / framing.SIDE * (LINE + thickness / 3)
    scale = (WORK_SIDE - wanted) / max(cut.shape)
    width = line_width(cut) * scale
    size = tuple(max(1, round(length * scale)) for length in cut.shape[::-1])
    smooth = cv2.resize((cut * 255).astype(np.uint8), size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    large = np.pad(smooth > (100 if width > 1.5 else 30), MARGIN)  # hair lines would fade as they are made smaller
    if width > SOLID * WORK_SIDE:
        return _grown(large, thickness * WORK_SIDE / framing.SIDE / 6)
    return _grown(large, max((wanted - width) / 2, 0.6 - width / 2))


def _grown(mask: np.ndarray, by: float) -> np.ndarray:
    """A mask wider, or narrower where negative, by so many pixels on every side."""
    if abs(by) <= 0.5:
        return mask
    if by > 0:
        return cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 3) <= by
    smaller = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 3) > -by
    return smaller if smaller.any() else mask
