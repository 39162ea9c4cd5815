"""Any picture or drawing to what the network was trained on: 28x28, a bright garment on black, filling the frame.

Two steps: `read` decodes safely, whatever the bytes are; `to_image` finds the garment and brings it into the dataset's form, and keeps
every step of the way. The dataset's own images pass through unchanged.

Source: the recipe of the dataset itself (Xiao, Rasul and Vollgraf, arXiv 1708.07747, section 2): trim, longest side to 28, negate, centre.
"""

import warnings
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from fmnist.errors import PictureError

SIDE = 28
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
MOST_BYTES = 8_000_000
MOST_SIDE = 8_192  # pixels
MOST_PIXELS = 24_000_000
WORK_SIDE = 256  # a picture is made this small before anything is looked for in it
LEAST_CONTRAST = 14  # of 255: what differs less from the border than this is background
STRIP = 0.04  # of the side: the border that is taken for background
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


def read(source: bytes | Path) -> Image.Image:
    """Decode a picture: first frame, upright, transparent parts white, mode L or RGB.

    Args:
        source: the content of a file, or where it is.

    Raises:
        PictureError: a sentence, whatever is wrong with it.
    """
    content = _content(source)
    if len(content) > MOST_BYTES:
        raise PictureError(f"The picture has {len(content) / 1e6:.1f} MB; at most {MOST_BYTES / 1e6:.0f} MB are read. Make it smaller.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            warnings.simplefilter("ignore", UserWarning)  # broken metadata is of no interest
            with Image.open(BytesIO(content), formats=FORMATS) as opened:
                _check_size(opened)
                opened.seek(0)
                return _plain(ImageOps.exif_transpose(opened))
    except PictureError:
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:  # Pillow's own limit, before ours is looked at
        raise PictureError(
            f"The picture has far more than {MOST_PIXELS // 1_000_000} million pixels, the most that are read. Make it smaller."
        ) from error
    except Exception as error:  # decoders raise nearly anything on broken files: IndexError, SyntaxError, ValueError...
        raise PictureError("This file is not a picture that can be read. PNG, JPEG, WebP, GIF and BMP are.") from error


def _content(source: bytes | Path) -> bytes:
    if isinstance(source, bytes):
        return source
    try:
        if source.stat().st_size > MOST_BYTES:
            raise PictureError(f"The picture has {source.stat().st_size / 1e6:.1f} MB; at most {MOST_BYTES / 1e6:.0f} MB are read.")
        return source.read_bytes()
    except OSError as error:
        raise PictureError(f"The file cannot be read: {error.strerror}.") from error


def _check_size(picture: Image.Image) -> None:
    """From the header, before a pixel is decoded."""
    width, height = picture.size
    if max(width, height) > MOST_SIDE or width * height > MOST_PIXELS:
        raise PictureError(
            f"The picture has {width} x {height} pixels; at most {MOST_PIXELS // 1_000_000} million are read. Make it smaller."
        )


def _plain(picture: Image.Image) -> Image.Image:
    """Mode L or RGB, with 16 bits scaled to 8 and what is transparent white."""
    if picture.mode.startswith("I"):
        wide = np.asarray(picture, dtype=np.int64)
        return Image.fromarray((wide.clip(0, 65535) // 257).astype(np.uint8))
    if picture.mode == "1":
        return picture.convert("L")
    if picture.mode in ("LA", "PA", "RGBA") or "transparency" in picture.info:
        clear = picture.convert("RGBA")
        white = Image.new("RGBA", clear.size, "white")
        return Image.alpha_composite(white, clear).convert("RGB")
    return picture.copy() if picture.mode in ("L", "RGB") else picture.convert("RGB")


def to_image(picture: Image.Image, settings: Settings = AUTOMATIC) -> Prepared:
    """A picture in mode L or RGB as the dataset would have it, with every step of the way."""
    grey = np.asarray(picture.convert("L"))
    if _is_like_the_dataset(grey):
        return Prepared(
            torch.from_numpy(grey.copy()),
            (Step("as it is", grey),),
            bool(grey.any()),
            None if grey.any() else "the picture is empty",
            "image",
        )
    small = _shrunk(picture)
    steps = [Step("original", np.asarray(small))]
    distance = _distance_from_border(np.asarray(small.convert("RGB"), dtype=np.float32))
    mask = distance > max(LEAST_CONTRAST, _otsu(distance))
    if not mask.any() or distance.max() < 2 * LEAST_CONTRAST:
        empty = np.zeros((SIDE, SIDE), np.uint8)
        return Prepared(torch.from_numpy(empty), (*steps, Step("nothing found", empty)), False, "nothing stands out from the background")
    steps.append(Step("garment", (mask * 255).astype(np.uint8)))
    tones = _tones(np.asarray(small.convert("L"), dtype=np.float32), mask)
    steps.append(Step("bright on black", tones))
    cropped = _crop(tones, mask)
    steps.append(Step("cropped", cropped))
    final = _centred(cropped)
    return Prepared(torch.from_numpy(final.copy()), (*steps, Step("28 x 28", final)), True, None)


def _is_like_the_dataset(grey: np.ndarray) -> bool:
    """28x28 with corners as black as all of the dataset's have them."""
    corners = grey[[0, 0, -1, -1], [0, -1, 0, -1]]
    return grey.shape == (SIDE, SIDE) and int(np.median(corners)) < 32


def _shrunk(picture: Image.Image) -> Image.Image:
    small = picture.copy()
    small.thumbnail((WORK_SIDE, WORK_SIDE), Image.Resampling.BOX)
    return small


def _distance_from_border(colours: np.ndarray) -> np.ndarray:
    """How far each pixel's colour is from the median of the border: float32 (H, W), 0-255."""
    height, width = colours.shape[:2]
    strip = max(1, round(STRIP * min(height, width)))
    inside = np.zeros((height, width), bool)
    inside[strip : height - strip, strip : width - strip] = True
    background = np.median(colours[~inside], axis=0)
    return np.abs(colours - background).max(axis=2)


def _otsu(values: np.ndarray) -> float:
    """The threshold that parts values (0-255) into two groups that are as far apart as can be.

    Source: N. Otsu, A Threshold Selection Method from Gray-Level Histograms, 1979.
    """
    counts = np.bincount(values.astype(np.uint8).ravel(), minlength=256).astype(np.float64)
    levels = np.arange(256)
    below, total = counts.cumsum(), counts.sum()
    sum_below, sum_all = (counts * levels).cumsum(), (counts * levels).sum()
    above = total - below
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sum_below / below - (sum_all - sum_below) / above) ** 2
    return float(np.nanargmax(np.nan_to_num(between)))


def _tones(grey: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The garment's own tones, negated if it is darker than its background, stretched; black elsewhere: uint8 (H, W)."""
    tones = 255 - grey if grey[mask].mean() < grey[~mask].mean() else grey
    low, high = np.percentile(tones[mask], (2, 98))
    if high - low < 1:
        low = high - 255
    stretched = TONES[0] + (tones - low) / (high - low) * (TONES[1] - TONES[0])
    return np.where(mask, stretched.clip(*TONES), 0).astype(np.uint8)


def _crop(tones: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The smallest box that holds the garment."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return tones[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _centred(cropped: np.ndarray) -> np.ndarray:
    """The longest side to 28 pixels, the shorter one filled up with black on both sides: uint8 (28, 28)."""
    scale = SIDE / max(cropped.shape)
    height, width = (max(1, round(side * scale)) for side in cropped.shape)
    kind = Image.Resampling.BOX if scale < 1 else Image.Resampling.BILINEAR
    small = np.asarray(Image.fromarray(cropped).resize((width, height), kind))
    canvas = np.zeros((SIDE, SIDE), np.uint8)
    top, left = (SIDE - height) // 2, (SIDE - width) // 2
    canvas[top : top + height, left : left + width] = small
    return canvas
