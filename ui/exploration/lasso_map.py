"""A map of images: points on a canvas, which show their picture, can be circled with a lasso, and open with a click.

A canvas of our own instead of Plotly: 10,000 points need WebGL there, which a remote screen or a browser without a graphics card does not
have, and its hover shows no pictures. This one draws them in a few milliseconds anywhere, and works with a finger and with the keyboard.
"""

import base64
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image
from streamlit.components.v2 import component

if TYPE_CHECKING:
    from torch import Tensor

COLUMNS = 64  # pictures beside each other on the sheet
UNITS = 10_000  # the map is so many units wide and high: finer than a screen, and short to send

_FILES = Path(__file__).with_suffix("")
_draw = component(
    "lasso_map",
    html=_FILES.with_suffix(".html").read_text(encoding="utf-8"),
    css=_FILES.with_suffix(".css").read_text(encoding="utf-8"),
    js=_FILES.with_suffix(".js").read_text(encoding="utf-8"),
)
# The pictures travel apart from the points, so that another colour or another map does not send megabytes again.
_carry = component("lasso_map_pictures", js="export default function ({ data }) {\n  window.fmPictures = data\n}\n")


@dataclass(frozen=True)
class Points:
    """What is on a map; N images."""

    coordinates: "Tensor"  # float32 (N, 2)
    numbers: list[int]  # of each image in its split
    truth: list[int]  # 0-9
    guess: list[int]
    confidence: list[float]  # of the guess, 0-1
    pictures: str  # the name under which `pictures` are sent


def show(points: Points, colour: str, label: str, *, key: str) -> tuple[list[int], int | None]:
    """Draw a map.

    Args:
        colour: class, prediction or error.
        label: the map in words, for who does not see it.

    Returns:
        The rows that are circled, in rising order, and the row that was just opened.
    """
    from fmnist.data import CLASS_NAMES

    data = {
        **_places(points.coordinates),
        "number": points.numbers,
        "truth": points.truth,
        "guess": points.guess,
        "share": [round(share, 3) for share in points.confidence],
        "names": CLASS_NAMES,
        "colour": colour,
        "columns": COLUMNS,
        "pictures": points.pictures,
        "label": label,
    }
    said = _draw(data=data, key=key, on_picked_change=lambda: None, on_opened_change=lambda: None)
    picked = [row for row in said.get("picked") or [] if 0 <= row < len(points.numbers)]
    return sorted(picked), said.opened


def pictures(name: str, sheet: str, *, key: str) -> None:
    """Send the pictures of a map, once. Args: see `sheet`."""
    _carry(data={"name": name, "sheet": sheet}, key=key, height=1)


def sheet(images: "Tensor") -> str:
    """Images in rows of COLUMNS in one PNG, as a data address: uint8 (N, 28, 28), N > 0."""
    import torch

    rows = -(-len(images) // COLUMNS)
    full = torch.zeros(rows * COLUMNS, 28, 28, dtype=torch.uint8)
    full[: len(images)] = images
    pixels = full.view(rows, COLUMNS, 28, 28).permute(0, 2, 1, 3).reshape(rows * 28, COLUMNS * 28)
    file = io.BytesIO()
    Image.fromarray(pixels.numpy()).save(file, format="PNG")  # without the search for the smallest: that takes seconds
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def _places(coordinates: "Tensor") -> dict[str, Any]:
    """The coordinates as whole units of a square, which each direction fills."""
    low = coordinates.amin(0)
    size = (coordinates.amax(0) - low).clamp(min=1e-12)
    units = ((coordinates - low) / size * UNITS).round().int()
    return {"x": units[:, 0].tolist(), "y": units[:, 1].tolist(), "units": UNITS}
