"""The pages in AppTest: a store of their own for each test, and runs in every state that a person can meet."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from fmnist.config import TrainConfig
from fmnist.data import Dataset
from fmnist.events import Epoch, Step
from fmnist.prediction import Model, load
from fmnist.run import Checkpoint, Process, Run, Status
from fmnist.store import Store
from ui import state

MAIN = Path(__file__).parents[2] / "ui" / "main.py"
CONFIG = TrainConfig(network="linear", epochs=4, batch_size=64, train_size=600, validation_size=100)  # 8 steps an epoch
NOBODY = Process(pid=4321, started=1_700_000_000.0)  # no supervisor looks after runs here, so nobody misses it


@pytest.fixture
def runs_store(home: Path) -> Iterator[Store]:
    """The empty store that the pages of this test see. The dataset is the same for all tests and stays loaded."""
    state.store.clear()
    st.cache_data.clear()
    state.dataset_preparation().wait(120)
    opened = state.store()
    yield opened
    opened.close()
    state.store.clear()


@pytest.fixture
def dataset(runs_store: Store) -> Dataset:
    """The images, as the pages have them."""
    return state.dataset()


@pytest.fixture
def bundled(runs_store: Store) -> Model:
    """The model that comes with the studio."""
    return load("bundled", runs_store)


@pytest.fixture
def visit(runs_store: Store) -> Callable[..., AppTest]:
    """Open a page as a person would: visit("runs", run=...)."""

    def open_page(name: str, **query: str) -> AppTest:
        at = AppTest.from_file(str(MAIN), default_timeout=60).run()  # the pages are known once it has run
        at.switch_page(f"../pages/{name}.py")
        for key, value in query.items():
            at.query_params[key] = value
        return at.run()

    return open_page


@pytest.fixture
def runs(runs_store: Store) -> dict[str, Run]:
    """A run in every state, by its word; trained by nobody, but written as a worker writes."""
    made = {word: _begun(runs_store, f"A {word} run") for word in ("finished", "failed", "diverged", "paused", "damaged", "running")}
    runs_store.end(made["finished"].id, Status.FINISHED, accuracy=0.9312, loss=0.2101)
    runs_store.end(made["failed"].id, Status.FAILED, "The disk is full: free some space, then resume the run.")
    runs_store.end(made["diverged"].id, Status.DIVERGED, "diverged at epoch 2, step 9: the loss is no longer a finite number.")
    runs_store.end(made["paused"].id, Status.PAUSED)
    runs_store.end(made["damaged"].id, Status.FINISHED, accuracy=0.5, loss=1.5)
    overwrite(runs_store, "config = '{broken' WHERE id = ?", made["damaged"].id)
    preview = {"step": 16, "images": [0, 1], "split": "validation", "labels": [9, 0], "probabilities": [[0.0] * 9 + [1.0], [0.1] * 10]}
    runs_store.record(made["running"].id, [], preview=preview)
    made["queued"] = runs_store.create(CONFIG, device="cpu", name="A queued run")
    return {word: runs_store.get(run.id) for word, run in made.items()}


def _begun(store: Store, name: str) -> Run:
    """A run of two finished epochs that this process trains."""
    run = store.create(CONFIG, device="cpu", name=name)
    assert store.claim("cpu", NOBODY, run.id)
    store.describe(run.id, environment={"name": "A processor", "torch": "2.0", "threads": 2})
    for epoch in (1, 2):
        last = 8 * epoch
        store.record(run.id, [Step(step, step / 8, step * 0.5, 1 / step, 1e-3, 128.0) for step in range(last - 7, last + 1)])
        saved = Checkpoint(last, epoch, f"{last}.safetensors", "a" * 64, f"{last}.state", "b" * 64)
        store.commit(run.id, saved, Epoch(epoch, last, 4.0 * epoch, 0.4 / epoch, 0.9, 0.5 / epoch, 0.8, 1e-3, 130.0))
    return run


def overwrite(store: Store, change: str, run_id: str) -> None:
    """Change a row from outside, as a bad disk or another program would."""
    with sqlite3.connect(store.url.removeprefix("sqlite:///")) as connection:
        connection.execute(f"UPDATE runs SET {change}", (run_id,))
    connection.close()
