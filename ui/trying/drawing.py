"""A drawing with its past: strokes as the canvas describes them, the picture of them, undo, redo, clear, fill. Knows no screen."""

import base64
import binascii
import io
import json
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from PIL import Image, ImageOps

SIDE = 400  # pixels of the canvas
MOST_PAST = 40  # states that undo can go back to
WHITE, BLACK = "#ffffff", "#000000"
FILL_TONE = 150  # of 255: what an outline encloses is darker than its lines, so that they stay visible

Objects = list[dict[str, Any]]


@dataclass(frozen=True)
class State:
    """A drawing at one moment."""

    objects: str = "[]"  # JSON: what the canvas calls its objects, the oldest first
    png: bytes | None = None  # of the whole canvas; None: nothing was drawn, or the browser has not sent it yet
    trace: bytes = b""  # a PNG below the drawing that is seen but not judged

    @property
    def empty(self) -> bool:
        return self.objects == "[]"

    def grey(self, ground: str) -> np.ndarray:
        """What is on the canvas: uint8 (SIDE, SIDE)."""
        below = Image.new("RGBA", (SIDE, SIDE), ground)
        if self.png is None or self.empty:
            return np.asarray(below.convert("L"))
        with Image.open(io.BytesIO(self.png)) as opened:
            above = opened.convert("RGBA").resize((SIDE, SIDE))
        return np.asarray(Image.alpha_composite(below, above).convert("L"))


@dataclass
class Drawing:
    """The drawing of one visitor."""

    id: str
    paper: bool = False  # dark on white, as with a pencil, instead of white on black
    states: list[State] = field(default_factory=lambda: [State()])
    at: int = 0  # which of them is seen
    revision: int = 0  # grows when the drawing is changed here and not with the pen: the canvas then draws it anew
    awaiting: bool = False  # the canvas will send the picture of what it was given

    @property
    def now(self) -> State:
        return self.states[self.at]

    @property
    def ground(self) -> str:
        return WHITE if self.paper else BLACK

    @property
    def can_undo(self) -> bool:
        return self.at > 0

    @property
    def can_redo(self) -> bool:
        return self.at < len(self.states) - 1

    def given(self) -> Objects:
        """What the canvas is to show: an object that nobody sees and that says which revision this is, and the drawing."""
        mark = {"type": "Rect", "left": 0, "top": 0, "width": 1, "height": 1, "visible": False, "fill": f"#{self.revision:06x}"}
        return [mark, *json.loads(self.now.objects)]

    def received(self, sent: Objects) -> Objects | None:
        """The drawing in what the canvas has sent; None if that was on its way when the drawing was changed here."""
        if not sent or sent[0].get("visible", True):
            return sent
        return sent[1:] if sent[0].get("fill") == f"#{self.revision:06x}" else None

    def drawn(self, objects: Objects, png: bytes | None) -> bool:
        """The canvas has sent what it shows. Returns whether anything is new."""
        state = State(json.dumps(objects), png, self.now.trace)
        if state == self.now:
            return False
        echo = self.awaiting and len(objects) == len(json.loads(self.now.objects))
        self.awaiting = False
        if echo and self.now.png:  # the same picture, but for a pixel here and there: the answer must not change by itself
            return False
        if echo or state.objects == self.now.objects:
            self.states[self.at] = state
        else:
            self._add(state)
        return True

    def undo(self) -> None:
        self._show(max(0, self.at - 1))

    def redo(self) -> None:
        self._show(min(len(self.states) - 1, self.at + 1))

    def clear(self) -> None:
        """An empty canvas, which can be undone."""
        if self.now != State():
            self._add(State())
            self._changed()

    def replace(self, objects: Objects, png: bytes | None = None) -> None:
        """Something else under the pen, which can be undone."""
        self._add(State(json.dumps(objects), png, self.now.trace))
        self._changed()

    def fill(self) -> None:
        """Colour what the lines enclose, if they enclose anything."""
        enclosed = enclosed_by_lines(self.grey())
        if enclosed.any():
            self._paint(enclosed, 255 - FILL_TONE if self.paper else FILL_TONE)

    def pour(self, point: dict[str, Any], shade: int) -> None:
        """Colour the area in which somebody put a point, up to the lines around it.

        Args:
            point: as the canvas describes it.
            shade: 0-100, as `ink` has it.
        """
        x, y = (float(point.get(name) or 0) for name in ("left", "top"))
        area = area_around(self.grey(), round(x + 1.5), round(y))
        self._put(area, np.full((SIDE, SIDE), self.tone(shade), np.uint8))

    def flatten(self) -> None:
        """All strokes become one picture."""
        self.states[self.at] = flattened(self.now)
        self._changed()

    def trace_over(self, png: bytes) -> None:
        """An empty canvas with something to be seen faintly below it."""
        self._add(State(trace=png))
        self._changed()

    def tone(self, shade: int) -> int:
        """Grey, 0-255, that is so many hundredths of the way from the ground to its opposite."""
        return round(255 * (1 - shade / 100)) if self.paper else round(2.55 * shade)

    def ink(self, shade: int) -> str:
        """The same as a colour of the canvas."""
        return f"#{self.tone(shade):02x}{self.tone(shade):02x}{self.tone(shade):02x}"

    def turn(self, paper: bool) -> None:
        """White on black becomes dark on white, or the reverse; what was drawn stays."""
        if paper == self.paper:
            return
        self.paper = paper
        self.states = [_negative(state) for state in self.states]
        self._changed()

    def grey(self) -> np.ndarray:
        """What is on the canvas, without what lies below it to be traced: uint8 (SIDE, SIDE)."""
        return self.now.grey(self.ground)

    def _paint(self, area: np.ndarray, tone: int) -> None:
        """Colour an area; where a line has a soft edge, whichever of the two is farther from the ground."""
        seen = self.grey()
        tones = (np.minimum if self.paper else np.maximum)(seen, tone).astype(np.uint8)
        self._put(area, tones)

    def _put(self, area: np.ndarray, tones: np.ndarray) -> None:
        """Lay a picture over the drawing: bool and uint8 (SIDE, SIDE)."""
        painted = np.where(area, tones, self.grey())
        self.replace([*json.loads(self.now.objects), picture_object(_overlay(area, tones))], _png(painted))

    def _add(self, state: State) -> None:
        self.states = [*self.states[: self.at + 1], state][-MOST_PAST:]
        self.at = len(self.states) - 1

    def _show(self, at: int) -> None:
        if at != self.at:
            self.at = at
            self._changed()

    def _changed(self) -> None:
        self.revision += 1
        self.awaiting = True


def enclosed_by_lines(grey: np.ndarray) -> np.ndarray:
    """What cannot be reached from the border without crossing a line: bool (H, W). Gaps of up to ten pixels count as closed."""
    import cv2  # heavy, and only a click on "Fill" needs it

    ground = int(np.bincount(grey[[0, -1]].ravel()).argmax())
    lines = (np.abs(grey.astype(int) - ground) > 24).astype(np.uint8)
    thick = cv2.dilate(lines, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (11, 11)))  # bridges gaps
    back = cv2.dilate(_unreachable(thick), np.ones((13, 13), np.uint8)) > 0  # to the lines again
    inside = ((back & (lines == 0)) | (_unreachable(lines) > 0)).astype(np.uint8)  # the latter: what is too narrow for that
    return cv2.dilate(inside, np.ones((5, 5), np.uint8)) > 0  # under the soft edge of the lines


def _unreachable(walls: np.ndarray) -> np.ndarray:
    """Where no way leads from the border, the walls not counted: uint8 (H, W), 0 or 1."""
    import cv2

    flooded = np.pad(walls, 1)
    cv2.floodFill(flooded, None, (0, 0), (2,))
    return (flooded[1:-1, 1:-1] == 0).astype(np.uint8)


def area_around(grey: np.ndarray, x: int, y: int) -> np.ndarray:
    """What has nearly the tone of a place and is joined to it, and the soft edge around it: bool (H, W)."""
    import cv2

    height, width = grey.shape
    mask = np.zeros((height + 2, width + 2), np.uint8)
    seed = (min(width - 1, max(0, x)), min(height - 1, max(0, y)))
    cv2.floodFill(grey.copy(), mask, seed, (0,), (24,), (24,), 4 | cv2.FLOODFILL_FIXED_RANGE | cv2.FLOODFILL_MASK_ONLY | (1 << 8))
    return cv2.dilate(mask[1:-1, 1:-1], np.ones((3, 3), np.uint8)) > 0


def picture_object(picture: Image.Image, margin: int = 0) -> dict[str, Any]:
    """A picture as an object of the canvas: over all of it, or so far from its edges."""
    source = f"data:image/png;base64,{base64.b64encode(_png(picture)).decode()}"
    room = SIDE - 2 * margin
    size = {"width": picture.width, "height": picture.height, "scaleX": room / picture.width, "scaleY": room / picture.height}
    place = {"left": margin, "top": margin, "originX": "left", "originY": "top"}
    return {"type": "Image", **place, **size, "src": source, "strokeWidth": 0}


def flattened(state: State) -> State:
    """The same picture as one object: for a drawing of so many strokes that keeping each would be too much."""
    if state.png is None:
        return State()
    with Image.open(io.BytesIO(state.png)) as opened:
        return replace(state, objects=json.dumps([picture_object(opened.convert("RGBA"))]))


def _overlay(area: np.ndarray, tones: np.ndarray) -> Image.Image:
    """An area as a picture that is clear elsewhere: bool and uint8 (H, W)."""
    return Image.fromarray(np.dstack([tones, tones, tones, np.where(area, 255, 0).astype(np.uint8)]))


def _negative(state: State) -> State:
    """All colours turned around."""
    objects = [_negative_object(each) for each in json.loads(state.objects)]
    png = None if state.png is None else _png(_negative_picture(state.png))
    return State(json.dumps(objects), png, _png(_negative_picture(state.trace)) if state.trace else b"")


def _negative_object(drawn: dict[str, Any]) -> dict[str, Any]:
    turned = {**drawn, **{name: _negative_colour(drawn[name]) for name in ("stroke", "fill") if isinstance(drawn.get(name), str)}}
    head, comma, body = str(drawn.get("src", "")).partition("base64,")
    if comma:
        try:
            turned["src"] = head + comma + base64.b64encode(_png(_negative_picture(base64.b64decode(body)))).decode()
        except (binascii.Error, OSError):  # what the canvas cannot show either
            return drawn
    return turned


def _negative_colour(colour: str) -> str:
    """ "#ffffff" -> "#000000"; anything but six digits stays, as "transparent" does."""
    try:
        return f"#{0xFFFFFF - int(colour[1:], 16):06x}" if len(colour) == 7 and colour[0] == "#" else colour
    except ValueError:
        return colour


def _negative_picture(png: bytes) -> Image.Image:
    with Image.open(io.BytesIO(png)) as opened:
        *colours, alpha = opened.convert("RGBA").split()
    return Image.merge("RGBA", [*(ImageOps.invert(band) for band in colours), alpha])


def _png(picture: Image.Image | np.ndarray) -> bytes:
    file = io.BytesIO()
    (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(file, format="PNG")
    return file.getvalue()
