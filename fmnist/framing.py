"""A garment on black brought into the dataset's frame: 28x28, its longest side 28 pixels, centred."""

import cv2
import numpy as np

SIDE = 28


def box(mask: np.ndarray) -> tuple[slice, slice]:
    """The rows and columns of the smallest box that holds a mask; the whole picture where it is empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return slice(0, mask.shape[0]), slice(0, mask.shape[1])
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def centred(picture: np.ndarray, side: int = SIDE) -> np.ndarray:
    """The longest side brought to `side` pixels, the shorter one filled up with black on both sides: uint8 (side, side)."""
    scale = side / max(picture.shape)
    height, width = (max(1, round(length * scale)) for length in picture.shape)
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(picture, (width, height), interpolation=way)
    canvas = np.zeros((side, side), np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    canvas[top : top + height, left : left + width] = small
    return canvas


def shrunk(picture: np.ndarray, side: int) -> np.ndarray:
    """A picture no longer than `side` on its longest side, by area averages; as it is if it already is."""
    scale = side / max(picture.shape[:2])
    if scale >= 1:
        return picture
    size = tuple(max(1, round(length * scale)) for length in picture.shape[1::-1])
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
