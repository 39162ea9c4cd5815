"""How long a person's picture takes to become an image, on one core: a photo and a drawing of two megapixels, a canvas of the studio."""

from io import BytesIO
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from PIL import Image

ROUNDS = 15


def run() -> dict[str, Any]:
    from fmnist.pictures import read, to_image

    result = {}
    for name, content in (("photo", _file(_photo())), ("drawing", _file(_drawing(1_600, 1_250))), ("canvas", _file(_drawing(280, 280)))):
        to_image(read(content))
        times = []
        for _ in range(ROUNDS):
            begun = perf_counter()
            picture = read(content)
            decoded = perf_counter()
            to_image(picture)
            times.append((decoded - begun, perf_counter() - decoded))
        decoding, preparing = (1_000 * median(column) for column in zip(*times, strict=True))
        print(f"{name:<8} {decoding:>5.0f} ms to decode  {preparing:>5.0f} ms to prepare (median of {ROUNDS})")  # noqa: T201
        result[name] = {"decode_ms": round(decoding, 1), "prepare_ms": round(preparing, 1)}
    return result


def _photo() -> np.ndarray:
    """A shirt with folds on a carpet, lit from one side: uint8 (1600, 1250, 3)."""
    generator = np.random.default_rng(0)
    rows, columns = np.mgrid[0:1_600, 0:1_250]
    picture = 150 + 20 * np.sin(rows / 9) + generator.normal(0, 8, rows.shape) + columns / 30
    body = (rows > 300) & (rows < 1_400) & (abs(columns - 620) < 330)
    sleeves = (rows > 300) & (rows < 650) & (abs(columns - 620) < 560)
    picture = np.where(body | sleeves, 70 + 15 * np.sin(columns / 25) + generator.normal(0, 6, rows.shape), picture)
    return np.clip(picture[..., None] + (0, 5, 25), 0, 255).astype(np.uint8)


def _drawing(height: int, width: int) -> np.ndarray:
    """The outline of trousers on white: uint8 (height, width, 3)."""
    import cv2

    corners = np.array([[0.3, 0.1], [0.7, 0.1], [0.8, 0.9], [0.6, 0.9], [0.5, 0.4], [0.4, 0.9], [0.2, 0.9]]) * (width, height)
    canvas = np.full((height, width, 3), 255, np.uint8)
    return cv2.polylines(canvas, [corners.astype(np.int32)], True, (20, 20, 20), max(3, width // 60))


def _file(picture: np.ndarray) -> bytes:
    file = BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=90)
    return file.getvalue()
