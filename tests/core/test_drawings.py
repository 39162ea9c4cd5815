"""Lines are found whatever they were drawn with, and what they enclose is filled, but not what only looks enclosed."""

import cv2
import numpy as np
import pytest

from fmnist import drawings, filling

SIDE = 280


def blank() -> np.ndarray:
    return np.zeros((SIDE, SIDE), np.uint8)


def drawn(*lines: list[tuple[int, int]], thick: int = 9, closed: bool = True) -> np.ndarray:
    """Lines through the given (x, y): bool (280, 280)."""
    return cv2.polylines(blank(), [np.array(line, np.int32) for line in lines], closed, (255,), thick) > 0


def filled(mask: np.ndarray, how: str = "auto") -> filling.Filled:
    return filling.fill(drawings.at_work_side(mask), how)  # type: ignore[arg-type]


def is_filled_at(result: filling.Filled, across: float, down: float) -> bool:
    """Whether the place at these shares of the drawing's box is inside."""
    rows, columns = np.flatnonzero(result.strokes.any(axis=1)), np.flatnonzero(result.strokes.any(axis=0))
    row, column = rows[0] + down * np.ptp(rows), columns[0] + across * np.ptp(columns)
    return bool(result.inside[round(row), round(column)])


TROUSERS = [(80, 20), (200, 20), (230, 260), (170, 260), (140, 110), (110, 260), (50, 260)]
BODY = [(40, 130), (240, 130), (240, 260), (40, 260)]


def handle(thick: int = 9) -> np.ndarray:
    return cv2.ellipse(blank(), (140, 130), (70, 100), 0, 180, 360, (255,), thick) > 0


def test_what_an_outline_encloses_is_filled_and_the_ground_between_trouser_legs_is_not() -> None:
    result = filled(drawn(TROUSERS))
    assert (is_filled_at(result, 0.5, 0.15), is_filled_at(result, 0.2, 0.8), is_filled_at(result, 0.8, 0.8)) == (True, True, True)
    assert not is_filled_at(result, 0.5, 0.9)
    assert result.gap == 0


@pytest.mark.parametrize("gap", [6, 14, 26])
def test_a_gap_in_an_outline_is_closed_first(gap: int) -> None:
    opened = drawn(BODY)
    opened[120:140, 140 - gap // 2 : 140 + gap // 2] = False
    result = filled(opened)
    assert is_filled_at(result, 0.5, 0.5)


def test_an_outline_that_is_far_from_closed_is_left_as_lines() -> None:
    assert not filled(drawn([(40, 20), (60, 260)], [(240, 20), (220, 260)], closed=False)).inside.any()


def test_a_bags_handle_stays_open_and_its_body_is_filled() -> None:
    result = filled(drawn(BODY) | handle())
    assert not is_filled_at(result, 0.5, 0.25)
    assert is_filled_at(result, 0.5, 0.7)


def test_a_dresss_top_is_no_handle() -> None:
    top = [(90, 20), (120, 60), (160, 60), (190, 20), (180, 130), (100, 130)]
    result = filled(drawn(top, [(100, 130), (180, 130), (240, 260), (40, 260)]))
    assert is_filled_at(result, 0.5, 0.35)
    assert is_filled_at(result, 0.5, 0.7)


def test_filling_is_forced_or_left_out_on_request() -> None:
    bag = drawn(BODY) | handle()
    assert is_filled_at(filled(bag, "on"), 0.5, 0.25)
    assert not filled(bag, "off").inside.any()


def test_two_shoes_are_filled_and_the_ground_between_them_is_not() -> None:
    shoes = [[(20 + x, 60), (110 + x, 60), (110 + x, 220), (20 + x, 220)] for x in (0, 140)]
    result = filled(drawn(*shoes))
    assert (is_filled_at(result, 0.2, 0.5), is_filled_at(result, 0.5, 0.5), is_filled_at(result, 0.8, 0.5)) == (True, False, True)


@pytest.mark.parametrize("thick", [1, 3, 9, 20])
def test_lines_become_as_wide_as_survive_at_28_pixels(thick: int) -> None:
    lines = drawings.at_work_side(drawn(TROUSERS, thick=thick))
    wanted = drawings.LINE * drawings.WORK_SIDE / 28
    assert drawings.line_width(lines) == pytest.approx(wanted, abs=4)


def test_what_was_drawn_solid_keeps_its_form_and_gets_an_edge() -> None:
    solid = cv2.fillPoly(blank(), [np.array(TROUSERS, np.int32)], (255,)) > 0
    result = filled(solid)
    shown = filling.shown(result)
    assert filling.is_solid(result)
    assert shown[drawings.MARGIN + 40, shown.shape[1] // 2] == filling.TONE
    share = (shown > 0).sum() / np.prod([np.ptp(np.flatnonzero(shown.any(axis=axis))) for axis in (0, 1)])
    box = solid[20:261, 50:231]
    assert share == pytest.approx(box.mean(), rel=0.06)


def test_specks_are_no_lines() -> None:
    inked = np.where(drawn(TROUSERS), 255, 0).astype(np.uint8)
    speckled = inked.copy()
    speckled[5:8, 5:8] = 255
    assert np.array_equal(drawings.strokes(speckled), drawings.strokes(inked))


def test_the_shadow_on_a_sheet_is_no_ink() -> None:
    sheet = np.broadcast_to(np.linspace(230, 90, SIDE), (SIDE, SIDE)) - 60 * drawn(TROUSERS, thick=5)
    inked, bright = drawings.ink(sheet.clip(0, 255).astype(np.uint8))
    assert not bright
    found, wanted = drawings.strokes(inked), drawn(TROUSERS, thick=5)
    assert (found & wanted).sum() / (found | wanted).sum() > 0.8


def test_yellow_on_white_is_ink() -> None:
    picture = np.where(drawn(TROUSERS)[..., None], (255, 240, 0), (255, 255, 255)).astype(np.uint8)
    assert drawings.is_one(picture)
    assert np.array_equal(drawings.strokes(drawings.ink(picture)[0]), drawn(TROUSERS))


@pytest.mark.parametrize("ground", [0, 255])
def test_an_empty_canvas_has_no_lines(ground: int) -> None:
    inked, _ = drawings.ink(np.full((SIDE, SIDE), ground, np.uint8))
    assert drawings.is_nothing(drawings.strokes(inked))
