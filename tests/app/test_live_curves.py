"""What the curves are drawn from: nothing is lost on the way from the store, and the words are honest."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as some

from fmnist.config import TrainConfig
from fmnist.events import Epoch, Step
from fmnist.run import Checkpoint, Run
from fmnist.store import Store
from tests.app.conftest import NOBODY
from ui.training import charts
from ui.training.charts import View
from ui.training.live_curves import Series

FINITE = some.floats(-1e6, 1e6)


def steps(count: int) -> list[Step]:
    return [Step(step, step / 100, step / 4, 2 / step, 1e-3, 1000.0) for step in range(1, count + 1)]


EPOCH = Epoch(1, 100, 25.0, 0.51, 0.8, 0.42, 0.851, 1e-3, 1000.0)


# ---- thinning and smoothing ------------------------------------------------------------------------------------------------------------


@given(some.lists(FINITE, min_size=1, max_size=3000), some.integers(4, 300))
def test_thinning_keeps_both_ends_and_both_extremes_and_little_else(values: list[float], limit: int) -> None:
    kept = charts.thinned(values, limit)
    assert kept == sorted(set(kept))
    assert len(kept) <= limit + 2
    assert {kept[0], kept[-1]} == {0, len(values) - 1}
    assert {min(values), max(values)} <= {values[index] for index in kept}


def test_a_drawn_point_stays_drawn_while_the_series_grows_within_a_stretch() -> None:
    values = [((index * 7919) % 1000) / 1000 for index in range(2000)]
    before, after = charts.thinned(values[:1800]), charts.thinned(values[:1900])
    assert set(before[:-8]) <= set(after)


def test_smoothing_by_hand() -> None:
    assert charts.smoothed([1.0, 3.0], 0.5) == pytest.approx([1.0, (0.25 * 1 + 0.5 * 3) / 0.75])
    assert charts.smoothed([1.0, 3.0], 0.0) == [1.0, 3.0]


@given(some.lists(FINITE, min_size=1, max_size=50), some.floats(0, 0.99))
def test_smoothing_stays_between_the_lowest_and_the_highest_value(values: list[float], weight: float) -> None:
    assert all(min(values) - 1e-3 <= value <= max(values) + 1e-3 for value in charts.smoothed(values, weight))


# ---- a drawing -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("axis", "places"), [("step", [0, 2]), ("epoch", [0, 0.02]), ("seconds", [0, 0.5])])
def test_what_was_done_to_a_training_is_marked_where_it_began_and_not_beyond_the_curve(axis: charts.Axis, places: list[float]) -> None:
    drawing = charts.training(steps(3), [], TrainConfig(), View(axis), [(0, "a"), (2, "b"), (3, "not made yet")])
    assert drawing["marks"] == [{"x": places[0], "text": "a"}, {"x": places[1], "text": "b"}]


def test_the_judged_split_is_named_honestly() -> None:
    assert charts.monitor_name(TrainConfig(validation_size=0)) == "test (monitor only)"
    assert charts.monitor_name(TrainConfig(validation_size=5000)) == "validation"
    drawing = charts.training(steps(9), [EPOCH], TrainConfig(validation_size=0), View())
    names = [series["name"] for panel in drawing["panels"] for series in panel["series"]]
    assert names.count("test (monitor only)") == 2
    assert "validation" not in names


def test_a_drawing_has_the_figures_where_they_belong() -> None:
    drawing = charts.training(steps(3), [EPOCH], TrainConfig(), View(x="seconds", smoothing=0.0, log=True))
    panels = {panel["title"]: panel for panel in drawing["panels"]}
    assert drawing["x"] == {"steps": [0.25, 0.5, 0.75], "epochs": [25.0]}
    assert [series["y"] for series in panels["Loss inside the epochs"]["series"]] == [[2.0, 1.0, 0.66667]] * 2
    assert [series["y"] for series in panels["Loss by epoch"]["series"]] == [[0.51], [0.42]]
    assert [series["y"] for series in panels["Accuracy by epoch"]["series"]] == [[0.8], [0.851]]
    assert panels["Learning rate"]["series"][0]["y"] == [1e-3] * 3
    assert [panel.get("log", False) for panel in drawing["panels"]] == [True, True, False, False]


def test_the_zoom_is_given_up_only_for_another_axis_or_another_scale() -> None:
    def revision(count: int, view: View) -> str:
        return charts.training(steps(count), [], TrainConfig(), view)["revision"]

    kept = revision(5, View())
    assert revision(500, View(smoothing=0.1)) == kept
    assert revision(5, View(x="step")) != kept
    assert revision(5, View(log=True)) != kept


def test_a_long_training_costs_no_more_to_send_than_a_short_one() -> None:
    assert len(json.dumps(charts.training(steps(50_000), [EPOCH] * 10, TrainConfig(), View()))) < 40_000


def test_the_text_alternative_has_the_last_figures() -> None:
    told = charts.training(steps(150), [EPOCH], TrainConfig(validation_size=0), View())["label"]
    assert "step 150, epoch 1.50, 38 seconds" in told
    assert "test (monitor only) loss 0.4200, accuracy 85.1%" in told
    assert "no points yet" in charts.training([], [], None, View())["label"]


def test_the_plan_of_the_learning_rate_is_the_schedule() -> None:
    config = TrainConfig(schedule="one-cycle", warmup=0.25, learning_rate=0.02, epochs=4)
    drawing = charts.learning_rate_plan(config)
    y, x = drawing["panels"][0]["series"][0]["y"], drawing["x"]["steps"]
    assert max(y) == pytest.approx(0.02, rel=1e-3)
    assert x[y.index(max(y))] == pytest.approx(1.0, abs=0.05)  # a quarter of four epochs
    assert "at most 0.02" in drawing["panels"][0]["title"]


# ---- reading from the store ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def run(runs_store: Store, tiny_config: TrainConfig) -> Run:
    """A run that somebody trains."""
    made = runs_store.create(tiny_config, device="cpu")
    claimed = runs_store.claim("cpu", NOBODY, made.id)
    assert claimed
    return claimed


def test_a_curve_is_continued_from_where_it_was_read_before(runs_store: Store, run: Run) -> None:
    series = Series()
    runs_store.record(run.id, steps(3))
    assert series.read(runs_store, runs_store.get(run.id)) == (steps(3), [])
    runs_store.record(run.id, steps(5)[3:])
    runs_store.commit(run.id, Checkpoint(5, 1, "w", "0" * 64, "s", "0" * 64), EPOCH)
    assert series.read(runs_store, runs_store.get(run.id)) == (steps(5), [EPOCH])


def test_a_curve_that_was_cut_back_is_read_anew(runs_store: Store, run: Run) -> None:
    series = Series()
    runs_store.record(run.id, steps(5))
    series.read(runs_store, runs_store.get(run.id))
    runs_store.rewind(run.id, step=2, epoch=0, seconds=0.5)
    other = Step(3, 0.03, 0.9, 7.0, 1e-3, 500.0)
    runs_store.record(run.id, [other])
    assert series.read(runs_store, runs_store.get(run.id)) == ([*steps(2), other], [])
