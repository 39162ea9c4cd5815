"""What a person sees on each page, on an empty installation and beside runs in every state; clicks arrive in the store."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from fmnist.config import preset
from fmnist.run import Run, Status, folder
from fmnist.store import Store
from ui import state
from ui.labels import LOOKS

Visit = Callable[..., AppTest]
PAGES = ("overview", "train", "runs")


def words(at: AppTest) -> str:
    """All text on the page without the marks that keep Markdown from reading it."""
    kinds = ("title", "subheader", "markdown", "caption", "error", "warning", "info", "text")
    elements: list[Any] = [element for kind in kinds for element in at.get(kind)]
    parts = [element.value for element in elements]
    parts += [f"{metric.label}: {metric.value}" for metric in at.metric] + [button.label for button in at.button]
    parts += [frame.value.to_string() for frame in (*at.dataframe, *at.table)]
    return "\n".join(str(part) for part in parts).replace("\\", "").replace("\N{WORD JOINER}", "").replace("\N{NO-BREAK SPACE}", " ")


def button(at: AppTest, label: str):
    """The one button with that label."""
    [found] = [each for each in at.button if each.label == label]
    return found


def cards(at: AppTest) -> list[str]:
    """The errors that the page shows."""
    return [error.value.replace("\\", "") for error in at.error]


# ---- every page in every state ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("page", "invitation"),
    [
        ("overview", "Train your first network"),
        ("train", "Nothing has been trained here yet."),
        ("runs", "Nothing has been trained yet"),
        ("compare", "There is nothing to compare yet"),
    ],
)
def test_an_empty_installation_invites_to_a_first_training(visit: Visit, page: str, invitation: str) -> None:
    at = visit(page)
    assert not at.exception
    assert not cards(at)
    assert invitation in words(at)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_beside_runs_in_every_state_has_no_exception(visit: Visit, runs: dict[str, Run], page: str) -> None:
    at = visit(page)
    assert not at.exception
    seen = words(at)
    assert runs["running"].name in seen
    assert "training" in seen
    assert "Nothing has been trained" not in seen


@pytest.mark.parametrize("word", ["finished", "failed", "diverged", "paused", "damaged", "running", "queued"])
def test_a_runs_own_page_says_its_status_and_why(visit: Visit, runs: dict[str, Run], word: str) -> None:
    run = runs[word]
    at = visit("runs", run=run.id)
    assert not at.exception
    seen = words(at)
    assert run.name in seen
    assert ("damaged" if run.damage else LOOKS[run.status].word) in seen
    if word in ("failed", "diverged", "damaged"):
        assert cards(at) == [run.damage or run.message]
    else:
        assert not cards(at)


def test_the_table_of_runs_has_all_of_them_with_their_status(visit: Visit, runs: dict[str, Run]) -> None:
    [table] = visit("runs").dataframe
    shown = dict(zip(table.value["name"], table.value["status"], strict=True))
    assert {name: list(statuses) for name, statuses in shown.items()} == {
        run.name: ["damaged" if run.damage else LOOKS[run.status].word] for run in runs.values()
    }


def test_the_table_shows_only_what_the_search_asks_for(visit: Visit, runs: dict[str, Run]) -> None:
    at = visit("runs")
    at.text_input(key="search").set_value("status=failed,diverged").run()
    assert set(at.dataframe[0].value["name"]) == {"A failed run", "A diverged run"}
    at.text_input(key="search").set_value("status=failed,diverged verg").run()
    assert list(at.dataframe[0].value["name"]) == ["A diverged run"]
    at.text_input(key="search").set_value("no such thing").run()
    assert "No run fits" in words(at)


def test_the_overview_compares_the_best_run_with_the_published_figure(visit: Visit, runs: dict[str, Run]) -> None:
    seen = words(visit("overview"))
    assert "Best test accuracy: 93.12 %" in seen
    assert "A finished run, against the published 92.54 %" in seen


def test_a_running_training_can_be_paused_stopped_and_cancelled_from_the_train_page(visit: Visit, runs: dict[str, Run]) -> None:
    at = visit("train")
    assert {"Pause", "Stop and keep", "Yes, cancel it"} <= {each.label for each in at.button}
    button(at, "Pause").click().run()
    assert not at.exception
    assert state.store().get(runs["running"].id).request == "pause"
    assert "Pausing after this step" in words(at)


def test_a_waiting_run_can_be_cancelled_from_the_queue(visit: Visit, runs: dict[str, Run], runs_store: Store) -> None:
    at = visit("train")
    at.button(key=f"train.queue.cancel.{runs['queued'].id}").click().run()
    assert not at.exception
    assert runs_store.get(runs["queued"].id).status == Status.CANCELLED


def test_runs_that_wait_for_a_person_say_so_on_the_train_page(visit: Visit, runs: dict[str, Run], runs_store: Store) -> None:
    at = visit("train")
    for word in ("failed", "diverged", "damaged"):
        assert (runs[word].damage or runs[word].message) in cards(at)
    at.button(key=f"train.needs.play_arrow.{runs['paused'].id}").click().run()
    assert not at.exception
    assert runs_store.get(runs["paused"].id).status == Status.QUEUED


# ---- the form --------------------------------------------------------------------------------------------------------------------------


def test_fields_that_contradict_each_other_are_told_in_a_sentence_and_nothing_can_be_started(visit: Visit, runs_store: Store) -> None:
    at = visit("train", preset="quick")
    assert not at.button(key="train.start").disabled
    at.number_input(key="train.warmup").set_value(0.0).run()
    assert not at.exception
    assert cards(at) == ["One-cycle first raises the learning rate: give it a warm-up above 0, for example 0.2."]
    assert at.button(key="train.start").disabled
    at.number_input(key="train.warmup").set_value(0.2).run()
    assert not cards(at)
    assert not at.button(key="train.start").disabled
    assert runs_store.runs() == []


def test_a_bound_that_is_itself_not_allowed_is_told_in_a_sentence(visit: Visit) -> None:
    at = visit("train", preset="quick")
    at.number_input(key="train.learning_rate").set_value(0.0).run()
    assert cards(at) == ["Learning rate: 0.0 is not allowed; it must be a number above 0 to 10."]
    assert at.button(key="train.start").disabled


def test_one_click_on_start_is_one_waiting_run_with_the_chosen_settings(visit: Visit, runs_store: Store) -> None:
    at = visit("train", preset="quick")
    at.number_input(key="train.epochs").set_value(2)
    at.text_input(key="train.name").set_value("My first *run*")
    at.run()
    at.button(key="train.start").click().run()
    at.run()  # drawn once more: nothing is started by that
    assert not at.exception
    [run] = runs_store.runs()
    assert (run.name, run.status, run.config) == ("My first *run*", Status.QUEUED, preset("quick").model_copy(update={"epochs": 2}))
    assert "My first *run*" in words(at)
    assert at.text_input(key="train.name").value == ""


def test_another_preset_fills_every_field(visit: Visit, runs_store: Store) -> None:
    at = visit("train", preset="best")
    at.button(key="train.start").click().run()
    assert [run.config for run in runs_store.runs()] == [preset("best")]


# ---- one run: its name, its note, its end ----------------------------------------------------------------------------------------------


def tab(visit: Visit, run: Run, name: str) -> AppTest:
    """The page of a run with one of its tabs open."""
    at = visit("runs", run=run.id)
    at.session_state["runs.tabs"] = name
    return at.run()


def test_a_run_gets_the_name_and_the_note_that_a_person_gives_it(visit: Visit, runs: dict[str, Run], runs_store: Store) -> None:
    at = tab(visit, runs["finished"], "Name, tags, note")
    [name] = [field for field in at.text_input if field.label == "Name"]
    name.set_value("Linear, at last")
    at.text_area[0].set_value("A higher rate is worth a try.")
    button(at, "Save").click().run()
    assert not at.exception
    saved = runs_store.get(runs["finished"].id)
    assert (saved.name, saved.note) == ("Linear, at last", "A higher rate is worth a try.")
    assert "Linear, at last" in words(at)
    assert "A higher rate is worth a try." in words(at)


def test_a_run_deleted_on_its_page_is_gone_from_the_table_until_the_deletion_is_undone(
    visit: Visit, runs: dict[str, Run], runs_store: Store
) -> None:
    doomed = runs["failed"]
    folder(doomed).mkdir(parents=True)
    at = tab(visit, doomed, "Name, tags, note")
    at.button(key="runs.delete").click().run()
    assert not at.exception
    assert [run.id for run in runs_store.binned()] == [doomed.id]
    assert doomed.name not in words(at)
    assert [toast.value for toast in at.toast] == ["1 run moved to the bin\\."]
    at.button(key="runs.undo").click().run()
    assert not at.exception
    assert runs_store.get(doomed.id) == doomed
    assert folder(doomed).exists()
    assert doomed.name in words(at)


def test_a_running_training_cannot_be_deleted(visit: Visit, runs: dict[str, Run]) -> None:
    at = tab(visit, runs["running"], "Name, tags, note")
    assert "A run that is being trained cannot be deleted." in words(at)
    assert "Delete" not in [each.label for each in at.button]


@pytest.mark.parametrize(
    ("name", "shown"), [("Settings", "Nearest preset"), ("Environment", "A processor"), ("Log", "loss 0.5"), ("Checkpoints", "Step")]
)
@pytest.mark.parametrize("word", ["finished", "damaged"])
def test_every_tab_of_a_run_opens(visit: Visit, runs: dict[str, Run], word: str, name: str, shown: str) -> None:
    folder(runs[word]).mkdir(parents=True)
    (folder(runs[word]) / "worker.log").write_text("epoch 1: loss 0.5\n")
    at = tab(visit, runs[word], name)
    assert not at.exception
    seen = words(at) + "\n".join(code.value for code in at.code)
    assert ("cannot be read" if (word, name) == ("damaged", "Settings") else shown) in seen


# ---- what goes wrong -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
def test_a_run_store_that_refuses_is_a_sentence_on_every_page(visit: Visit, home: Path, monkeypatch: pytest.MonkeyPatch, page: str) -> None:
    (home / "file").write_text("this is no folder")
    monkeypatch.setenv("FMNIST_DB", f"sqlite:///{home / 'file' / 'runs.db'}")
    state.store.clear()
    at = visit(page)
    assert not at.exception
    [card] = cards(at)
    assert card.startswith("The folder")
    assert "FMNIST_HOME names another one" in card


def test_a_run_that_is_gone_is_a_sentence(visit: Visit) -> None:
    at = visit("runs", run="0" * 32)
    assert not at.exception
    assert cards(at) == [f"There is no run '{'0' * 32}'. It may have been deleted."]


def test_anything_else_is_a_friendly_card_with_the_id_under_which_the_log_has_the_traceback(
    visit: Visit, runs: dict[str, Run], runs_store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    with sqlite3.connect(runs_store.url.removeprefix("sqlite:///")) as connection:  # which takes words for numbers
        connection.execute("UPDATE checkpoints SET created = 'yesterday' WHERE run = ?", (runs["finished"].id,))
    connection.close()
    at = tab(visit, runs["finished"], "Checkpoints")
    assert not at.exception
    [card] = cards(at)
    number = card.split("**")[1]
    assert "Your runs are safe" in card
    assert "Traceback" not in words(at)
    assert "TypeError" not in words(at)
    [record] = [record for record in caplog.records if number in record.getMessage()]
    assert record.exc_info
