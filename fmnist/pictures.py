"""Any picture or drawing to what the network was trained on: 28x28, a bright garment on black, filling the frame.

Two steps: `read` decodes safely, whatever the bytes are; `to_image` finds the garment and brings it into the dataset's form, and keeps
every step of the way. The dataset's own images pass through unchanged.

Source: the recipe of the dataset itself (Xiao, Rasul and Vollgraf, arXiv 1708.07747, section 2): trim, longest side to 28, negate, centre.
"""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from fmnist import drawings, framing, segmentation
from fmnist.decoding import FORMATS, MOST_BYTES, MOST_PIXELS, MOST_SIDE, read

__all__ = ["AUTOMATIC", "FORMATS", "MOST_BYTES", "MOST_PIXELS", "MOST_SIDE", "Kind", "Prepared", "Settings", "Step", "read", "to_image"]

SIDE = framing.SIDE
SHOWN_SIDE = 256  # pixels of the longest side of the pictures that are kept of the way
TONES = (60, 255)  # the darkest and brightest part of a garment after stretching, of 255


Kind = Literal["image", "drawing", "photo"]  # an image of the dataset's own form, lines on a plain ground, anything else


@dataclass(frozen=True)
class Settings:
    """How a picture is prepared; every default is "automatic", so that `Settings()` is what happens when nobody chooses."""

    kind: Literal["auto", "drawing", "photo"] = "auto"  # what the picture is taken for
    separate: Literal["auto", "colour", "off"] = "auto"  # the garment from the background: GrabCut, by colour alone, not at all
    threshold: float | None = None  # 0-1: how far from the background's colour a garment begins; None = found by Otsu's method
    polarity: Literal["auto", "dark", "bright"] = "auto"  # the garment is darker or brighter than its background
    fill: Literal["auto", "on", "off"] = "auto"  # what closed or nearly closed outlines enclose belongs to the garment
    thickness: int = 0  # -3 to 3: lines or the garment's edge thinner or thicker, in steps
    crop: bool = True  # tightly around what was found, as the dataset has it
    tone: bool = True  # stretch the garment's tones to the dataset's


AUTOMATIC = Settings()


@dataclass(frozen=True)
class Step:
    """One step from a picture to the image."""

    name: str
    picture: np.ndarray  # uint8 (H, W) or (H, W, 3)
    note: str = ""  # what was done or found, in plain words


@dataclass(frozen=True)
class Prepared:
    """A picture as the network will see it, and how it came to be."""

    image: Tensor  # uint8 (28, 28)
    steps: tuple[Step, ...]  # the last one is the image
    found: bool  # whether anything but background was there
    reason: str | None  # why not
    kind: Kind = "photo"  # what it was taken for
    remarks: tuple[str, ...] = ()  # what is odd about it, in words: "outline only", "two objects", "background not removed"


def to_image(picture: Image.Image, settings: Settings = AUTOMATIC) -> Prepared:
    """A picture in mode L or RGB as the dataset would have it, with every step of the way; the same picture gives the same image."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # on pictures as small as these, more only wait for one another
    try:
        return _prepared(picture, settings)
    finally:
        cv2.setNumThreads(threads)


def _prepared(picture: Image.Image, settings: Settings) -> Prepared:
    if settings.kind == "auto" and _is_like_the_dataset(picture):
        return _as_it_is(np.asarray(picture.convert("L")))
    pixels = np.asarray(picture)
    if settings.kind == "drawing" or (settings.kind == "auto" and drawings.is_one(pixels)):
        return _drawing(pixels, settings)
    return _photo(pixels, settings)


def _is_like_the_dataset(picture: Image.Image) -> bool:
    """28x28 with corners as black as all of the dataset's have them."""
    if picture.size != (SIDE, SIDE):
        return False
    grey = np.asarray(picture.convert("L"))
    return int(np.median(grey[[0, 0, -1, -1], [0, -1, 0, -1]])) < 32


def _as_it_is(grey: np.ndarray) -> Prepared:
    something = bool(grey.any())
    steps = (Step("as it is", grey, "already 28 x 28 on black, like the dataset's own"),)
    return Prepared(torch.from_numpy(grey.copy()), steps, something, None if something else "the picture is empty", "image")


def _nothing(steps: list[Step], reason: str, kind: Kind) -> Prepared:
    empty = np.zeros((SIDE, SIDE), np.uint8)
    steps = [*steps, Step("nothing found", empty, reason)]
    return Prepared(torch.from_numpy(empty), tuple(steps), False, reason, kind, ("nothing found",))


def _finished(steps: list[Step], framed: np.ndarray, kind: Kind, remarks: list[str]) -> Prepared:
    final = framing.centred(framed)
    steps = [*steps, Step("28 x 28", final, "what the network sees")]
    return Prepared(torch.from_numpy(final.copy()), tuple(steps), True, None, kind, tuple(remarks))


def _drawing(pixels: np.ndarray, settings: Settings) -> Prepared:
    shown = framing.shrunk(pixels, drawings.LOOK_SIDE)
    steps = [Step("original", framing.shrunk(shown, SHOWN_SIDE), "a drawing: lines on a plain ground")]
    bright = None if settings.polarity == "auto" else settings.polarity == "bright"
    inked, bright = drawings.ink(_grey(shown), bright=bright)
    lines = drawings.strokes(inked, settings.threshold)
    rows, columns = framing.box(lines)
    if max(rows.stop - rows.start, columns.stop - columns.start) < 0.04 * max(lines.shape) or not lines.any():
        return _nothing(steps, "there is nothing drawn, or only a dot", "drawing")
    steps.append(Step("lines", (lines * 255).astype(np.uint8), f"lines {'brighter' if bright else 'darker'} than the ground"))
    filled = drawings.fill(drawings.at_work_side(lines, settings.thickness, crop=settings.crop), settings.fill)
    tones = drawings.picture_of(filled)
    remarks = [] if filled.inside.any() or drawings.is_solid(filled) else ["outline only"]
    steps.append(Step("filled", tones, "what the lines enclose is filled" if filled.inside.any() else "nothing is enclosed"))
    framed = tones[framing.box(tones > 0)] if settings.crop else tones
    return _finished(steps, framed, "drawing", remarks)


def _photo(pixels: np.ndarray, settings: Settings) -> Prepared:
    shown = framing.shrunk(pixels, SHOWN_SIDE)
    steps = [Step("original", shown, "a photo")]
    small = framing.shrunk(shown, segmentation.WORK_SIDE)
    colours = small if small.ndim == 3 else cv2.cvtColor(small, cv2.COLOR_GRAY2RGB)
    found = _garment(colours, settings)
    if found is None:
        return _nothing(steps, "nothing stands out from the background", "photo")
    mask = _thicker(found.mask, settings.thickness)
    remarks = [] if found.way != "none" or settings.separate == "off" else ["background not removed"]
    steps.append(Step("garment", (mask * 255).astype(np.uint8), f"found by {found.way}"))
    tones = _tones(_grey(small), mask, settings)
    steps.append(Step("bright on black", tones, "tones negated and stretched, as the dataset has them"))
    framed = tones[framing.box(mask)] if settings.crop else tones
    steps.append(Step("cropped", framed))
    return _finished(steps, framed, "photo", remarks)


def _garment(colours: np.ndarray, settings: Settings) -> segmentation.Garment | None:
    if settings.separate == "off":
        return segmentation.Garment(np.ones(colours.shape[:2], bool), "none")
    return segmentation.garment(colours, settings.separate, settings.threshold, holes=settings.fill != "off")


def _thicker(mask: np.ndarray, steps: int) -> np.ndarray:
    if not steps:
        return mask
    size = 2 * round(abs(steps) * max(mask.shape) / 80) + 1
    change = cv2.dilate if steps > 0 else cv2.erode
    changed = change(mask.astype(np.uint8), np.ones((size, size), np.uint8)).astype(bool)
    return changed if changed.any() else mask


def _grey(pixels: np.ndarray) -> np.ndarray:
    return pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)


def _tones(grey: np.ndarray, mask: np.ndarray, settings: Settings) -> np.ndarray:
    """The garment's own tones, negated unless its ground is black, stretched; black elsewhere: uint8 (H, W)."""
    bright = settings.polarity == "bright" or (settings.polarity == "auto" and _ground_is_black(grey, mask))
    tones = (grey if bright else 255 - grey).astype(np.float32)
    if settings.tone:
        low, high = np.percentile(tones[mask], (2, 98))
        low = min(low, high - 1)
        tones = TONES[0] + (tones - low) / (high - low) * (TONES[1] - TONES[0])
        tones = tones.clip(*TONES)
    return np.where(mask, tones, 0).astype(np.uint8)


def _ground_is_black(grey: np.ndarray, mask: np.ndarray) -> bool:
    ground = grey[~mask]
    return len(ground) > 0 and float(np.percentile(ground, 90)) < 40 and float(grey[mask].mean()) > float(ground.mean())
