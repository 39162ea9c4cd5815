"""Numbers as colours: blue is below zero, white is zero, red is above; the same on light and dark pages."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

RED, BLUE = (205, 32, 24), (24, 82, 214)
SCALE = f"linear-gradient(90deg, rgb{BLUE}, #fff, rgb{RED})"  # as a background in CSS, from -1 to 1
HALF_SCALE = f"linear-gradient(90deg, #fff, rgb{RED})"  # from 0 to 1
GAMMA = 0.7  # below 1: weak numbers are seen, too
INK = 0.45  # how dark an image is drawn under the colours


def signed(values: "Tensor", paper: "np.ndarray | float" = 255.0) -> np.ndarray:
    """Colours of numbers from -1 to 1 (what is beyond is cut): float (H, W) -> uint8 (H, W, 3).

    Args:
        paper: what is seen where the number is 0, as grey 0-255: one for all, or (H, W).
    """
    numbers = np.clip(values.numpy(), -1, 1)[..., None]
    strength = np.abs(numbers) ** GAMMA
    colour = np.where(numbers > 0, np.array(RED, dtype=float), np.array(BLUE, dtype=float))
    return np.rint(colour * strength + np.broadcast_to(np.asarray(paper), values.shape)[..., None] * (1 - strength)).astype(np.uint8)


def over(image: "Tensor", values: "Tensor") -> np.ndarray:
    """The same colours on an image, which is drawn grey on white below them: uint8 (28, 28), float (28, 28) -> uint8 (28, 28, 3)."""
    return signed(values, 255 - INK * image.numpy().astype(float))


def grey(values: "Tensor") -> np.ndarray:
    """Numbers from 0 to 1 (what is beyond is cut) as grey, 1 is white: float (H, W) -> uint8 (H, W)."""
    return np.rint(255 * np.clip(values.numpy(), 0, 1)).astype(np.uint8)
