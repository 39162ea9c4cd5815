"""The form, the queue and the Start button of the Train page; what every page has in common is in test_pages.py."""

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from fmnist.config import FIELDS, PRESETS, TrainConfig, bounds, choices, preset
from fmnist.events import Epoch, Step
from fmnist.run import Checkpoint, Request, Run
from fmnist.schedule import learning_rate
from fmnist.store import Store
from tests.app.conftest import CONFIG, NOBODY
from ui.training.config_preview import images_in_words
from ui.training.longer_training import what_happens
from ui.training.run_panel import what_is_lost

Visit = Callable[..., AppTest]


def captions(at: AppTest) -> str:
    return "\n".join(each.value for each in at.caption).replace("\\", "")


def field(at: AppTest, name: str):
    """The widget of a hyperparameter."""
    kinds = (at.number_input, at.toggle, at.button_group)
    [found] = [widget for kind in kinds for widget in kind if widget.key == f"train.{name}"]
    return found


# ---- the form --------------------------------------------------------------------------------------------------------------------------


def test_the_form_has_every_hyperparameter_with_its_title_its_help_and_its_bounds(visit: Visit) -> None:
    at = visit("train")
    for name, told in FIELDS.items():
        widget = field(at, name)
        assert widget.label == told.title
        assert widget.help.replace("\\", "") == told.description
        if choices(name):
            assert tuple(widget.options) == choices(name)
        elif told.annotation is not bool:
            assert (widget.min, widget.max) == (bounds(name).low, bounds(name).high)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_in_the_address_fills_every_field(visit: Visit, name: str) -> None:
    at = visit("train", preset=name)
    assert {each: field(at, each).value for each in FIELDS} == preset(name).model_dump()
    assert "Changed from" not in captions(at)


def test_what_differs_from_the_preset_is_said_and_can_be_undone(visit: Visit) -> None:
    at = visit("train", preset="quick")
    field(at, "learning_rate").set_value(1.5e-7)
    field(at, "epochs").set_value(1000)
    field(at, "flip").set_value(True)
    at.run()
    said = "Changed from 'quick': Epochs 5 → **1,000** · Learning rate 0.004 → **1.5e-07** · Flip off → **on**"
    assert said in captions(at)
    at.button(key="train.undo").click().run()
    assert {each: field(at, each).value for each in FIELDS} == preset("quick").model_dump()
    assert "Changed from" not in captions(at)


def test_what_was_typed_outlives_a_visit_to_another_page(visit: Visit) -> None:
    at = visit("train", preset="quick")
    field(at, "epochs").set_value(7)
    field(at, "optimizer").set_value("sgd")
    at.run()
    at.switch_page("../pages/runs.py").run()
    at.switch_page("../pages/train.py").run()
    assert (field(at, "epochs").value, field(at, "optimizer").value) == (7, "sgd")
    assert field(at, "network").value == "small"


def test_a_field_that_changes_nothing_is_disabled(visit: Visit) -> None:
    at = visit("train")
    assert field(at, "momentum").disabled
    assert field(at, "clean_epochs").disabled
    field(at, "optimizer").set_value("sgd")
    field(at, "shift").set_value(2)
    at.run()
    assert not field(at, "momentum").disabled
    assert not field(at, "clean_epochs").disabled


# ---- the settings of a run -------------------------------------------------------------------------------------------------------------


def test_the_form_begins_with_the_settings_of_a_run_and_the_changes_in_the_address(visit: Visit, runs: dict[str, Run]) -> None:
    run = runs["finished"]
    at = visit("train", **{"from": str(run.number), "learning_rate": "0.01", "flip": "true"})
    assert run.config
    assert {each: field(at, each).value for each in FIELDS} == run.config.model_dump() | {"learning_rate": 0.01, "flip": True}
    assert f"Changed from {run.name}: Learning rate 0.001 → **0.01** · Flip off → **on**" in captions(at)
    at.button(key="train.undo").click().run()
    assert {each: field(at, each).value for each in FIELDS} == run.config.model_dump()


def test_a_run_started_from_the_settings_of_another_remembers_it(visit: Visit, runs: dict[str, Run], runs_store: Store) -> None:
    at = visit("train", **{"from": str(runs["finished"].number)})
    field(at, "epochs").set_value(2).run()
    at.button(key="train.start").click().run()
    newest = runs_store.runs()[0]
    assert newest.origin == runs["finished"].id
    assert newest.config
    assert newest.config.differences(CONFIG) == {"epochs": (2, 4)}


def test_the_settings_of_a_run_stay_for_the_visit_until_a_preset_is_asked_for(
    visit: Visit, runs: dict[str, Run], runs_store: Store
) -> None:
    at = visit("train", **{"from": str(runs["finished"].number)})
    field(at, "epochs").set_value(9).run()
    at.switch_page("../pages/runs.py").run()
    at.switch_page("../pages/train.py").run()
    assert field(at, "epochs").value == 9
    at.button(key="train.presets").click().run()
    assert {each: field(at, each).value for each in FIELDS} == preset("reference").model_dump()
    at.button(key="train.start").click().run()
    assert runs_store.runs()[0].origin is None


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"from": "gone"}, "There is no run 'gone'"),  # no number, which could be what an id begins with
        ({"from": "damaged"}, "The settings of A damaged run cannot be read"),
        ({"from": "finished", "learning_rate": "-1"}, "Learning rate: '-1' is not allowed"),
    ],
)
def test_an_address_that_cannot_be_followed_is_told_and_a_preset_takes_its_place(
    visit: Visit, runs: dict[str, Run], query: dict[str, str], words: str
) -> None:
    word = query["from"]
    at = visit("train", **(query | {"from": str(runs[word].number) if word in runs else word}))
    assert not at.exception
    assert any(words in warning.value.replace("\\", "") for warning in at.warning)
    assert {each: field(at, each).value for each in FIELDS} == preset("reference").model_dump()


# ---- a training that goes on -----------------------------------------------------------------------------------------------------------


def test_another_learning_rate_is_asked_for_and_said_until_a_worker_takes_it(visit: Visit, runs: dict[str, Run], runs_store: Store) -> None:
    run = runs["running"]
    at = visit("train")
    at.number_input(key=f"train.live.rate.{run.id}").set_value(0.0002).run()
    at.button(key=f"train.live.rate.{run.id}.yes").click().run()
    assert runs_store.get(run.id).rate_request == pytest.approx(0.2)
    assert "The learning rate becomes 0.0002 with the next step" in captions(at)
    runs_store.change_rate(run.id, 12, 0.2)
    assert "Learning rate: 0.001 at first, 0.0002 since step 12" in captions(visit("train"))


def test_a_diverged_run_offers_a_tenth_of_its_learning_rate(visit: Visit, runs: dict[str, Run]) -> None:
    at = visit("runs", run=runs["diverged"].id)
    assert at.number_input(key=f"runs.rate.{runs['diverged'].id}").value == pytest.approx(1e-4)


def test_what_training_longer_means_is_said_honestly(runs: dict[str, Run]) -> None:
    run = runs["finished"]
    assert run.config
    assert "same as one that was planned for that long" in what_happens(run, run.config, 3)
    falling = run.config.model_copy(update={"schedule": "cosine", "epochs": 2})
    said = what_happens(run, falling, 2)
    now = f"{learning_rate(falling.model_copy(update={'epochs': 4}), 16):.6g}"
    assert f"begins again at {now}" in said
    assert "not the same as a training planned for that long" in said


def test_a_run_that_has_lost_its_checkpoints_is_not_trained_longer(visit: Visit, runs: dict[str, Run], runs_store: Store) -> None:
    run = runs["finished"]  # its files were never written
    at = visit("runs", run=run.id)
    at.button(key=f"runs.longer.{run.id}.yes").click().run()
    assert any("Train it again instead" in error.value.replace("\\", "") for error in at.error)
    assert len(runs_store.runs()) == len(runs)


# ---- what is going on ------------------------------------------------------------------------------------------------------------------


def test_a_finding_says_why_and_leads_to_the_run_that_would_answer_it(visit: Visit, runs: dict[str, Run]) -> None:
    run = runs["diverged"]
    at = visit("runs", run=run.id)
    told = "\n".join(each.value for each in at.markdown).replace("\\", "")
    assert "**The learning rate is too high.** The loss grew beyond every number" in told
    assert "Next run: learning rate 0.001 → 0.0001." in captions(at)
    at.button(key=f"runs.next.rate too high.{run.id}").click().run()
    assert field(at, "learning_rate").value == 1e-4
    assert f"Changed from {run.name}: Learning rate 0.001 → **0.0001**" in captions(at)


def test_where_nothing_stands_out_one_quiet_line_says_so(visit: Visit, runs_store: Store) -> None:
    run = runs_store.create(CONFIG, device="cpu")
    runs_store.claim("cpu", NOBODY, run.id)
    for epoch, loss in ((1, 0.6), (2, 0.5)):
        runs_store.record(run.id, [Step(8 * epoch, epoch, epoch, loss, 1e-3, 100.0)])
        saved = Checkpoint(8 * epoch, epoch, "weights", "a" * 64, "state", "b" * 64)
        runs_store.commit(run.id, saved, Epoch(epoch, 8 * epoch, epoch, loss, 0.82, loss, 0.8, 1e-3, 100.0))
    assert "Nothing stands out. The validation loss is 0.500, at its best in epoch 2 (0.500)" in captions(visit("train"))


# ---- before the start ------------------------------------------------------------------------------------------------------------------


def test_before_the_start_the_size_the_time_and_the_images_are_told(visit: Visit) -> None:
    at = visit("train", preset="quick")
    told = "\n".join(each.value for each in at.markdown).replace("\\", "")
    assert "**29,178** parameters" in told
    assert "on this machine" in told
    assert "10,000 images are trained on, in 79 steps an epoch. 2,000 are held out and judge each epoch" in told
    assert any("data:image/png" in each.value for each in at.get("html"))


def test_without_validation_images_the_test_images_are_called_a_monitor_that_selects_nothing() -> None:
    told = images_in_words(TrainConfig(validation_size=0))
    assert told.startswith("60,000 images are trained on, in 938 steps an epoch.")
    assert "monitor, which selects nothing" in told


# ---- start, and the queue --------------------------------------------------------------------------------------------------------------


def test_a_second_click_right_after_the_first_starts_nothing(visit: Visit, runs_store: Store) -> None:
    at = visit("train", preset="quick")
    for _ in range(2):
        at.button(key="train.start").click().run()
    assert len(runs_store.runs()) == 1


def test_other_settings_right_after_a_start_are_another_run(visit: Visit, runs_store: Store) -> None:
    at = visit("train", preset="quick")
    at.button(key="train.start").click().run()
    field(at, "seed").set_value(1).run()
    at.button(key="train.start").click().run()
    assert [run.config.seed for run in runs_store.queue() if run.config] == [0, 1]


def test_a_name_that_cannot_be_read_starts_nothing(visit: Visit, runs_store: Store) -> None:
    at = visit("train", preset="quick")
    at.text_input(key="train.name").set_value("\N{ZERO WIDTH SPACE}").run()
    at.button(key="train.start").click().run()
    assert [error.value for error in at.error] == ["Give the run a name of at least one letter\\."]
    assert runs_store.runs() == []


def test_a_waiting_run_can_be_moved_forward_and_back(
    visit: Visit, runs: dict[str, Run], runs_store: Store, tiny_config: TrainConfig
) -> None:
    first, second = runs["queued"], runs_store.create(tiny_config, device="cpu")
    at = visit("train")
    assert at.button(key=f"train.queue.Earlier.{first.id}").disabled
    assert at.button(key=f"train.queue.Later.{second.id}").disabled
    at.button(key=f"train.queue.Earlier.{second.id}").click().run()
    assert [run.id for run in runs_store.queue()] == [second.id, first.id]
    at.button(key=f"train.queue.Later.{second.id}").click().run()
    assert [run.id for run in runs_store.queue()] == [first.id, second.id]


def test_of_hundreds_of_waiting_and_paused_runs_the_first_are_listed_and_the_rest_are_a_link(
    visit: Visit, runs_store: Store, tiny_config: TrainConfig
) -> None:
    """They are drawn anew each second: a page with all of them was never at rest, and the server let go of it."""
    made = [runs_store.create(tiny_config, device="mps") for _ in range(60)]
    for run in made[30:]:
        runs_store.ask(run.id, Request.PAUSE)
    at = visit("train")
    listed = [button.key for button in at.button if str(button.key).startswith("train.queue.cancel.")]
    assert listed == [f"train.queue.cancel.{run.id}" for run in made[1:11]], "the first one is the one to look at"
    assert any("Waiting: 29" in text.value for text in at.markdown)
    links = {link.proto.label: link.proto.page for link in at.get("page_link")}
    assert {"19 more waiting: all of them in Runs", "20 more paused: all of them in Runs"} <= links.keys()


def test_what_somebody_else_did_a_moment_before_is_said_in_a_sentence(runs: dict[str, Run]) -> None:
    def page() -> None:
        import streamlit as st

        from fmnist.run import Request
        from ui import notice, state

        notice.show()
        if st.button("Pause"):
            notice.do(lambda: state.store().ask(st.session_state["id"], Request.PAUSE))

    at = AppTest.from_function(page)
    at.session_state["id"] = runs["finished"].id
    at.run().button[0].click().run()
    assert not at.exception
    assert [toast.value.replace("\\", "") for toast in at.toast] == ["This run is finished, so there is nothing to pause."]


def test_a_cancellation_says_what_is_lost(runs: dict[str, Run], runs_store: Store, tiny_config: TrainConfig) -> None:
    assert "since the end of epoch 2 is lost" in what_is_lost(runs["running"])
    assert "checkpoint stays" in what_is_lost(runs["paused"])
    assert "everything it has learnt is lost" in what_is_lost(runs_store.create(tiny_config, device="cpu"))
