"""What must hold of a run whatever befell its process and its disk."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from fmnist import history
from fmnist.checkpoint import checkpoints_folder, read_tensors
from fmnist.run import Run
from fmnist.store import Store

OF_THE_MOMENT = {"created", "started", "ended", "at", "pid", "pid_started", "id", "run", "seconds", "images_per_second", "preview", "seal"}


@contextmanager
def opened(home: Path) -> Iterator[Store]:
    """The store of a home."""
    with closing(Store(database_of(home))) as store:
        yield store


def database_of(home: Path) -> str:
    return f"sqlite:///{home / 'runs' / 'studio.db'}"


def epochs(store: Store, run: Run) -> list[tuple[float, ...]]:
    """The figures of each epoch that must not depend on interruptions."""
    found = store.epochs(run.id)
    return [(epoch.epoch, epoch.step, epoch.train_loss, epoch.train_accuracy, epoch.loss, epoch.accuracy) for epoch in found]


def result(store: Store, run: Run) -> tuple[object, ...]:
    """Everything that must not depend on interruptions, but for the history: figures, the hash of the last weights, the verdict."""
    now = store.get(run.id)
    assert not now.damage
    steps = [step.step for step in store.steps(run.id)]
    assert steps == sorted(set(steps)), "a point of the curve is there twice"
    return epochs(store, run), store.checkpoints(run.id)[0].weights_sha256, now.accuracy, now.loss


def said(store: Store, run: Run) -> tuple[object, ...]:
    """What was said of each image after each epoch."""
    found = history.read(run.id, [epoch.epoch for epoch in store.epochs(run.id)])
    assert found is not None
    return found.epochs, found.guesses.tolist(), found.confidences.tolist()


def check_is_whole(store: Store, run: Run, expected: list[tuple[float, ...]], finished: int) -> None:
    """A run after a fault: listed, its finished epochs there and right, every checkpoint as it was stored.

    Args:
        expected: the figures of its epochs, as they would have been.
        finished: how many of them a reader has seen.
    """
    with closing(sqlite3.connect(store.url.removeprefix("sqlite:///"))) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert [each.damage for each in store.runs() if each.id == run.id] == [None]
    found, checkpoints = epochs(store, run), store.checkpoints(run.id)
    assert found == expected[: len(found)]
    assert len(found) >= finished, "a finished epoch was lost"
    assert {epoch[1] for epoch in found} <= {checkpoint.step for checkpoint in checkpoints}
    for checkpoint in checkpoints:
        read_tensors(checkpoints_folder(run.id) / checkpoint.weights, checkpoint.weights_sha256)
        if checkpoint.state:
            read_tensors(checkpoints_folder(run.id) / checkpoint.state, checkpoint.state_sha256)
    assert not found or checkpoints[0].state, "the newest checkpoint cannot be gone on from"


def contents(home: Path) -> dict[str, list[Any]]:
    """Every row of every table, without what depends on the moment."""
    with closing(sqlite3.connect(home / "runs" / "studio.db")) as database:
        database.row_factory = sqlite3.Row
        tables = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        rows = {table: database.execute(f"SELECT * FROM {table} ORDER BY rowid").fetchall() for table in tables}
    return {table: [{key: row[key] for key in row.keys() if key not in OF_THE_MOMENT} for row in found] for table, found in rows.items()}  # noqa: SIM118
