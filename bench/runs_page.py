"""How soon the table of 1,000 runs, 50 of them damaged, can be read and used, in a real browser."""

import math
import re
import shutil
import sqlite3
import tempfile
import uuid
from pathlib import Path
from statistics import median
from typing import Any

import sqlalchemy as sa
from playwright.sync_api import Page, sync_playwright

from bench.first_page import serving, store_url
from bench.page_actions import PAUSE, link, timed
from fmnist.config import parse
from fmnist.database import EPOCHS, RUNS
from fmnist.store import Store

RUNS_COUNT, DAMAGED, EPOCHS_COUNT, ROUNDS = 1_000, 50, 10, 7
DAMAGES = (  # what a bad disk or another program can do to a row
    "config = '{broken'",
    "config = 5, accuracy = 'high'",
    "status = 'exploded'",
    "name = CAST(x'52756eff' AS TEXT), config = CAST(x'7bff7d' AS TEXT)",
    "created = 'yesterday', note = x'ff'",
)


def run() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        fill(store_url(Path(home)))
        with serving(Path(home)) as url:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"])
            page = browser.new_context(viewport={"width": 1280, "height": 1000}).new_page()
            page.goto(url)
            link(page, "Runs").wait_for()
            times = [_round(page) for _ in range(ROUNDS)]
            browser.close()
    result = {}
    for name, seconds in {name: [each[name] for each in times] for name in times[0]}.items():
        result[name] = {"median": round(median(seconds), 2), "slowest": round(max(seconds), 2)}
        print(f"{name:<44} {median(seconds):>5.2f} s (slowest {max(seconds):.2f})")  # noqa: T201
    return {"runs": RUNS_COUNT, "damaged": DAMAGED, "rounds": ROUNDS, "seconds": result}


def _round(page: Page) -> dict[str, float]:
    """From the first page to the table and back: seconds until the table is seen, and until a filter is answered."""
    count = page.get_by_text(re.compile(rf"^[\d,]+ of {RUNS_COUNT:,} runs"))
    table = page.get_by_test_id("stDataFrame").locator("#glide-cell-1-0")
    times = {"open the table of 1,000 runs": timed(link(page, "Runs").click, lambda: table.wait_for(state="attached"))}
    search = page.get_by_role("textbox", name="Search")
    search.fill("network=resnet accuracy>90")
    times["filter it"] = timed(lambda: search.press("Enter"), count.filter(has_text="network is resnet").wait_for)
    search.fill("")
    times["remove the filter"] = timed(lambda: search.press("Enter"), count.filter(has_not_text="network is").wait_for)
    link(page, "Overview").click()
    page.get_by_role("heading", level=1, name="Fashion-MNIST studio").wait_for()
    page.wait_for_timeout(PAUSE)
    return times


def fill(url: str, count: int = RUNS_COUNT, damaged: int = DAMAGED) -> list[str]:
    """Runs with figures in an SQLite store, written in one go; returns the ids of the damaged ones."""
    Store(url).close()
    rows, epochs = [], []
    for number in range(1, count + 1):
        row, its_epochs = _run(number)
        rows.append(row)
        epochs += its_epochs
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.insert(RUNS), rows)
        connection.execute(sa.insert(EPOCHS), epochs)
    engine.dispose()
    ids = [row["id"] for row in rows[:: max(1, count // max(1, damaged))]][:damaged]
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        for place, run_id in enumerate(ids):
            connection.execute(f"UPDATE runs SET {DAMAGES[place % len(DAMAGES)]} WHERE id = ?", (run_id,))
    connection.close()
    return ids


def _run(number: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A finished run and its epochs; which figures it has is a function of its number."""
    networks, optimizers, rates = ("reference", "linear", "mlp", "small", "resnet"), ("adam", "adamw", "sgd"), (0.001, 0.003, 0.01)
    config = parse(
        {
            "network": networks[number % 5],
            "optimizer": optimizers[number // 5 % 3],
            "learning_rate": rates[number // 15 % 3],
            "seed": number // 45,
            "epochs": EPOCHS_COUNT,
        }
    )
    run_id, accuracy = uuid.UUID(int=number).hex, 0.93 + 0.02 * math.sin(number)
    row = {
        **{"id": run_id, "number": number, "name": f"Run {number}", "status": "finished", "config": config.model_dump_json()},
        **{"device": "cpu", "position": number, "created": 1.79e9 + 600 * number, "epoch": EPOCHS_COUNT, "step": config.total_steps},
        **{"seconds": 300.0, "accuracy": accuracy, "loss": 1 - accuracy, "tags": '["lunch"]' if number % 7 == 0 else "[]"},
    }
    steps = config.steps_per_epoch
    figures = {"train_loss": 0.2, "train_accuracy": 0.95, "loss": 0.3, "learning_rate": 1e-3, "images_per_second": 2e3}
    grown = [
        {"run": run_id, "epoch": epoch, "step": epoch * steps, "seconds": 30.0 * epoch, "accuracy": accuracy - 0.1 / epoch, **figures}
        for epoch in range(1, EPOCHS_COUNT + 1)
    ]
    return row, grown
