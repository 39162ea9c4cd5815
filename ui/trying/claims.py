"""What a browser or a file claims a drawing to be, looked through before anybody believes it: strokes, and the picture of them."""

import base64
import binascii
import io
import json
from typing import Any

from PIL import Image

from fmnist.errors import PictureError
from ui.trying.drawing import SIDE, Objects

MOST_CHARACTERS = 4_000_000  # of strokes and of a picture: several times what the canvas keeps
MOST_SIDE = 4 * SIDE  # pixels: a screen may have four for each of the canvas's
MOST_OBJECTS = 20_000
_PICTURE = "data:image/png;base64,"  # any other source of a picture would be fetched from wherever it says


def objects(claimed: Any) -> Objects:
    """The objects of a canvas.

    Raises:
        PictureError: they are none that a canvas can show.
    """
    if not isinstance(claimed, list) or len(claimed) > MOST_OBJECTS:
        raise PictureError("The drawing is no list of strokes. Clear the canvas and draw it again.")
    try:
        size = len(json.dumps(claimed, allow_nan=False))
        sound = all(isinstance(each, dict) and _is_placed(each) and _stays_here(each) for each in claimed)
    except PictureError:
        raise
    except (ValueError, RecursionError, TypeError):
        size, sound = 0, False
    if not sound or size > MOST_CHARACTERS:
        raise PictureError("The drawing has strokes that no canvas makes. Clear the canvas and draw it again.")
    return claimed


def picture(claimed: Any) -> bytes:
    """A PNG from its base64 text, with or without the words of an address before it.

    Raises:
        PictureError: it is no PNG of about the size of a canvas.
    """
    if not isinstance(claimed, str) or len(claimed) > MOST_CHARACTERS:
        raise PictureError("The picture of the drawing is missing or too large. Clear the canvas and draw it again.")
    try:
        content = base64.b64decode(claimed.removeprefix(_PICTURE), validate=True)
        with Image.open(io.BytesIO(content), formats=("PNG",)) as opened:
            if max(opened.size) <= MOST_SIDE:
                opened.load()
                return content
    except (binascii.Error, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise PictureError("The picture of the drawing is damaged. Clear the canvas and draw it again.") from error
    raise PictureError("The picture of the drawing is larger than any canvas. Clear the canvas and draw it again.")


def _is_placed(claimed: dict[str, Any]) -> bool:
    numbers = (claimed.get(name, 0) for name in ("left", "top"))
    return isinstance(claimed.get("type"), str) and all(isinstance(number, int | float) for number in numbers)


def _stays_here(claimed: Any) -> bool:
    """Whether no part of an object names a picture elsewhere, and each that it brings along is one.

    Raises:
        PictureError: one is none.
    """
    if isinstance(claimed, list):
        return all(map(_stays_here, claimed))
    if not isinstance(claimed, dict):
        return True
    source = claimed.get("src")
    if source is not None and not (str(source).startswith(_PICTURE) and picture(source)):
        return False
    return all(map(_stays_here, claimed.values()))
