"""A picture file decoded safely, whatever its bytes are: first frame, upright, transparent parts white; in less than 200 MB of memory.

Decoders need 4 bytes a pixel and more, so a large picture is halved on the way: a JPEG while it is decoded, the others strip by strip.
"""

import warnings
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps

from fmnist import files
from fmnist.errors import PictureError

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
MOST_BYTES = 8_000_000
MOST_SIDE = 8_192  # pixels
MOST_PIXELS = 24_000_000
MOST_WEBP_PIXELS = 10_000_000  # libwebp and Pillow hold 16 bytes of each at once
MOST_CMYK_PIXELS = 16_000_000  # a progressive JPEG holds 8 bytes of each, in RGB 6
HALVED_FROM = 6_000_000  # pixels: the garment is looked for in a picture of less than a million
STRIP = 128  # rows


def read(source: bytes | Path) -> Image.Image:
    """Decode a picture: first frame, upright, transparent parts white, mode L or RGB; of more than HALVED_FROM pixels at half its size.

    Args:
        source: the content of a file, or where it is.

    Raises:
        PictureError: a sentence, whatever is wrong with it.
    """
    content = _content(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            warnings.simplefilter("ignore", UserWarning)  # broken metadata is of no interest
            with Image.open(BytesIO(content), formats=FORMATS) as opened:
                _check_size(opened)
                opened.seek(0)
                return _decoded(opened)
    except PictureError:
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:  # Pillow's own limit, before ours is looked at
        raise PictureError(
            f"The picture has far more than {MOST_PIXELS // 1_000_000} million pixels, the most that are read. Make it smaller."
        ) from error
    except Exception as error:  # decoders raise nearly anything on broken files: IndexError, SyntaxError, ValueError...
        raise PictureError("This file is not a picture that can be read. PNG, JPEG, WebP, GIF and BMP are.") from error


def _content(source: bytes | Path) -> bytes:
    try:
        size = len(source) if isinstance(source, bytes) else source.stat().st_size
        if size > MOST_BYTES:
            raise PictureError(f"The picture has {size / 1e6:.1f} MB; at most {MOST_BYTES / 1e6:.0f} MB are read. Make it smaller.")
        return source if isinstance(source, bytes) else files.read(source, MOST_BYTES)
    except OSError as error:
        raise PictureError(f"The file cannot be read: {error.strerror}.") from error


def _check_size(picture: Image.Image) -> None:
    """From the header, before a pixel is decoded."""
    width, height = picture.size
    most, kind = MOST_PIXELS, ""
    if picture.format == "WEBP":
        most, kind = MOST_WEBP_PIXELS, " of a WebP"
    elif picture.mode == "CMYK":
        most, kind = MOST_CMYK_PIXELS, " of a picture for printing (CMYK)"
    if max(width, height) > MOST_SIDE or width * height > most:
        raise PictureError(
            f"The picture has {width} x {height} pixels; at most {most // 1_000_000} million{kind} are read. Make it smaller."
        )


def _decoded(opened: Image.Image) -> Image.Image:
    """All of it, upright and plain."""
    if _is_large(opened):
        opened.draft(None, (opened.width // 2, opened.height // 2))  # only a JPEG can
    opened.load()
    small = _in_strips(opened, 2 if _is_large(opened) else 1)
    small.getexif()[ExifTags.Base.Orientation] = opened.getexif().get(ExifTags.Base.Orientation, 1)
    return ImageOps.exif_transpose(small)


def _is_large(picture: Image.Image) -> bool:
    return picture.width * picture.height > HALVED_FROM


def _in_strips(picture: Image.Image, factor: int) -> Image.Image:
    """A picture made plain and so many times smaller, never all of it at once."""
    mode, size = _plain(picture.crop((0, 0, 1, 1))).mode, (-(-picture.width // factor), -(-picture.height // factor))
    found = Image.new(mode, size)
    for top in range(0, picture.height, STRIP):
        strip = picture.crop((0, top, picture.width, min(top + STRIP, picture.height)))
        found.paste(_plain(strip).reduce(factor), (0, top // factor))
    return found


def _plain(picture: Image.Image) -> Image.Image:
    """Mode L or RGB, with 16 bits scaled to 8 and what is transparent white."""
    if picture.mode.startswith("I"):
        wide = np.asarray(picture).clip(0, 65535)
        return Image.fromarray((wide // 257).astype(np.uint8))
    if picture.mode == "1":
        return picture.convert("L")
    if picture.mode in ("LA", "PA", "RGBA") or "transparency" in picture.info:
        clear = picture.convert("RGBA")
        white = Image.new("RGBA", clear.size, "white")
        return Image.alpha_composite(white, clear).convert("RGB")
    return picture if picture.mode in ("L", "RGB") else picture.convert("RGB")
