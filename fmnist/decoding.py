"""A picture file decoded safely, whatever its bytes are: first frame, upright, transparent parts white."""

import warnings
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from fmnist.errors import PictureError

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
MOST_BYTES = 8_000_000
MOST_SIDE = 8_192  # pixels
MOST_PIXELS = 24_000_000


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
