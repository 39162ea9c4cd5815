"""A drawing with its past, and what is kept of it on the disk."""

import base64
import io
import json
import os
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fmnist.errors import PictureError
from ui.trying import claims, drawing_files, strokes
from ui.trying.drawing import BLACK, FILL_TONE, SIDE, Drawing, Objects, State, area_around, enclosed_by_lines

STROKE = {"type": "Path", "stroke": "#ffffff", "fill": None, "path": [["M", 10, 10], ["L", 90, 90]]}


def picture(grey: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGBA", (SIDE, SIDE), (grey, grey, grey, 255)).save(file, format="PNG")
    return file.getvalue()


def sized(width: int, height: int, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.new("L", (width, height)).save(file, format=kind)
    return file.getvalue()


def objects(drawing: Drawing) -> Objects:
    return json.loads(drawing.now.objects)


@pytest.fixture
def drawing() -> Drawing:
    """Two strokes, drawn one after the other."""
    drawn = Drawing("0" * 16)
    assert drawn.drawn([STROKE], picture(10))
    assert drawn.drawn([STROKE, STROKE], picture(20))
    return drawn


def test_each_stroke_can_be_undone_and_done_again_with_its_picture(drawing: Drawing) -> None:
    drawing.undo()
    assert (len(objects(drawing)), int(drawing.grey()[0, 0])) == (1, 10)
    drawing.undo()
    assert (len(objects(drawing)), int(drawing.grey()[0, 0]), drawing.can_undo) == (0, 0, False)
    drawing.redo()
    drawing.redo()
    assert (len(objects(drawing)), int(drawing.grey()[0, 0]), drawing.can_redo) == (2, 20, False)


def test_a_cleared_drawing_comes_back_with_undo(drawing: Drawing) -> None:
    drawing.clear()
    assert drawing.now == State()
    drawing.undo()
    assert len(objects(drawing)) == 2


def test_what_the_canvas_sends_back_after_a_change_from_here_is_no_new_stroke(drawing: Drawing) -> None:
    drawing.undo()
    echo = [{**STROKE, "version": "7.0.0"}]  # the canvas adds what it likes
    assert not drawing.drawn(echo, picture(11))
    assert (drawing.at, len(drawing.states), int(drawing.grey()[0, 0])) == (1, 3, 10)
    assert drawing.can_redo
    assert drawing.drawn([*echo, STROKE], picture(30))
    assert not drawing.can_redo


def test_what_was_on_its_way_from_the_canvas_when_the_drawing_was_changed_here_is_passed_over(drawing: Drawing) -> None:
    sent_before = [*drawing.given(), STROKE]
    drawing.clear()
    assert drawing.received(sent_before) is None
    assert drawing.received([*drawing.given(), STROKE]) == [STROKE]
    drawing.undo()
    assert drawing.received(drawing.given()) == [STROKE, STROKE]
    assert drawing.received([STROKE]) == [STROKE]


def test_the_same_again_is_nothing_new(drawing: Drawing) -> None:
    assert not drawing.drawn([STROKE, STROKE], picture(20))
    assert len(drawing.states) == 3


def test_paper_turns_lines_and_pictures_around_and_back(drawing: Drawing) -> None:
    drawing.fill()
    before = [state.objects for state in drawing.states]
    drawing.turn(True)
    assert objects(drawing)[0]["stroke"] == BLACK
    assert int(drawing.grey()[0, 0]) == 235
    drawing.turn(False)
    assert [state.objects for state in drawing.states] == before


def test_fill_colours_what_a_line_encloses_and_nothing_else() -> None:
    drawn = Drawing("0" * 16)
    ring = np.zeros((SIDE, SIDE), np.uint8)
    ring[100:300, 100:300] = 255
    ring[110:290, 110:290] = 0
    file = io.BytesIO()
    Image.fromarray(ring).save(file, format="PNG")
    drawn.drawn([STROKE], file.getvalue())
    drawn.fill()
    grey = drawn.grey()
    assert (int(grey[200, 200]), int(grey[105, 200]), int(grey[50, 50])) == (FILL_TONE, 255, 0)
    assert np.isin(grey, (0, FILL_TONE, 255)).all()
    assert int((grey == FILL_TONE).sum()) == 180 * 180
    assert len(objects(drawn)) == 2
    drawn.undo()
    assert int(drawn.grey()[200, 200]) == 0


def test_an_open_line_encloses_nothing_and_a_small_gap_is_no_opening() -> None:
    grey = np.zeros((SIDE, SIDE), np.uint8)
    grey[100:300, 100:104] = grey[100:300, 296:300] = grey[100:104, 100:300] = 255
    assert not enclosed_by_lines(grey).any()
    grey[296:300, 100:300] = 255
    grey[296:300, 190:198] = 0  # eight pixels
    assert enclosed_by_lines(grey)[200, 200]


def test_the_bucket_stops_at_a_line() -> None:
    grey = np.zeros((SIDE, SIDE), np.uint8)
    grey[:, 200:206] = 255
    area = area_around(grey, 10, 10)
    assert area[:, :200].all()
    assert not area[:, 202:].any()


@pytest.mark.parametrize("sketch", strokes.SKETCHES, ids=lambda sketch: sketch.word)
def test_a_sketch_is_the_same_for_the_canvas_and_as_a_picture(sketch: strokes.Sketch) -> None:
    seen = np.asarray(strokes.picture(sketch))
    for line in strokes.objects(sketch):
        for _, x, y in line["path"]:
            assert seen[min(SIDE - 1, round(y)), min(SIDE - 1, round(x))] > 100


# ---- on the disk -----------------------------------------------------------------------------------------------------------------------


def test_a_drawing_that_is_kept_is_found_again_whole(home: Path, drawing: Drawing) -> None:
    drawing.turn(True)
    drawing_files.keep(drawing)
    found = drawing_files.find(drawing.id)
    assert found
    assert (found.now, found.paper) == (drawing.now, True)
    found.undo()
    assert found.now == State()


def test_an_empty_drawing_leaves_no_file(home: Path, drawing: Drawing) -> None:
    drawing_files.keep(drawing)
    drawing.clear()
    drawing_files.keep(drawing)
    assert list((home / "runs" / "drawings").iterdir()) == []


def test_a_drawing_of_very_many_strokes_is_kept_as_one_picture(home: Path, drawing: Drawing) -> None:
    many = [STROKE | {"path": [["L", place, place] for place in range(2_000)]} for _ in range(40)]
    drawing.drawn(many, picture(77))
    drawing_files.keep(drawing)
    [file] = (home / "runs" / "drawings").iterdir()
    assert file.stat().st_size < 100_000
    found = drawing_files.find(drawing.id)
    assert found
    assert len(objects(found)) == 1
    assert int(found.grey()[5, 5]) == 77


@pytest.mark.parametrize("word", ["", "../../etc/passwd", "0" * 15, "G" * 16, "f" * 16])
def test_an_address_that_names_no_drawing_finds_none(home: Path, word: str) -> None:
    assert drawing_files.find(word) is None


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"objects": 3, "png": null, "trace": "", "paper": false}', '{"objects": [], "png": "%"}']
)
def test_a_damaged_file_is_no_drawing(home: Path, content: str) -> None:
    folder = home / "runs" / "drawings"
    folder.mkdir(parents=True)
    (folder / f"{'a' * 16}.json").write_text(content)
    assert drawing_files.find("a" * 16) is None


DEEP = "[" * 3_000 + "]" * 3_000
CLAIMED: dict[str, tuple[str, str]] = {  # what -> the objects, and the picture, as JSON
    "not base64": ("[]", '"%%%"'),
    "base64 of text": ("[]", '"aGVsbG8="'),
    "half a picture": ("[]", json.dumps(base64.b64encode(picture(9)[:80]).decode())),
    "a picture that is too wide": ("[]", json.dumps(base64.b64encode(sized(5_000, 4)).decode())),
    "a header of a bomb": ("[]", json.dumps(base64.b64encode(picture(9)[:16] + b"\0\1\0\0" * 2 + picture(9)[24:]).decode())),
    "a GIF": ("[]", json.dumps(base64.b64encode(sized(400, 400, "GIF")).decode())),
    "a picture that is a number": ("[]", "7"),
    "a picture that is a list": ("[]", "[1]"),
    "a picture that is NaN": ("[]", "NaN"),
    "a picture of 100 MB": ("[]", json.dumps("A" * 100_000_000)),
    "objects that are a number": ("3", "null"),
    "objects that are a text": ('"strokes"', "null"),
    "objects that are an object": ('{"a": 1}', "null"),
    "objects that are null": ("null", "null"),
    "strings for strokes": ('["a", "b"]', "null"),
    "lists for strokes": ("[[1]]", "null"),
    "a stroke without a type": ('[{"path": []}]', "null"),
    "a stroke at NaN": ('[{"type": "Path", "left": NaN}]', "null"),
    "a stroke at infinity": ('[{"type": "Path", "left": -Infinity}]', "null"),
    "a stroke at a word": ('[{"type": "Path", "left": "here"}]', "null"),
    "a picture elsewhere": ('[{"type": "Image", "src": "http://example.org/a.png"}]', "null"),
    "a picture elsewhere, in a group": ('[{"type": "Group", "objects": [{"type": "Image", "src": "//example.org/a.png"}]}]', "null"),
    "a script for a picture": ('[{"type": "Image", "src": "data:text/html;base64,PGI+"}]', "null"),
    "a damaged picture in a stroke": ('[{"type": "Image", "src": "data:image/png;base64,AAAA"}]', "null"),
    "very deep": (DEEP, "null"),
    "very many strokes": (json.dumps([{"type": "a"}] * 30_000), "null"),
}


@pytest.mark.parametrize("what", CLAIMED)
def test_a_file_that_claims_what_no_canvas_draws_is_no_drawing(home: Path, what: str) -> None:
    folder, (said, png) = home / "runs" / "drawings", CLAIMED[what]
    folder.mkdir(parents=True)
    (folder / f"{'a' * 16}.json").write_text(f'{{"objects": {said}, "png": {png}, "trace": "", "paper": false}}')
    assert drawing_files.find("a" * 16) is None
    assert (folder / f"{'a' * 16}.json").exists()
    with pytest.raises(PictureError, match="Clear the canvas and draw it again"):
        _believe(_or_none(said), _or_none(png))


def _believe(said: object, png: object) -> None:
    claims.objects(said)
    claims.picture(png)


def _or_none(text: str) -> object:
    try:
        return json.loads(text)
    except RecursionError:
        return None


def test_a_pipe_in_the_place_of_a_drawing_is_not_waited_for(home: Path) -> None:
    folder = home / "runs" / "drawings"
    folder.mkdir(parents=True)
    os.mkfifo(folder / f"{'a' * 16}.json")
    assert drawing_files.find("a" * 16) is None


def test_old_drawings_and_too_many_of_them_go(home: Path, drawing: Drawing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing_files, "MOST", 3)
    now = time.time()
    for place, age in enumerate((10, 20, 30, 40, 40 * 86_400)):
        drawing.id = f"{place:016x}"
        drawing_files.keep(drawing)
        os.utime(home / "runs" / "drawings" / f"{drawing.id}.json", (now - age, now - age))
    drawing.id = "f" * 16
    drawing_files.keep(drawing)
    assert {path.stem for path in (home / "runs" / "drawings").iterdir()} == {f"{0:016x}", f"{1:016x}", "f" * 16}


def test_a_sketch_as_an_address_is_its_picture() -> None:
    content = base64.b64decode(strokes.address(strokes.SKETCHES[-1]).partition("base64,")[2])
    with Image.open(io.BytesIO(content)) as opened:
        assert np.array_equal(np.asarray(opened), np.asarray(strokes.picture(strokes.SKETCHES[-1])))
