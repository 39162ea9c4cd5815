"""The form, the queue and the Start button of the Train page; what every page has in common is in test_pages.py."""

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from fmnist.config import FIELDS, PRESETS, TrainConfig, bounds, choices, preset
from fmnist.run import Run
from fmnist.store import Store
from ui.training.config_preview import images_in_words
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


def test_what_somebody_else_did_a_moment_before_is_said_in_a_sentence(runs: dict[str, Run]) -> None:
    def page() -> None:
        import streamlit as st

        from fmnist.run import Request
        from ui import state
        from ui.training import run_panel, start

        start.say_what_happened()
        if st.button("Pause"):
            run_panel.do(lambda: state.store().ask(st.session_state["id"], Request.PAUSE))

    at = AppTest.from_function(page)
    at.session_state["id"] = runs["finished"].id
    at.run().button[0].click().run()
    assert not at.exception
    assert [toast.value.replace("\\", "") for toast in at.toast] == ["This run is finished, so there is nothing to pause."]


def test_a_cancellation_says_what_is_lost(runs: dict[str, Run], runs_store: Store, tiny_config: TrainConfig) -> None:
    assert "since the end of epoch 2 is lost" in what_is_lost(runs["running"])
    assert "checkpoint stays" in what_is_lost(runs["paused"])
    assert "everything it has learnt is lost" in what_is_lost(runs_store.create(tiny_config, device="cpu"))
