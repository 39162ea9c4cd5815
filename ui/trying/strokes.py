"""Simple drawings that come with the studio, as lines on a canvas of 400 x 400; made for it, by nobody else."""

import base64
import io
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

from PIL import Image, ImageDraw

from ui.trying.drawing import BLACK, SIDE, WHITE, Objects

WIDTH = 9  # pixels of the pen
FINE = 3  # times as large while it is drawn, for smooth edges

Line = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Sketch:
    """A drawing in lines."""

    word: str  # in an address
    name: str  # for a person
    lines: tuple[Line, ...]


def _mirrored(*half: tuple[float, float]) -> Line:
    """A closed outline from its left half, from the top to the bottom."""
    return (*half, *((SIDE - x, y) for x, y in reversed(half)), half[0])


SKETCHES = (
    Sketch(
        "t-shirt",
        "T-shirt",
        (
            _mirrored((158, 58), (110, 74), (28, 150), (72, 198), (112, 164), (112, 350)),
            ((158, 58), (170, 86), (200, 98), (230, 86), (242, 58)),
        ),
    ),
    Sketch("trousers", "Trousers", (_mirrored((134, 34), (116, 180), (104, 368), (172, 368), (196, 150)), ((130, 64), (270, 64)))),
    Sketch(
        "dress",
        "Dress",
        (_mirrored((160, 30), (150, 34), (152, 96), (140, 120), (156, 176), (106, 366)), ((160, 30), (176, 74), (224, 74), (240, 30))),
    ),
    Sketch(
        "shoe",
        "Shoe",
        (
            (
                (44, 178),
                (36, 236),
                (34, 286),
                (130, 290),
                (368, 288),
                (372, 262),
                (342, 238),
                (276, 220),
                (214, 172),
                (180, 150),
                (150, 184),
                (92, 190),
                (44, 178),
            ),
            ((36, 262), (150, 268), (370, 266)),
            ((190, 184), (206, 166)),
            ((214, 202), (230, 184)),
            ((240, 218), (256, 202)),
        ),
    ),
    Sketch(
        "boot",
        "Ankle boot",
        (
            (
                (128, 60),
                (132, 170),
                (112, 236),
                (104, 328),
                (168, 328),
                (176, 312),
                (220, 328),
                (338, 328),
                (340, 290),
                (304, 264),
                (246, 236),
                (234, 170),
                (236, 60),
                (128, 60),
            ),
            ((106, 304), (176, 306), (338, 304)),
        ),
    ),
    Sketch(
        "bag",
        "Bag",
        (
            _mirrored((70, 160), (52, 334)),
            ((134, 160), (140, 96), (170, 66), (230, 66), (260, 96), (266, 160)),
            ((66, 200), (334, 200)),
        ),
    ),
)


def sketch(word: str) -> Sketch | None:
    """The drawing of that word."""
    return next((each for each in SKETCHES if each.word == word), None)


def objects(drawn: Sketch, paper: bool = False) -> Objects:
    """The lines as the canvas knows them."""
    return [_path(_smooth(line), BLACK if paper else WHITE) for line in drawn.lines]


def picture(drawn: Sketch, paper: bool = False) -> Image.Image:
    """The lines as a picture: mode L, SIDE x SIDE."""
    large = Image.new("L", (SIDE * FINE, SIDE * FINE), 255 if paper else 0)
    pen, ink = ImageDraw.Draw(large), 0 if paper else 255
    for line in drawn.lines:
        points = [(x * FINE, y * FINE) for x, y in _smooth(line)]
        pen.line(points, fill=ink, width=WIDTH * FINE, joint="curve")
        for x, y in (points[0], points[-1]):
            pen.circle((x, y), WIDTH * FINE / 2, fill=ink)
    return large.resize((SIDE, SIDE), Image.Resampling.BOX)


def png(drawn: Sketch, paper: bool = False) -> bytes:
    file = io.BytesIO()
    picture(drawn, paper).save(file, format="PNG")
    return file.getvalue()


@lru_cache
def address(drawn: Sketch) -> str:
    """The picture, white on black, as a data address."""
    return f"data:image/png;base64,{base64.b64encode(png(drawn)).decode()}"


def _smooth(line: Line) -> Line:
    """Corners cut twice, so that it looks as if drawn by hand. Source: G. Chaikin, An algorithm for high-speed curve generation, 1974."""
    for _ in range(2):
        inner = []
        for (x, y), (to_x, to_y) in pairwise(line):
            near = min(0.25, 10 / max(1.0, abs(to_x - x) + abs(to_y - y)))  # a long edge stays straight
            inner += [(x + near * (to_x - x), y + near * (to_y - y)), (to_x - near * (to_x - x), to_y - near * (to_y - y))]
        line = (line[0], *inner, line[-1])
    return line


def _path(line: Line, colour: str) -> dict[str, Any]:
    """A line as the pen of the canvas would have made it."""
    xs, ys = [x for x, _ in line], [y for _, y in line]
    steps = [["M" if place == 0 else "L", round(x, 1), round(y, 1)] for place, (x, y) in enumerate(line)]
    place = {"left": min(xs) - WIDTH / 2, "top": min(ys) - WIDTH / 2, "originX": "left", "originY": "top"}
    size = {"width": max(xs) - min(xs), "height": max(ys) - min(ys)}
    look = {"stroke": colour, "strokeWidth": WIDTH, "fill": None, "strokeLineCap": "round", "strokeLineJoin": "round"}
    return {"type": "Path", **place, **size, **look, "path": steps}
