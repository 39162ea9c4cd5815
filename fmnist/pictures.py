"""Any picture or drawing to what the network was trained on: 28x28, a bright garment on black, filling the frame.

Two steps: `read` decodes safely, whatever the bytes are; `to_image` finds the garment and brings it into the dataset's form, and keeps
every step of the way. Lines are filled, photos are cut out, the dataset's own images pass through unchanged.

Source: the recipe of the dataset itself (Xiao, Rasul and Vollgraf, arXiv 1708.07747, section 2): trim, longest side to 28, negate, centre.
"""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from fmnist import drawings, filling, framing, segmentation
from fmnist.decoding import FORMATS, MOST_BYTES, MOST_PIXELS, MOST_SIDE, read

__all__ = [
    "AUTOMATIC",
    "FORMATS",
    "MOST_BYTES",
    "MOST_PIXELS",
    "MOST_SIDE",
    "Kind",
    "Prepared",
    "Settings",
    "Step",
    "read",
    "to_image",
    "views",
]

SIDE = framing.SIDE
SHOWN_SIDE = 256  # pixels of the longest side of the pictures that are kept of the way
TONES = (30, 230)  # the darkest and brightest part of a garment after stretching, of 255
BLACK = 40  # of 255: a ground darker than this is the dataset's own, and nothing is negated
CUT_OFF = 0.25  # of a side: a garment that touches as much of one goes on outside
SMALL = 0.15  # of the longest side: a garment shorter than this has few pixels


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
    others: tuple[Tensor, ...] = ()  # uint8 (28, 28): the same picture prepared in another way, for `views`


def to_image(picture: Image.Image, settings: Settings = AUTOMATIC) -> Prepared:
    """A picture in mode L or RGB as the dataset would have it, with every step of the way; the same picture gives the same image."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # on pictures as small as these, more only wait for one another
    try:
        return _prepared(picture, settings)
    finally:
        cv2.setNumThreads(threads)


def views(prepared: Prepared) -> Tensor:
    """What a network may be asked of one picture, to average its answers: uint8 (V, 28, 28), the first is the image.

    A drawing filled and as lines, a photo cut out in two ways; each also mirrored. The dataset's own images and an empty one stay alone.
    """
    if prepared.kind == "image" or not prepared.found:
        return prepared.image[None]
    upright = torch.stack([prepared.image, *prepared.others])
    return torch.cat([upright, upright.flip(2)])


def _prepared(picture: Image.Image, settings: Settings) -> Prepared:
    if settings.kind == "auto" and _is_like_the_dataset(picture):
        return _as_it_is(np.asarray(picture.convert("L")))
    pixels = np.asarray(picture)
    looked_at = framing.shrunk(pixels, drawings.LOOK_SIDE)
    if settings.kind == "drawing" or (settings.kind == "auto" and drawings.is_one(pixels)):
        return _drawing(looked_at, settings)
    return _photo(looked_at, settings, max(pixels.shape))


def _is_like_the_dataset(picture: Image.Image) -> bool:
    """28x28 with at least two black corners, as all of the dataset's 70,000 have."""
    if picture.size != (SIDE, SIDE):
        return False
    grey = np.asarray(picture.convert("L"))
    return sorted(grey[[0, 0, -1, -1], [0, -1, 0, -1]])[1] < 32


def _as_it_is(grey: np.ndarray) -> Prepared:
    something = bool(grey.any())
    steps = (Step("as it is", grey, "Already 28 x 28 on black, like the dataset's own."),)
    return Prepared(torch.from_numpy(grey.copy()), steps, something, None if something else "the picture is empty", "image")


def _nothing(steps: list[Step], reason: str, kind: Kind) -> Prepared:
    empty = np.zeros((SIDE, SIDE), np.uint8)
    shown = (*steps, Step("nothing found", empty, f"{reason[0].upper()}{reason[1:]}."))
    return Prepared(torch.from_numpy(empty.copy()), shown, False, reason, kind, ("nothing found",))


def _drawing(pixels: np.ndarray, settings: Settings) -> Prepared:
    bright = None if settings.polarity == "auto" else settings.polarity == "bright"
    inked, bright = drawings.ink(pixels, bright=bright)
    lines = drawings.strokes(inked, settings.threshold)
    steps = [Step("original", _small(pixels), f"Taken for a drawing: lines {'brighter' if bright else 'darker'} than their ground.")]
    if drawings.is_nothing(lines):
        return _nothing(steps, "there is nothing drawn, or only a dot", "drawing")
    steps.append(Step("lines", _small(_white(lines)), "Specks are taken out."))
    wide = drawings.at_work_side(lines, settings.thickness, crop=settings.crop)
    steps.append(Step("even lines", _white(wide), "Tightly cropped, the lines as wide as survive at 28 pixels."))
    filled = filling.fill(wide, settings.fill)
    tones = filling.shown(filled)
    steps.append(Step("filled", tones, _filling_note(filled)))
    final = _framed(tones, settings)
    steps.append(Step("28 x 28", final, "What the network sees."))
    others = (torch.from_numpy(_framed(_white(wide), settings)),) if filled.inside.any() else ()
    return Prepared(torch.from_numpy(final.copy()), tuple(steps), True, None, "drawing", _drawing_remarks(lines, filled), others)


def _filling_note(filled: filling.Filled) -> str:
    if not filled.inside.any():
        return "Nothing is filled: the lines stand alone."
    return f"What the lines enclose is filled{', gaps closed first' if filled.gap else ''}; the lines stay brighter."


def _drawing_remarks(lines: np.ndarray, filled: filling.Filled) -> tuple[str, ...]:
    solid, box = filling.is_solid(filled), lines[framing.box(lines)]
    said = {
        "outline only": not filled.inside.any() and not solid,
        "one solid area": solid and box.mean() > 0.8,
        "two objects": (solid or filled.inside.any()) and segmentation.is_pair(filled.inside | filled.strokes),
        "very small": max(box.shape) < SMALL * max(lines.shape),
    }
    return tuple(remark for remark, holds in said.items() if holds)


def _photo(pixels: np.ndarray, settings: Settings, original_side: int) -> Prepared:
    small = framing.shrunk(pixels, segmentation.WORK_SIDE)
    colours = small if small.ndim == 3 else cv2.cvtColor(small, cv2.COLOR_GRAY2RGB)
    steps = [Step("original", _small(pixels), "Taken for a photo.")]
    found = _garment(colours, settings)
    if found is None:
        return _nothing(steps, "nothing stands out from the background", "photo")
    steps += _brought_into_form(drawings.grey_of(small), found, settings)
    other = _cut_out_otherwise(colours, found, settings)
    others = () if other is None else (_image(_brought_into_form(drawings.grey_of(small), other, settings)),)
    remarks = _photo_remarks(found, original_side / max(small.shape))
    return Prepared(_image(steps), tuple(steps), True, None, "photo", remarks, others)


def _garment(colours: np.ndarray, settings: Settings) -> segmentation.Garment | None:
    if settings.separate == "off":
        return segmentation.whole(colours)
    return segmentation.garment(colours, settings.separate, settings.threshold, holes=settings.fill != "off")


def _cut_out_otherwise(colours: np.ndarray, found: segmentation.Garment, settings: Settings) -> segmentation.Garment | None:
    """The second opinion on where the garment is, unless a person has chosen the way."""
    if settings.separate != "auto" or settings.threshold is not None:
        return None
    return segmentation.by_colour_alone(colours, found.mask, holes=settings.fill != "off")


def _brought_into_form(grey: np.ndarray, found: segmentation.Garment, settings: Settings) -> list[Step]:
    """The steps from a garment that was found to the image."""
    mask = _thicker(found.mask, settings.thickness)
    steps = [Step("garment", _white(mask), "Not separated." if found.way == "none" else f"Found by {found.way}.")]
    tones, note = _tones(grey, mask, settings)
    steps.append(Step("bright on black", tones, note))
    if settings.crop:
        steps.append(Step("cropped", tones[framing.box(mask)], "To the smallest box that holds it."))
    return [*steps, Step("28 x 28", framing.centred(steps[-1].picture), "What the network sees.")]


def _image(steps: list[Step]) -> Tensor:
    return torch.from_numpy(steps[-1].picture.copy())


def _photo_remarks(found: segmentation.Garment, scale: float) -> tuple[str, ...]:
    if found.way == "none":
        return ("background not removed",)
    longest = max(found.mask[framing.box(found.mask)].shape)
    said = {
        "two objects": segmentation.is_pair(found.mask),
        "cut off at the edge": segmentation.at_the_edge(found.mask) > CUT_OFF,
        "very small": longest < SMALL * max(found.mask.shape) or longest * scale < SIDE,
    }
    return tuple(remark for remark, holds in said.items() if holds)


def _thicker(mask: np.ndarray, steps: int) -> np.ndarray:
    """A mask with its edge farther out or in, by about a third of a pixel of the image a step."""
    size = 2 * round(abs(steps) * max(mask.shape) / 80) + 1
    change = cv2.dilate if steps > 0 else cv2.erode
    changed = change(mask.astype(np.uint8), np.ones((size, size), np.uint8)).astype(bool)
    return changed if changed.any() else mask


def _tones(grey: np.ndarray, mask: np.ndarray, settings: Settings) -> tuple[np.ndarray, str]:
    """The garment's own tones, negated unless its ground is black, stretched; black elsewhere: uint8 (H, W); and a note."""
    bright = settings.polarity == "bright" or (settings.polarity == "auto" and _ground_is_black(grey, mask))
    tones = (grey if bright else 255 - grey).astype(np.float32)
    if settings.tone:
        low, high = np.percentile(tones[mask], (2, 98))
        low = low if high - low >= 1 else high - 255  # one flat tone becomes the brightest
        tones = (TONES[0] + (tones - low) / (high - low) * (TONES[1] - TONES[0])).clip(*TONES)
    note = f"Tones {'kept' if bright else 'negated'}{' and stretched' if settings.tone else ''}, as the dataset has them."
    return np.where(mask, tones, 0).astype(np.uint8), note


def _ground_is_black(grey: np.ndarray, mask: np.ndarray) -> bool:
    ground = grey[~mask]
    return len(ground) > 0 and float(np.percentile(ground, 90)) < BLACK and float(grey[mask].mean()) > float(ground.mean())


def _framed(tones: np.ndarray, settings: Settings) -> np.ndarray:
    return framing.centred(tones[framing.box(tones > 0)] if settings.crop else tones)


def _white(mask: np.ndarray) -> np.ndarray:
    return np.where(mask, 255, 0).astype(np.uint8)


def _small(pixels: np.ndarray) -> np.ndarray:
    return framing.shrunk(pixels, SHOWN_SIDE)
