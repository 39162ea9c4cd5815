"""The table of all runs, the page of one run, and what a person changes there."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from bench.runs_page import fill
from fmnist.config import PRESETS, TrainConfig, nearest_preset
from fmnist.run import Run, folder
from fmnist.store import Store
from ui import model_choice

Visit = Callable[..., AppTest]
TABS = ["Settings", "Events", "Environment", "Log", "Checkpoints", "Hand over", "Name, tags, note"]


def column(app: AppTest, name: str) -> list[Any]:
    return app.dataframe[0].value[name].tolist()


def opened(at: AppTest) -> str:
    """The run in the address; AppTest gives it as a text or as a list of one."""
    value = at.query_params["run"]
    return value[0] if isinstance(value, list) else value


def open_tab(app: AppTest, name: str) -> AppTest:
    """The page of a run with another of its tabs in front."""
    app.session_state["runs.tabs"] = name
    return app.run()


def tick(app: AppTest, *runs: Run, key: str = "runs") -> AppTest:
    """The table after a person has ticked these rows, and no others."""
    widget, ids = app.session_state[f"{key}.drawn"]
    app.session_state[widget] = {"selection": {"rows": [ids.index(run.id) for run in runs], "columns": [], "cells": []}}
    return app.run()


def said(app: AppTest) -> str:
    return " ".join(element.value for element in app.caption).replace("\\", "")


# ---- the table ----


def test_the_table_has_the_settings_and_figures_of_a_run(visit: Visit, runs: dict[str, Run]) -> None:
    table = visit("runs").dataframe[0].value.set_index("number")
    row = table.loc[runs["finished"].number]
    assert (row["network"], row["done"], row["epochs"], row["batch_size"]) == ("linear", 2, 4, 64)
    assert (row["optimizer"], row["learning_rate"]) == ("adam", 0.001)
    assert (row["accuracy"], row["loss"]) == (pytest.approx(93.12), 0.2101)
    assert (row["best"], row["best_epoch"], row["last"]) == (pytest.approx(80.0), 1, pytest.approx(80.0))
    assert (row["speed"], row["time"].total_seconds()) == (130.0, 8.0)


def test_a_damaged_run_has_a_row_without_settings(visit: Visit, runs: dict[str, Run]) -> None:
    table = visit("runs").dataframe[0].value.set_index("number")
    row = table.loc[runs["damaged"].number]
    assert list(row["status"]) == ["damaged"]
    assert row[["network", "epochs", "batch_size", "optimizer", "learning_rate"]].isna().all()


def test_a_thousand_runs_are_all_listed_and_the_fifty_damaged_ones_are_named(visit: Visit, runs_store: Store) -> None:
    damaged = fill(runs_store.url, 1_000, 50)
    app = visit("runs")
    assert not app.exception
    table = app.dataframe[0].value
    assert len(table) == 1_000
    bad = table[[list(status) == ["damaged"] for status in table["status"]]]
    assert len(damaged) == len(bad) == 50
    assert {run.name for run in runs_store.runs() if run.damage} == set(bad["name"])
    assert all(run.damage and run.id in damaged for run in map(runs_store.get, damaged))
    opened_one = visit("runs", run=damaged[0])
    assert not opened_one.exception
    assert "cannot be read" in opened_one.error[0].value


def test_a_view_can_be_sent_as_an_address(visit: Visit, runs: dict[str, Run], runs_store: Store) -> None:
    runs_store.annotate(runs["paused"].id, "the one with the Blue label")
    assert column(visit("runs", search="blue LABEL"), "number") == [runs["paused"].number]
    assert column(visit("runs", search="status=damaged"), "number") == [runs["damaged"].number]
    app = visit("runs", columns="seed,flip", sort="accuracy", group="status")
    groups, table = app.dataframe
    assert table.value.columns.tolist() == ["number", "name", "seed", "flip"]
    assert table.value["number"].tolist()[:2] == [runs["finished"].number, runs["damaged"].number]  # 93.12 % and 50 %
    assert set(groups.value["group"]) == {"finished", "failed", "diverged", "paused", "damaged", "training", "waiting"}


def test_what_the_address_says_wrongly_is_passed_over_or_told_in_a_sentence(visit: Visit, runs: dict[str, Run]) -> None:
    app = visit("runs", columns="seed,nonsense", sort="nonsense", group="nonsense")
    assert app.dataframe[0].value.columns.tolist() == ["number", "name", "seed"]
    app = visit("runs", search="acuracy>93")
    assert "Did you mean 'accuracy'?" in app.error[0].value.replace("\\", "")
    assert not app.dataframe


def test_the_columns_are_chosen_and_put_back(visit: Visit, runs: dict[str, Run]) -> None:
    app = visit("runs")
    app.multiselect(key="columns").set_value(["seed"]).run()
    assert app.dataframe[0].value.columns.tolist() == ["number", "name", "seed"]
    assert app.query_params["columns"] in ("seed", ["seed"])
    app.button(key="runs.columns.usual").click().run()
    assert len(app.dataframe[0].value.columns) > 10
    assert "columns" not in app.query_params


def test_the_filter_popover_writes_conditions_that_can_be_read(visit: Visit, runs: dict[str, Run]) -> None:
    app = visit("runs", search="run")
    app.multiselect(key="runs.filter.value.status").set_value(["failed", "paused"]).run()
    app.button(key="runs.filter.add").click().run()
    assert app.text_input(key="search").value == "run status=failed,paused"
    assert set(column(app, "name")) == {"A failed run", "A paused run"}
    assert "where status is failed or paused" in said(app)
    app.selectbox(key="runs.filter.field").set_value("accuracy").run()
    app.text_input(key="runs.filter.value.accuracy").set_value("90").run()
    app.button(key="runs.filter.add").click().run()
    assert app.text_input(key="search").value == "run status=failed,paused accuracy=90"


# ---- what is done to ticked rows ----


def test_one_ticked_row_can_be_opened(visit: Visit, runs: dict[str, Run]) -> None:
    app = tick(visit("runs"), runs["paused"])
    app.button(key="runs.bulk.open").click().run()
    assert opened(app) == runs["paused"].id
    assert not app.dataframe
    assert [tab.label for tab in app.tabs] == TABS


def test_ticks_stay_with_their_runs_when_rows_move(visit: Visit, runs: dict[str, Run], runs_store: Store) -> None:
    app = tick(visit("runs"), runs["finished"], runs["paused"])
    runs_store.create(TrainConfig(), device="cpu")  # pushes every row down by one
    app.run()
    assert "2 ticked" in said(app)
    app.button(key="runs.bulk.delete").click().run()
    assert {run.id for run in runs_store.binned()} == {runs["finished"].id, runs["paused"].id}


def test_ticked_runs_get_tags_and_lose_those_that_all_of_them_had(visit: Visit, runs: dict[str, Run], runs_store: Store) -> None:
    two = [runs["finished"], runs["paused"]]
    runs_store.tag([run.id for run in two], add=["both"])
    runs_store.tag([two[0].id], add=["one"])
    app = tick(visit("runs"), *two)
    [field] = [each for each in app.multiselect if each.label == "Tags"]
    assert field.value == ["both"]
    field.set_value(["lunch"]).run()
    assert not app.exception
    assert [runs_store.get(run.id).tags for run in two] == [("one", "lunch"), ("lunch",)]
    assert "2 ticked" in said(app)
    assert set(column(visit("runs", search="tag=lunch"), "name")) == {run.name for run in two}


def test_archived_runs_are_out_of_the_list_unless_asked_for(visit: Visit, runs: dict[str, Run], runs_store: Store) -> None:
    app = tick(visit("runs"), runs["finished"])
    app.button(key="runs.bulk.archive").click().run()
    assert runs["finished"].number not in column(app, "number")
    app.toggle(key="archived").set_value(True).run()
    assert runs["finished"].number in column(app, "number")
    app = tick(app, runs["finished"])
    app.button(key="runs.bulk.unarchive").click().run()
    assert runs_store.get(runs["finished"].id).archived is None


def test_archived_and_deleted_runs_are_no_models_to_choose_but_a_link_to_an_archived_one_still_works(
    visit: Visit, runs: dict[str, Run], runs_store: Store
) -> None:
    runs_store.archive([runs["finished"].id])
    runs_store.bin([runs["failed"].id])
    words = model_choice.names()
    assert str(runs["paused"].number) in words
    assert not {"best", str(runs["finished"].number), str(runs["failed"].number)} & words.keys()
    model = visit("explore", model=str(runs["finished"].number)).selectbox(key="model")
    assert model.value == str(runs["finished"].number)
    assert model.options[-1].endswith("· archived")
    model = visit("explore", model=str(runs["failed"].number)).selectbox(key="model")
    assert model.options[-1].endswith("(not available)")


def test_a_running_training_survives_the_deletion_of_its_neighbours(visit: Visit, runs: dict[str, Run], runs_store: Store) -> None:
    app = tick(visit("runs"), runs["running"], runs["failed"])
    app.button(key="runs.bulk.delete").click().run()
    assert [run.id for run in runs_store.binned()] == [runs["failed"].id]
    assert "Still being trained, so not deleted: A running run" in app.toast[0].value.replace("\\", "")


def test_a_deletion_can_be_undone_and_what_is_in_the_bin_brought_back(visit: Visit, runs: dict[str, Run], runs_store: Store) -> None:
    before = runs_store.runs()
    app = tick(visit("runs"), runs["failed"], runs["diverged"])
    app.button(key="runs.bulk.delete").click().run()
    assert len(app.dataframe[0].value) == len(before) - 2
    app.button(key="runs.undo").click().run()
    assert runs_store.runs() == before
    runs_store.bin([runs["failed"].id, runs["diverged"].id])
    app = visit("runs", bin="yes")
    assert set(column(app, "name")) == {"A failed run", "A diverged run"}
    app = tick(app, runs["failed"], key="runs.bin.table")
    app.button(key="runs.bin.back").click().run()
    assert not app.exception
    assert [run.id for run in runs_store.binned()] == [runs["diverged"].id]


def test_the_bin_is_emptied_with_the_folders_after_a_second_yes(visit: Visit, runs: dict[str, Run], runs_store: Store) -> None:
    doomed = [runs["failed"], runs["diverged"]]
    for run in doomed:
        folder(run).mkdir(parents=True)
        (folder(run) / "worker.log").write_text("the disk is full")
    runs_store.bin([run.id for run in doomed])
    app = visit("runs", bin="yes")
    app.session_state["runs.bin.ask"] = True
    app.run()
    assert any("2 runs with settings, curves, figures and 2 files (32 bytes)" in each.value for each in app.markdown)
    app.button(key="runs.bin.remove").click().run()
    assert not app.exception
    assert runs_store.binned() == []
    assert not any(folder(run).exists() for run in doomed)
    assert "The bin is empty." in [info.value for info in app.info]


def test_the_page_of_a_run_in_the_bin_says_so_and_brings_it_back(visit: Visit, runs: dict[str, Run], runs_store: Store) -> None:
    runs_store.bin([runs["finished"].id])
    app = visit("runs", run=runs["finished"].id)
    assert any("in the bin; it is removed for good in 30 d" in each.value or "29 d" in each.value for each in app.markdown)
    app.button(key="runs.bin.back").click().run()
    assert runs_store.get(runs["finished"].id).binned is None


# ---- the page of a run ----


def test_the_settings_mark_what_differs_from_the_nearest_preset(visit: Visit, runs_store: Store) -> None:
    run = runs_store.create(TrainConfig(validation_size=0, learning_rate=0.002), device="cpu")
    app = visit("runs", run=run.id)
    assert any("**reference**; 1 setting differs" in element.value for element in app.markdown)
    table = app.table[0].value
    marked = table[table["In the preset"] != ""]
    assert marked["Setting"].tolist() == ["Learning rate"]
    assert "0\\.002" in marked["Value"].item()
    assert marked["In the preset"].item() == "0\\.001"


def test_the_nearest_preset_of_a_preset_is_itself() -> None:
    for name, (_, config) in PRESETS.items():
        assert nearest_preset(config) == (name, {})


def log_of(run: Run) -> Path:
    """The file that a worker writes what it does to."""
    folder(run).mkdir(parents=True)
    return folder(run) / "worker.log"


def test_the_log_is_shown_letter_by_letter(visit: Visit, runs: dict[str, Run]) -> None:
    written = "a line\n<b>not bold</b> [not](http://a.link) $x$"
    log_of(runs["finished"]).write_text(written)
    app = open_tab(visit("runs", run=runs["finished"].id), "Log")
    assert app.code[0].value == written


def test_of_a_long_log_the_end_is_shown(visit: Visit, runs: dict[str, Run]) -> None:
    log_of(runs["finished"]).write_text("".join(f"line {number}\n" for number in range(20_000)))
    app = open_tab(visit("runs", run=runs["finished"].id), "Log")
    lines = app.code[0].value.splitlines()
    assert lines[-1] == "line 19999"
    assert 5_000 < len(lines) < 8_000
    assert lines[0].startswith("line ")


def test_the_checkpoints_are_listed_and_missing_files_are_marked(visit: Visit, runs: dict[str, Run], runs_store: Store) -> None:
    run = runs["finished"]
    newest, _ = runs_store.checkpoints(run.id)
    weights = folder(run) / "checkpoints"
    weights.mkdir(parents=True)
    (weights / newest.weights).write_bytes(b"weights")
    table = open_tab(visit("runs", run=run.id), "Checkpoints").table[0].value
    assert table["Epoch"].tolist() == ["2", "1"]
    assert table["Monitor accuracy"].tolist() == ["80.00\N{NO-BREAK SPACE}%", "80.00\N{NO-BREAK SPACE}%"]
    assert ["7 bytes" in each for each in table["Weights"]] == [True, False]
    assert ["missing" in each for each in table["Weights"]] == [False, True]


# ---- what befell a run, and where it comes from ----


def test_the_events_are_listed_in_their_order_with_step_and_reason(visit: Visit, runs: dict[str, Run]) -> None:
    table = open_tab(visit("runs", run=runs["failed"].id), "Events").table[0].value
    assert [words.partition("[")[2].strip("]") for words in table["Event"]] == ["Put into the queue", "Taken up by a process", "Failed"]
    assert table["At step"].tolist() == ["0", "0", "16"]
    assert table["Details"].tolist()[-1].replace("\\", "") == runs["failed"].message


def test_a_run_of_an_earlier_version_has_no_events_and_says_why(visit: Visit, runs: dict[str, Run], runs_store: Store) -> None:
    with sqlite3.connect(runs_store.url.removeprefix("sqlite:///")) as connection:
        connection.execute("DELETE FROM happenings")
    app = open_tab(visit("runs", run=runs["failed"].id), "Events")
    assert any("earlier version" in caption.value for caption in app.caption)


def test_a_kind_of_event_that_only_a_newer_version_knows_is_shown_as_it_is(visit: Visit, runs: dict[str, Run], runs_store: Store) -> None:
    with sqlite3.connect(runs_store.url.removeprefix("sqlite:///")) as connection:
        connection.execute("UPDATE happenings SET kind = 'taught [x](y)' WHERE run = ?", (runs["failed"].id,))
    table = open_tab(visit("runs", run=runs["failed"].id), "Events").table[0].value
    assert table["Event"][0] == ":gray-badge[taught \\[x\\]\\(y\\)]"


def captions(app: AppTest) -> str:
    return "\n".join(caption.value for caption in app.caption).replace("\\", "")


def test_a_run_made_from_another_says_so_and_what_was_changed(visit: Visit, runs: dict[str, Run], runs_store: Store) -> None:
    origin = runs["finished"]
    assert origin.config
    made = runs_store.create(origin.config.model_copy(update={"learning_rate": 0.01, "flip": True}), device="cpu", origin=origin.id)
    app = visit("runs", run=made.id)
    assert "Made from" in captions(app)
    assert "Learning rate 0.001 → 0.01 · Flip off → on" in captions(app)
    [link] = [link for link in app.get("page_link") if link.proto.label.replace("\\", "") == origin.name]
    assert link.proto.query_string == f"run={origin.id}"


def test_a_run_whose_origin_is_gone_says_so(visit: Visit, runs: dict[str, Run], runs_store: Store) -> None:
    made = runs_store.create(TrainConfig(), device="cpu", origin=runs["failed"].id)
    runs_store.delete(runs["failed"].id)
    assert "Made from a run that was deleted since" in captions(visit("runs", run=made.id))
