"""The largest pictures that are read: how much memory they take, and that halving them changes nothing but their size."""

import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from math import isqrt
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fmnist import decoding
from fmnist.decoding import HALVED_FROM, MOST_BYTES, MOST_CMYK_PIXELS, MOST_PIXELS, MOST_WEBP_PIXELS, read
from fmnist.errors import PictureError

MOST_MEMORY = 200_000_000
ORIENTATION = 0x0112  # the EXIF tag
# Reads and prepares each file that it is given, each in a process of its own that has everything imported and has done nothing else,
# and prints by how many bytes its memory was at the most above what it had before.
MEASURE = """
import os, sys
from pathlib import Path
from fmnist.pictures import read, to_image

def memory(what):
    [kibibytes] = [line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(what)]
    return 1024 * int(kibibytes)

for path in sys.argv[1:]:
    if os.fork() == 0:
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        before = memory("VmRSS")
        found = to_image(read(Path(path))).found
        print(memory("VmHWM") - before if found else "nothing was found", flush=True)
        os._exit(0)
    os.wait()
"""


def garment(mode: str, most: int = MOST_PIXELS, more: int = 0) -> Image.Image:
    """A dark rectangle on a light ground, three by two, of as many pixels as are allowed; and so many columns more."""
    width = isqrt(3 * most // 2)
    picture = Image.new("L", (width + more, most // width), 240)
    picture.paste(40, (width // 3, most // width // 4, 2 * width // 3, 3 * most // width // 4))
    return picture.convert(mode)


def encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    file = BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def sixteen_bits() -> Image.Image:
    return Image.fromarray(np.asarray(garment("L")).astype(np.uint16) * 257)


def turned() -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    return exif


WHOLE = {"subsampling": 0, "progressive": True}  # what costs a JPEG's decoder the most
LARGEST: dict[str, Callable[[], bytes]] = {
    "transparent.png": lambda: encoded(garment("RGBA"), "PNG", compress_level=1),
    "sixteen-bits.png": lambda: encoded(sixteen_bits(), "PNG", compress_level=1),
    "progressive.jpg": lambda: encoded(garment("RGB"), "JPEG", exif=turned(), **WHOLE),
    "print.jpg": lambda: encoded(garment("CMYK", MOST_CMYK_PIXELS), "JPEG", **WHOLE),
    "transparent.gif": lambda: encoded(garment("L"), "GIF", transparency=3),
    "transparent.webp": lambda: encoded(garment("RGBA", MOST_WEBP_PIXELS), "WEBP", method=0),
}


def test_the_largest_pictures_take_less_than_200_mb(tmp_path: Path) -> None:
    """Each file filled up to the most bytes."""
    for name, content in LARGEST.items():
        (tmp_path / name).write_bytes(content().ljust(MOST_BYTES, b"\0"))
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *(str(tmp_path / name) for name in LARGEST)], capture_output=True, text=True, check=True
    )
    taken = dict(zip(LARGEST, map(int, done.stdout.split()), strict=True))
    assert {name: size for name, size in taken.items() if size >= MOST_MEMORY} == {}
    assert min(taken.values()) > MOST_PIXELS, f"{taken}: less than a byte a pixel is not measured but missed"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (lambda: encoded(garment("L", MOST_WEBP_PIXELS, more=1), "WEBP", method=0), "at most 10 million of a WebP are read"),
        (lambda: encoded(garment("CMYK", MOST_CMYK_PIXELS, more=1), "JPEG"), r"at most 16 million of a picture for printing \(CMYK\)"),
    ],
)
def test_what_takes_more_memory_for_each_pixel_may_have_fewer(content: Callable[[], bytes], words: str) -> None:
    with pytest.raises(PictureError, match=words):
        read(content())


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def halved(pixels: np.ndarray) -> np.ndarray:
    """The mean of every two by two pixels, and at an odd edge of what is there."""
    rows, columns = (range(0, length, 2) for length in pixels.shape[:2])
    sums = np.add.reduceat(np.add.reduceat(pixels.astype(int), rows, 0), columns, 1)
    counts = np.add.reduceat(np.add.reduceat(np.ones_like(pixels, int), rows, 0), columns, 1)
    return sums / counts


@pytest.fixture
def small_is_large(monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
    """Pictures from 5,000 pixels on are halved, in strips of eight rows; a height and a width that end in the middle of both."""
    monkeypatch.setattr(decoding, "HALVED_FROM", 5_000)
    monkeypatch.setattr(decoding, "STRIP", 8)
    return 91, 77


@pytest.mark.parametrize("channels", [(), (3,)], ids=["grey", "colour"])
def test_a_large_picture_becomes_the_means_of_two_by_two_pixels(small_is_large: tuple[int, int], channels: tuple[int, ...]) -> None:
    pixels = noise(*small_is_large, *channels)
    found = np.asarray(read(encoded(Image.fromarray(pixels), "PNG")))
    assert np.abs(found - halved(pixels)).max() <= 0.51


def test_what_is_transparent_is_white_before_it_is_halved(small_is_large: tuple[int, int]) -> None:
    pixels = noise(*small_is_large, 4)
    share = pixels[..., 3:] / 255
    on_white = share * pixels[..., :3] + (1 - share) * 255
    found = np.asarray(read(encoded(Image.fromarray(pixels), "PNG")))
    assert np.abs(found - halved(on_white.round())).max() <= 1.5


def test_a_large_picture_of_sixteen_bits_is_halved_and_upright(small_is_large: tuple[int, int]) -> None:
    pixels = noise(*small_is_large)
    found = read(encoded(Image.fromarray(pixels.astype(np.uint16) * 257), "PNG", exif=turned()))
    assert np.abs(np.rot90(found, 1) - halved(pixels)).max() <= 0.51


def test_a_jpeg_is_halved_while_it_is_decoded(small_is_large: tuple[int, int]) -> None:
    pixels = np.asarray(Image.fromarray(noise(9, 7)).resize(small_is_large[::-1], Image.Resampling.BICUBIC))
    found = np.asarray(read(encoded(Image.fromarray(pixels), "JPEG", quality=95)))
    assert found.shape == halved(pixels).shape
    assert np.abs(found - halved(pixels)).mean() < 2


def test_a_picture_that_is_not_large_keeps_every_pixel() -> None:
    pixels = noise(1_000, 300, 3)
    assert pixels.size < HALVED_FROM
    assert np.array_equal(np.asarray(read(encoded(Image.fromarray(pixels), "PNG"))), pixels)
