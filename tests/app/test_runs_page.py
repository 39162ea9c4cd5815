"""The table of all runs, the page of one run, and what a person changes there."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from fmnist.config import TrainConfig
from fmnist.run import Run, Status, folder
from fmnist.store import Store
from ui.runs import run_page, run_table

Visit = Callable[..., AppTest]
TABS = ["Settings", "Events", "Environment", "Log", "Checkpoints", "Name and note"]


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


# ---- the table ----


def test_the_table_has_the_settings_and_figures_of_a_run(visit: Visit, runs: dict[str, Run]) -> None:
    table = visit("runs").dataframe[0].value.set_index("number")
    row = table.loc[runs["finished"].number]
    assert (row["network"], row["epochs"], row["batch"], row["optimizer"], row["rate"]) == ("linear", "2 of 4", 64, "adam", 0.001)
    assert (row["accuracy"], row["loss"], row["monitor"]) == (pytest.approx(93.12), 0.2101, pytest.approx(80.0))
    assert (row["speed"], row["time"].total_seconds()) == (130.0, 8.0)


def test_a_damaged_run_has_a_row_without_settings(visit: Visit, runs: dict[str, Run]) -> None:
    table = visit("runs").dataframe[0].value.set_index("number")
    row = table.loc[runs["damaged"].number]
    assert row["status"].tolist() == ["damaged"]
    assert row[["network", "epochs", "batch", "optimizer", "rate"]].isna().all()


def test_a_filter_can_be_sent_as_an_address(visit: Visit, runs: dict[str, Run], runs_store: Store) -> None:
    runs_store.annotate(runs["paused"].id, "the one with the Blue label")
    assert column(visit("runs", search="blue LABEL"), "number") == [runs["paused"].number]
    assert column(visit("runs", status="damaged"), "number") == [runs["damaged"].number]


def test_a_filter_looks_into_settings_too() -> None:
    made = [run_of(TrainConfig(network="mlp", optimizer="sgd"), 1), run_of(TrainConfig(), 2)]
    assert [run.number for run in run_table.filtered(made, "sgd mlp", [])] == [1]
    assert [run.number for run in run_table.filtered(made, "", [])] == [1, 2]
    assert run_table.filtered(made, "", ["failed"]) == []


def run_of(config: TrainConfig, number: int) -> Run:
    """A finished run that is in no store."""
    rest: dict[str, Any] = dict.fromkeys(Run.__dataclass_fields__)
    return Run(
        **{**rest, "number": number, "name": f"Run {number}", "note": "", "status": Status.FINISHED, "config": config, "device": "cpu"}
    )


def test_selecting_a_row_opens_the_run(visit: Visit, runs: dict[str, Run]) -> None:
    app = visit("runs")
    row = column(app, "number").index(runs["paused"].number)
    app.session_state["runs.table"] = {"selection": {"rows": [row], "columns": [], "cells": []}}
    app.run()
    assert opened(app) == runs["paused"].id
    assert not app.dataframe
    assert [tab.label for tab in app.tabs] == TABS


def test_a_row_that_moved_meanwhile_still_opens_the_run_that_was_clicked(visit: Visit, runs: dict[str, Run], runs_store: Store) -> None:
    app = visit("runs")
    row = column(app, "number").index(runs["finished"].number)
    runs_store.create(TrainConfig(), device="cpu")  # pushes every row down by one
    app.session_state["runs.table"] = {"selection": {"rows": [row], "columns": [], "cells": []}}
    app.run()
    assert opened(app) == runs["finished"].id


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
    for name, (_, config) in run_page.PRESETS.items():
        assert run_page.nearest_preset(config) == (name, {})


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
