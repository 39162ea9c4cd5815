"""The Sweep page: the form, one sweep in every state, and its charts; what every page has in common is in test_pages.py."""

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from fmnist import search_space, sweeping
from fmnist.config import TrainConfig, preset
from fmnist.events import Epoch
from fmnist.run import Checkpoint, Status
from fmnist.search_space import Range
from fmnist.store import Store
from fmnist.sweep import Spec, Sweep, Sweeps, SweepStatus, parse_spec
from tests.app.conftest import NOBODY
from ui.sweeping import begin, best_trial, sweep_charts, sweep_panel
from ui.sweeping.sweep_charts import Point

Visit = Callable[..., AppTest]
BASE = TrainConfig(network="linear", epochs=9, batch_size=64, train_size=600, validation_size=100, device="cpu")


def spec(**changes: object) -> Spec:
    space = {"learning_rate": "1e-4..1e-1:log", "optimizer": "adam,sgd"}
    domains = {name: search_space.parse_domain(name, text) for name, text in space.items()}
    return parse_spec({"base": BASE, "space": domains, "trials": 8, **changes})


def train(store: Store, accuracy: float) -> None:
    """The next run of the queue as fmnist.runner writes it down: 9 epochs with this accuracy, or fewer by the verdict of its sweep."""
    run = store.claim("cpu", NOBODY)
    assert run
    for number in range(1, 10):
        epoch = Epoch(number, 8 * number, float(number), 1.0, 0.5, 1 - accuracy, accuracy, 1e-3, 100.0)
        why = sweeping.verdict(store, run, epoch)
        store.commit(run.id, Checkpoint(8 * number, number, "w", "a" * 64, None, None), epoch, verdict=why)
        if why:
            store.end(run.id, Status.STOPPED, why)
            return
    store.end(run.id, Status.FINISHED, accuracy=0.1, loss=9.0)


@pytest.fixture
def done(runs_store: Store) -> Sweep:
    """A sweep whose trials 1, 2, 3 and 5 were trained to their end; 5 is the best, the other four were stopped early."""
    sweep = sweeping.begin(runs_store, spec(), device="cpu", name="Around *linear*")
    for accuracy in (0.7, 0.75, 0.8, 0.6, 0.9, 0.5, 0.4, 0.3):
        sweep = sweeping.advance(runs_store, sweep)
        train(runs_store, accuracy)
    return sweeping.advance(runs_store, sweep)


@pytest.fixture
def busy(runs_store: Store) -> Sweep:
    """A sweep whose second trial waits."""
    sweep = sweeping.advance(runs_store, sweeping.begin(runs_store, spec(), device="cpu"))
    train(runs_store, 0.7)
    return sweeping.advance(runs_store, sweep)


def words(at: AppTest) -> str:
    return "\n".join(each.value for kind in (at.markdown, at.caption) for each in kind).replace("\\", "")


def metrics(at: AppTest) -> dict[str, str]:
    return {each.label: each.value.replace("\N{NO-BREAK SPACE}", " ") for each in at.metric}


# ---- the form --------------------------------------------------------------------------------------------------------------------------


def test_an_empty_page_says_what_a_sweep_is_and_offers_one_that_can_be_started(visit: Visit) -> None:
    at = visit("sweep")
    assert not at.exception
    assert "It chooses by validation images, never by the test images." in words(at)
    assert not at.button(key="sweep.start").disabled
    assert "on this machine: a whole trial takes" in words(at)


def test_what_was_chosen_is_what_is_searched_and_a_double_click_is_one_sweep(visit: Visit, runs_store: Store) -> None:
    at = visit("sweep", base="quick")
    at.button_group(key="sweep.fields").set_value(["learning_rate", "schedule"]).run()
    at.number_input(key="sweep.domain.learning_rate.low").set_value(0.001)
    at.number_input(key="sweep.domain.learning_rate.high").set_value(0.02)
    at.button_group(key="sweep.domain.schedule.values").set_value(["cosine", "one-cycle"])
    at.number_input(key="sweep.epochs").set_value(3)
    at.number_input(key="sweep.trials").set_value(7)
    at.toggle(key="sweep.halving").set_value(False)
    at.run()
    at.text_input(key="sweep.name").set_value("By hand")
    at.button(key="sweep.start").click().run()
    [sweep] = Sweeps(runs_store).all()
    assert sweep.spec
    assert sweep.name == "By hand"
    assert sweep.spec.base == preset("quick").model_copy(update={"epochs": 3})
    assert sweep.spec.space == {"schedule": ("cosine", "one-cycle"), "learning_rate": Range(low=0.001, high=0.02, log=True)}
    assert (sweep.spec.trials, sweep.spec.halving, sweep.spec.sampler) == (7, False, "tpe")
    assert at.query_params["sweep"] == "1"
    assert "0 of 7 trials" in [each.value for each in at.subheader] + [each.text for each in at.get("progress")]


def test_a_preset_that_holds_nothing_back_is_searched_with_validation_images(visit: Visit) -> None:
    at = visit("sweep", base="best")
    assert at.number_input(key="sweep.validation_size").value == 5_000
    assert at.number_input(key="sweep.train_size").value == 60_000
    assert at.number_input(key="sweep.domain.learning_rate.low").value == 0.0003
    assert at.number_input(key="sweep.domain.learning_rate.high").value == 0.03


def test_a_run_can_be_where_a_search_starts_from(visit: Visit, runs_store: Store, tiny_config: TrainConfig) -> None:
    run = runs_store.create(tiny_config.model_copy(update={"learning_rate": 0.5}), device="cpu")
    at = visit("sweep", base=str(run.number))
    assert at.number_input(key="sweep.epochs").value == 2
    assert at.number_input(key="sweep.domain.learning_rate.high").value == 5


def test_a_search_that_makes_no_sense_says_why_and_cannot_be_started(visit: Visit) -> None:
    at = visit("sweep")
    at.number_input(key="sweep.domain.learning_rate.low").set_value(0.5).run()
    assert ["a range goes up" in each.value for each in at.error] == [True]
    assert at.button(key="sweep.start").disabled
    at.button_group(key="sweep.fields").set_value([]).run()
    assert ["at least one field" in each.value for each in at.error] == [True]
    at.button_group(key="sweep.fields").set_value(["schedule"]).run()
    at.selectbox(key="base").set_value("reference").run()
    assert ["would never be tried" in each.value.replace("\\", "") for each in at.error] == [True]


def test_what_was_chosen_outlives_a_visit_to_another_page(visit: Visit) -> None:
    at = visit("sweep")
    at.button_group(key="sweep.fields").set_value(["momentum"]).run()
    at.number_input(key="sweep.domain.momentum.low").set_value(0.5).run()
    at.switch_page("../pages/runs.py").run()
    at.switch_page("../pages/sweep.py").run()
    assert at.button_group(key="sweep.fields").value == ["momentum"]
    assert at.number_input(key="sweep.domain.momentum.low").value == 0.5


# ---- one sweep -------------------------------------------------------------------------------------------------------------------------


def test_a_finished_sweep_shows_its_best_trial_its_charts_and_every_trial(visit: Visit, done: Sweep) -> None:
    at = visit("sweep", sweep="1")
    assert not at.exception
    assert [each.value for each in at.subheader] == ["Around \\*linear\\*"]
    told = metrics(at)
    assert (told["Best validation accuracy"], told["Trained to their end"], told["Stopped early"]) == ("90.00 %", "4", "4")
    assert at.metric[0].delta == "+20.00 points"  # trial 1 is the config that the search started from
    assert "**Trial 5** is the best:" in words(at)
    assert len(at.get("plotly_chart")) == 2
    assert at.dataframe[0].value["number"].tolist() == [8, 7, 6, 5, 4, 3, 2, 1]
    assert at.dataframe[0].value["epochs"].tolist()[:4] == ["1 of 9", "1 of 9", "1 of 9", "9 of 9"]


def test_trials_that_are_picked_in_the_chart_are_those_of_the_table(visit: Visit, done: Sweep) -> None:
    at = visit("sweep", sweep="1")
    at.session_state["sweep.parallel"] = {"picked": [7, 6]}  # drawn last: the two best
    at.run()
    assert not at.exception
    assert sorted(at.dataframe[0].value["accuracy"].tolist())[-1] == pytest.approx(90)
    assert len(at.dataframe[0].value) == 2
    assert "2 of 8 trials picked" in words(at)
    assert "Compare these" in [each.proto.label for each in at.get("page_link")]


def test_a_sweep_is_paused_and_resumed_with_its_trial(visit: Visit, busy: Sweep, runs_store: Store) -> None:
    at = visit("sweep", sweep=busy.id)
    assert "Trial 2" in " ".join(each.proto.label for each in at.get("page_link"))
    at.button(key="sweep.pause").click().run()
    assert Sweeps(runs_store).get(busy.id).status == SweepStatus.PAUSED
    assert runs_store.runs()[0].status == Status.PAUSED
    at.button(key="sweep.play_arrow").click().run()
    assert Sweeps(runs_store).get(busy.id).status == SweepStatus.RUNNING
    assert runs_store.runs()[0].status == Status.QUEUED


def test_the_moment_between_making_a_trial_and_counting_it_is_shown_like_any_other(visit: Visit, busy: Sweep, runs_store: Store) -> None:
    Sweeps(runs_store).change(busy.id, proposed=1)
    at = visit("sweep", sweep="1")
    assert not at.exception
    assert [each.text for each in at.get("progress")] == ["1 of 8 trials"]


def test_the_list_leads_to_every_sweep_and_a_deleted_one_leaves_its_trials(visit: Visit, done: Sweep, runs_store: Store) -> None:
    at = visit("sweep")
    assert "8 trials · learning rate, optimizer · just now" in words(at)
    at = visit("sweep", sweep="1")
    at.button(key="sweep.forget.yes").click().run()
    assert Sweeps(runs_store).all() == []
    assert len(runs_store.runs()) == 8


def test_a_sweep_that_is_gone_or_cannot_be_read_is_a_sentence(visit: Visit, busy: Sweep, runs_store: Store) -> None:
    at = visit("sweep", sweep="99")
    assert [each.value.replace("\\", "") for each in at.error] == ["There is no sweep '99'. The newest: 1 (Sweep 1)."]
    Sweeps(runs_store).change(busy.id, spec="{broken")
    at = visit("sweep", sweep="1")
    assert not at.exception
    assert "cannot be read" in at.error[0].value
    at = visit("sweep")
    assert "what it searches cannot be read" in words(at)


def test_the_best_config_is_trained_fully_after_a_second_yes(visit: Visit, done: Sweep, runs_store: Store) -> None:
    best = next(run for run in runs_store.runs() if run.name.endswith("#5"))
    at = visit("sweep", sweep="1")
    at.number_input(key="sweep.full.epochs.5").set_value(12).run()
    assert len(runs_store.runs()) == 8
    at.button(key="sweep.full.yes").click().run()
    run = runs_store.runs()[0]
    assert run.config
    assert best.config
    assert run.config == best.config.model_copy(update={"train_size": 60_000, "epochs": 12})
    assert (run.origin, run.sweep, run.status) == (best.id, None, Status.QUEUED)


# ---- figures by hand -------------------------------------------------------------------------------------------------------------------


def test_the_forecast_counts_trials_or_time() -> None:
    """By hand: 8 trials of 60 s and 4 s of loading each; 30 minutes of 60-second trials."""
    assert begin.forecast(spec(halving=False), 60) == "About **8 min 32 s** on this machine: a whole trial takes 1 min."
    assert (
        begin.forecast(spec(halving=False, trials=None, minutes=30), 60)
        == "About **30 trials** on this machine: a whole trial takes 1 min."
    )
    assert "stopping early saves about" in begin.forecast(spec(), 60)


def test_axes_have_the_fields_and_the_accuracy_and_what_is_far_below_stands_at_its_foot() -> None:
    rates, accuracies = (1e-4, 1e-2, 1e-1), (0.10, 0.70, 0.80)
    judged = [
        Point(number, accuracy, 1, True, BASE.model_copy(update={"learning_rate": rate}))
        for number, (rate, accuracy) in enumerate(zip(rates, accuracies, strict=True), 1)
    ]
    rate, optimizer, accuracy = sweep_charts.axes(spec(), judged)
    assert (rate.title, optimizer.title, accuracy.title) == ("Learning rate", "Optimizer", "Validation accuracy")
    assert rate.places == pytest.approx([0, 2 / 3, 1], abs=1e-4)
    assert accuracy.places == [0.0, 0.5, 1.0]
    assert accuracy.ticks == [(0.0, "≤ 60.0%"), (0.5, "70.0%"), (1.0, "80.0%")]
    assert [line.width for line in sweep_charts.lines(judged, 3)] == [2, 2, 3.5]


def test_the_best_so_far_rises_only_with_whole_trials() -> None:
    points = [
        Point(number, accuracy, 1, complete, BASE) for number, accuracy, complete in ((1, 0.5, True), (2, 0.9, False), (4, 0.4, True))
    ]
    assert sweep_charts._leaders(points) == [(1, 0.5), (4, 0.5)]
    assert sweep_charts._leaders([*points, Point(7, 0.3, 1, False, BASE)]) == [(1, 0.5), (4, 0.5), (7, 0.5)]
    assert sweep_charts._leaders(points[1:2]) == []


def test_the_uncertainty_is_half_of_the_95_percent_interval() -> None:
    assert best_trial.uncertainty(0.9, 1_000) == pytest.approx(1.96 * 0.0094868, rel=1e-4)


def test_a_sweep_is_said_in_one_line() -> None:
    assert sweep_panel.in_one_line(spec(seed=3)) == (
        "Learning rate 0.0001 to 0.1 (logarithmic); optimizer adam or sgd · linear, 9 epochs, 500 images · random, seed 3, "
        "poor trials are stopped early"
    )
