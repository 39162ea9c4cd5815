"""How a figure changed, as the page shows it."""

import pytest

from ui.labels import points
from ui.runs.run_rows import change


@pytest.mark.parametrize(
    ("difference", "said", "color"), [(0.012, "+1.20 points", "normal"), (-0.5, "-50.00 points", "normal"), (1e-7, "0.00 points", "off")]
)
def test_an_accuracy_that_rose_is_good_and_one_that_stayed_is_neither(difference: float, said: str, color: str):
    shown = change(difference, points)
    assert (shown["delta"], shown["delta_color"]) == (said, color)


@pytest.mark.parametrize(
    ("difference", "said", "color"), [(-0.0123, "-0.0123", "inverse"), (-0.00001, "0.0000", "off"), (0.0, "0.0000", "off")]
)
def test_a_loss_that_fell_is_good(difference: float, said: str, color: str):
    shown = change(difference, better="less")
    assert (shown["delta"], shown["delta_color"]) == (said, color)
    assert ("delta_arrow" in shown) == (color == "off")


def test_without_an_epoch_before_nothing_is_said():
    assert change(None) == {}
