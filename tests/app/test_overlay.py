"""The curves of many runs in one drawing, and how each run looks: by hand, by law, and for the colour-blind."""

import json
import re
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from fmnist.config import TrainConfig
from fmnist.events import Epoch, Stretch
from ui import parallel
from ui.comparing import looks, overlay
from ui.comparing.overlay import Curves, View
from ui.training import charts

# Machado, Oliveira and Fernandes (2009): what is left of linear RGB for people without one kind of cones.
BLINDNESS = {
    "none": np.eye(3),
    "protanopia": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]),
    "deuteranopia": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]),
    "tritanopia": np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]),
}


def linear(color: str) -> np.ndarray:
    """#rrggbb -> linear RGB, 0-1."""
    value = np.array([int(color[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def oklab(rgb: np.ndarray) -> np.ndarray:
    """Ottosson's OKLab (2020) of linear RGB."""
    cones = np.array([[0.41222147, 0.53633254, 0.05144599], [0.21190350, 0.68069955, 0.10739696], [0.08830246, 0.28171884, 0.62997870]])
    mix = np.array([[0.21045426, 0.79361779, -0.00407205], [1.97799850, -2.42859221, 0.45059371], [0.02590404, 0.78277177, -0.80867577]])
    return mix @ np.cbrt(np.clip(cones @ rgb, 0, None))


def contrast(one: str, other: str) -> float:
    """As WCAG defines it."""
    light = sorted(float(linear(color) @ [0.2126, 0.7152, 0.0722]) for color in (one, other))
    return (light[1] + 0.05) / (light[0] + 0.05)


# ---- looks ----


@pytest.mark.parametrize("kind", BLINDNESS)
def test_the_colours_of_runs_stay_apart_for_the_colour_blind(kind: str) -> None:
    seen = {color: oklab(np.clip(BLINDNESS[kind] @ linear(color), 0, 1)) for color in looks.COLOURS}
    assert min(float(np.linalg.norm(seen[one] - seen[other])) for one, other in combinations(seen, 2)) > 0.09


@pytest.mark.parametrize("ground", ["#ffffff", "#10151e"])
def test_the_colours_of_runs_can_be_seen_in_light_and_dark(ground: str) -> None:
    assert min(contrast(color, ground) for color in looks.COLOURS) > 2.5


@given(some.lists(some.integers(1, 5000), min_size=1, max_size=40, unique=True))
def test_up_to_forty_runs_all_look_different_and_eight_need_no_dashes(numbers: list[int]) -> None:
    found = looks.of(numbers)
    assert list(found) == numbers
    assert len(set(found.values())) == len(numbers)
    assert {found[number].dash for number in numbers[:8]} == {"solid"}


def test_a_run_keeps_its_look_when_others_come_and_go() -> None:
    assert looks.of([12, 13, 15])[12] == looks.of([12])[12] == looks.of([9, 12])[12]
    assert looks.of([12, 20])[12] == looks.of([12])[12]  # 20 has the same home, and comes later


# ---- curves ----


def stretch(step: float, loss: float) -> Stretch:
    return Stretch(step, step / 10, step * 2, loss, loss - 0.5, loss + 0.5)


def epoch(number: int, accuracy: float) -> Epoch:
    return Epoch(number, 10 * number, 20.0 * number, 0.5, 0.8, 1 - accuracy, accuracy, 1e-3, 1000.0)


def curves(name: str, number: int, losses: dict[float, float], accuracies: list[float]) -> Curves:
    look = looks.of([number])[number]
    points = [stretch(step, loss) for step, loss in losses.items()]
    return Curves(name, look, points, [epoch(place, accuracy) for place, accuracy in enumerate(accuracies, 1)])


ONE = curves("Run 1", 1, {5: 2.0, 15: 1.0, 25: 0.5}, [0.7, 0.8])
TWO = curves("Run 2", 2, {5: 4.0, 25: 1.0}, [0.8, 0.84, 0.9])
GROUPS = [("Run 1 (2 seeds)", [ONE, TWO])]


def panel(drawing: dict, title: str) -> dict[str, list]:
    """Style of each series of a panel -> [x, y]."""
    [found] = [panel for panel in drawing["panels"] if panel["title"] == title]
    return {f"{each['name']} {each['style']}": [drawing["x"][each["x"]], each["y"]] for each in found["series"]}


def test_each_run_has_its_line_above_what_was_measured() -> None:
    drawing = overlay.drawing(GROUPS, View(x="step", smoothing=0.0), "validation")
    assert panel(drawing, "Validation accuracy") == {"Run 1 marks": [[10, 20], [0.7, 0.8]], "Run 2 marks": [[10, 20, 30], [0.8, 0.84, 0.9]]}
    loss = panel(drawing, "Training loss")
    assert loss["Run 1 line"] == [[5, 15, 25], [2.0, 1.0, 0.5]]
    assert loss["Run 1 faint"] == [[5, 5, 15, 15, 25, 25], [1.5, 2.5, 0.5, 1.5, 0.0, 1.0]]
    assert list(loss) == ["Run 1 faint", "Run 2 faint", "Run 1 line", "Run 2 line"]  # what lies beneath is drawn first
    assert [entry["name"] for entry in drawing["legend"]] == ["Run 1", "Run 2"]


def test_seeds_are_a_mean_with_a_band_as_far_as_all_of_them_have_come() -> None:
    drawing = overlay.drawing(GROUPS, View(x="epoch", smoothing=0.0, seeds="range"), "validation")
    accuracy = panel(drawing, "Validation accuracy")
    assert accuracy["Run 1 (2 seeds) marks"] == [[1, 2], pytest.approx([0.75, 0.82])]
    assert accuracy["Run 1 (2 seeds) band"] == [[1, 2, 2, 1], [0.8, 0.84, 0.8, 0.7]]
    loss = panel(drawing, "Training loss")["Run 1 (2 seeds) line"]  # where the one has a point and the other has it between two
    assert loss == [[0.5, 2.5], [3.0, 0.75]]
    deviation = overlay.drawing(GROUPS, View(seeds="deviation"), "validation")
    reach = 0.1 / 2**0.5  # standard deviation of 0.7 and 0.8
    band = panel(deviation, "Validation accuracy")["Run 1 (2 seeds) band"][1]
    assert (band[0], band[-1]) == (pytest.approx(0.75 + reach, abs=1e-5), pytest.approx(0.75 - reach, abs=1e-5))
    assert [entry["name"] for entry in deviation["legend"]] == ["Run 1 (2 seeds)"]


def test_a_seed_that_has_no_curve_yet_leaves_the_mean_empty() -> None:
    drawing = overlay.drawing([("two", [ONE, curves("Run 3", 3, {}, [])])], View(seeds="range"), "validation")
    assert panel(drawing, "Training loss")["two line"] == [[], []]


def test_the_same_smoothing_means_the_same_distance_however_many_points_there_are() -> None:
    dense, sparse = [place / 10 for place in range(1001)], [float(place) for place in range(101)]
    fine, coarse = (overlay.smoothed(x, [0.0 if at < 50 else 1.0 for at in x], 0.9, 1.0) for x in (dense, sparse))
    assert fine[dense.index(60.0)] == pytest.approx(coarse[60], abs=0.05)
    assert overlay.smoothed(sparse, sparse, 0.0, 1.0) == sparse


@given(some.lists(some.floats(-100, 100), min_size=1, max_size=50), some.floats(0.01, 0.99))
def test_at_equal_distances_it_is_the_usual_moving_average(values: list[float], weight: float) -> None:
    places = [float(place) for place in range(len(values))]
    assert overlay.smoothed(places, values, weight, 1.0) == pytest.approx(charts.smoothed(values, weight), abs=1e-9)


def test_the_zoom_is_kept_while_points_come_and_given_up_with_another_axis() -> None:
    kept = overlay.drawing(GROUPS, View(), "validation")["revision"]
    assert overlay.drawing([("Run 1", [ONE])], View(smoothing=0.1), "validation")["revision"] == kept
    assert kept not in (
        overlay.drawing(GROUPS, view, "validation")["revision"] for view in (View(x="step"), View(log=True), View(log_x=True))
    )


def test_runs_judged_on_different_splits_are_not_said_to_be_judged_on_one() -> None:
    held_back, whole = TrainConfig(), TrainConfig(validation_size=0)
    assert overlay.monitor_of([held_back, held_back]) == "validation"
    assert overlay.monitor_of([whole]) == "test (monitor only)"
    assert overlay.monitor_of([held_back, whole]) == "monitor"


def test_seeds_of_one_recipe_are_thinned_alike_and_a_long_training_to_few_points() -> None:
    long = TrainConfig(epochs=1000, batch_size=2)
    assert long.total_steps / overlay.width(long) <= overlay.POINTS
    assert overlay.width(TrainConfig(epochs=1, train_size=600, validation_size=0)) == 1
    assert overlay.width(long) == overlay.width(long.model_copy(update={"seed": 5}))


def test_twenty_long_runs_are_cheap_to_send() -> None:
    many = {float(step): 1.0 / step for step in range(1, overlay.POINTS + 1)}
    groups = [(f"Run {number}", [curves(f"Run {number}", number, many, [0.9] * 20)]) for number in range(20)]
    assert len(json.dumps(overlay.drawing(groups, View(), "validation"))) < 500_000


def test_the_words_beside_the_picture_have_the_last_figures() -> None:
    told = overlay.drawing(GROUPS, View(), "validation")["label"]
    assert re.search(r"Run 1: epoch 2, validation accuracy 80\.0%, loss 0\.2000\. Run 2: epoch 3", told)


# ---- axes ----


def test_an_axis_of_numbers_of_words_and_of_what_is_not_known() -> None:
    rate = parallel.axis("Rate", [0.001, 0.1, 0.01], "{:g}".format)
    assert rate.places == [0.0, 1.0, 0.5]  # a hundredfold: logarithmic
    assert rate.ticks == [(0.0, "0.001"), (0.5, "0.01"), (1.0, "0.1")]
    assert parallel.axis("Size", [32, 64, None], str).places == [0.0, 1.0, None]
    words = parallel.axis("Network", ["mlp", "linear", "mlp"], str)
    assert (words.places, words.ticks) == ([1.0, 0.0, 1.0], [(0.0, "linear"), (1.0, "mlp")])
    assert parallel.axis("Flip", [True, False], str).places == [1.0, 0.0]
    assert parallel.axis("Same", [3, 3], str).places == [0.5, 0.5]
    assert len(parallel.axis("Many", list(range(50)), str).ticks) == parallel.TICKS
