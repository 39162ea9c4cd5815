"""Lines on a plain ground to a filled garment: strokes, gaps closed, what they enclose.

The dataset knows no outlines, so a drawing is shown as what it outlines: a grey silhouette with its lines brighter on top.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from fmnist import framing

LOOK_SIDE = 640  # a drawing is looked at no larger than this
WORK_SIDE = 224  # of the drawing's longest side while gaps are closed: eight times the image's
LINE = 1.5  # pixels: how wide a line is in the image
FILL_TONE = 150  # of what lines enclose; the lines themselves are 255
MARGIN = 40  # pixels of plain ground around a drawing at WORK_SIDE, so that the ground is one piece
GAPS = (0, 3, 6, 10, 15, 22)  # pixels at WORK_SIDE: half of the gaps that are closed, one after the other until enough is enclosed
ENOUGH = 0.45  # of the convex hull: an outline that encloses as much is closed
LEAST = 0.15  # of the convex hull: what encloses less is only lines
PLAIN = 0.5  # of the picture: the ground of a digital drawing, all of one tone
THIN = 0.05  # of the longest side: half of what is wider is no line
FLAT = 10.0  # of 255: the spread of a tone that was filled in, not photographed
EVEN = 30  # of 255: how strong a sheet's grain may be beside the strongest ink
SPECK = 0.03  # of the longest side: a piece of ink no longer than this, far smaller than the largest, is dirt


@dataclass(frozen=True)
class Filled:
    """A drawing's lines and what they enclose, both bool and of one shape."""

    strokes: np.ndarray
    inside: np.ndarray
    gap: int  # pixels at WORK_SIDE that were closed; 0 where nothing had to be


def is_one(pixels: np.ndarray) -> bool:
    """Whether a picture is a drawing: thin lines, or a few flat tones, on a plain ground.

    Args:
        pixels: uint8 (H, W) or (H, W, 3) RGB.
    """
    step = max(1, max(pixels.shape[:2]) // 512)
    sharp = pixels[::step, ::step]
    grey = sharp if sharp.ndim == 2 else cv2.cvtColor(np.ascontiguousarray(sharp), cv2.COLOR_RGB2GRAY)
    return _is_of_few_tones(grey) or _is_on_paper(pixels)


def _is_of_few_tones(grey: np.ndarray) -> bool:
    """More than half of one tone, and what differs from it either thin or without any texture."""
    ground = int(np.bincount(grey.ravel(), minlength=256).argmax())
    far = np.abs(grey.astype(np.int16) - ground)
    if (far <= 6).mean() < PLAIN or far.max() < 40:
        return False
    depth = cv2.distanceTransform((far > 40).astype(np.uint8), cv2.DIST_L2, 3)
    deep = grey[depth > THIN * max(grey.shape)]
    return len(deep) < 0.01 * grey.size or float(np.std(deep)) < FLAT


def _is_on_paper(pixels: np.ndarray) -> bool:
    small = framing.shrunk(pixels, 320)
    grey = small if small.ndim == 2 else cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    inked, _ = ink(grey)
    mask = strokes(inked)
    if not 0.003 < mask.mean() < 0.15:
        return False
    ground = inked[~cv2.dilate(mask.astype(np.uint8), np.ones((7, 7), np.uint8)).astype(bool)]
    thin = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 3).max() < THIN * max(mask.shape)
    return bool(thin and np.percentile(ground, 95) < EVEN)


def is_solid(filled: Filled) -> bool:
    """Whether most of the drawing was filled by the person."""
    return bool(filled.strokes.sum() > 0.4 * _hull_area(filled.strokes))


def ink(grey: np.ndarray, *, bright: bool | None = None) -> tuple[np.ndarray, bool]:
    """How much each pixel is ink: uint8 (H, W), 255 for the strongest; and whether the lines are brighter than their ground.

    Shadows and the slow changes of a photographed sheet are taken out: each pixel is compared with the ground around it.

    Args:
        grey: uint8 (H, W).
        bright: whether lines are bright on dark; None = by which tone most of the picture has.
    """
    if bright is None:
        bright = bool(np.median(grey) < 110)
    dark = 255 - grey if bright else grey
    ground = ground_of(dark)
    contrast = np.clip(ground.astype(np.int16) - dark, 0, 255).astype(np.float32)
    strongest = float(np.percentile(contrast, 99.8)) if contrast.any() else 0.0
    strongest = max(strongest, float(contrast.max()) * 0.6)
    if strongest < 20:
        return np.zeros_like(grey), bright
    return (contrast * (255 / strongest)).clip(0, 255).astype(np.uint8), bright


def ground_of(grey: np.ndarray) -> np.ndarray:
    """The tone of the bright ground around each pixel, lines taken out: uint8, the same shape."""
    small = framing.shrunk(grey, 96)
    wide = cv2.dilate(small, np.ones((7, 7), np.uint8))
    level = np.uint8(np.percentile(wide, 60))
    even = cv2.blur(np.maximum(cv2.medianBlur(wide, 31), level // 2), (15, 15))
    return cv2.resize(even, grey.shape[::-1], interpolation=cv2.INTER_LINEAR)


def strokes(inked: np.ndarray, threshold: float | None = None) -> np.ndarray:
    """Which pixels are lines, dirt taken out: bool (H, W).

    Args:
        inked: as from `ink`.
        threshold: 0-1 of the strongest ink; None = found by Otsu's method.
    """
    level = cv2.threshold(inked, 0, 255, cv2.THRESH_OTSU)[0] if threshold is None else 255 * threshold
    mask = inked > np.clip(level, 40 if threshold is None else 1, 200 if threshold is None else 254)
    return _without_specks(mask)


def _without_specks(mask: np.ndarray) -> np.ndarray:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count < 3:
        return mask
    reach = stats[1:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(axis=1)
    kept = np.concatenate([[False], (reach > SPECK * max(mask.shape)) | (reach > 0.3 * reach.max())])
    return kept[np.asarray(labels, dtype=np.int32)]


def line_width(mask: np.ndarray) -> float:
    """How wide the lines of a drawing are, in its pixels: area by length of the middle line."""
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
    wanted = max(2.0, WORK_SIDE / framing.SIDE * (LINE + thickness / 3))
    room = WORK_SIDE - wanted
    scale = room / max(cut.shape)
    width = line_width(cut) * scale
    size = tuple(max(1, round(length * scale)) for length in cut.shape[::-1])
    smooth = cv2.resize((cut * 255).astype(np.uint8), size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    large = np.pad(smooth > (100 if scale * line_width(cut) > 1.5 else 30), MARGIN)
    return _of_width(large, width, wanted)


def _of_width(mask: np.ndarray, width: float, wanted: float) -> np.ndarray:
    """Lines made wider or thinner by half of the difference on both sides; what is solid keeps its form."""
    half = (wanted - width) / 2
    if half > 0.5:
        outside = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 3)
        return outside <= half
    if half < -0.5:
        depth = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 3)
        return depth > min(-half, width / 2 - 0.6)
    return mask


def fill(lines: np.ndarray, how: str = "auto") -> Filled:
    """What lines enclose, small gaps closed first, larger ones only while too little is enclosed.

    Args:
        lines: bool, as from `at_work_side`.
        how: "auto" = where enough is enclosed; "on" = the most that closing gives; "off" = lines alone.
    """
    nothing = np.zeros_like(lines)
    if how == "off" or not lines.any():
        return Filled(lines, nothing, 0)
    hull = _hull_area(lines)
    best = Filled(lines, nothing, 0)
    for gap in GAPS:
        inside = enclosed(_closed(lines, gap)) & ~lines
        share = (inside | lines).sum() / hull
        if inside.sum() > best.inside.sum() * 1.15:
            best = Filled(lines, inside, gap)
        if share >= ENOUGH and inside.sum() >= 0.3 * hull:
            break
    if how == "auto" and best.inside.sum() < LEAST * hull:
        return Filled(lines, nothing, 0)
    return best


def _closed(lines: np.ndarray, gap: int) -> np.ndarray:
    if not gap:
        return lines
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * gap + 1, 2 * gap + 1))
    return cv2.morphologyEx(lines.astype(np.uint8), cv2.MORPH_CLOSE, kernel).astype(bool)


def enclosed(lines: np.ndarray) -> np.ndarray:
    """What cannot be reached from the first pixel without crossing a line: bool, the lines included."""
    canvas = lines.astype(np.uint8)
    cv2.floodFill(canvas, None, (0, 0), 2)
    return canvas != 2


def _hull_area(mask: np.ndarray) -> float:
    points = cv2.findNonZero(mask.astype(np.uint8))
    return max(1.0, cv2.contourArea(cv2.convexHull(points)))


def picture_of(filled: Filled) -> np.ndarray:
    """Lines at 255 on what they enclose at FILL_TONE, black elsewhere; solid shapes get an edge: uint8 (H, W)."""
    tones = np.where(filled.inside, FILL_TONE, 0).astype(np.uint8)
    tones[filled.strokes] = 255
    depth = cv2.distanceTransform(filled.strokes.astype(np.uint8), cv2.DIST_L2, 3)
    tones[depth > 2 * LINE * WORK_SIDE / framing.SIDE] = FILL_TONE
    return tones
