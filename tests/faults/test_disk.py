"""A disk that is full, and one that becomes read-only, at any operation of a training: what was finished can be looked at and used, the
run says why it waits, and once the disk is mended it goes on to the very same result."""

import random
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
import torch

from fmnist import prediction, runner
from fmnist.checkpoint import remove_run
from fmnist.config import TrainConfig
from fmnist.disk import obstacle
from fmnist.errors import StoreError
from fmnist.liveness import this_process
from fmnist.run import Run, Status, folder
from fmnist.store import Store

if TYPE_CHECKING:
    from tests.conftest import Disk

CONFIG = TrainConfig(network="linear", epochs=3, batch_size=50, train_size=300, validation_size=100, precision="float32")
Act = Callable[[], None]


class _Operations:
    """Counts what a training does to its disk (files opened and renamed, statements of the database), and acts at one of them."""

    def __init__(self) -> None:
        self.place, self.at, self.act, self.count = "", 0, None, 0
        sys.addaudithook(self._hear)
        sa.event.listen(sa.Engine, "before_cursor_execute", lambda *_: self._next())
        sa.event.listen(sa.Engine, "commit", lambda _: self._next())

    @contextmanager
    def counted(self, place: Path, at: int = 0, act: Act | None = None) -> Iterator[None]:
        self.place, self.at, self.act, self.count = str(place), at, act, 0
        try:
            yield
        finally:
            self.place = ""

    def _hear(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.place and event in ("open", "os.rename", "os.remove", "os.mkdir") and str(arguments[0]).startswith(self.place):
            self._next()

    def _next(self) -> None:
        if not self.place:
            return
        self.count += 1
        if self.count == self.at and self.act:
            place, self.place = self.place, ""  # what the act itself does is not counted
            self.act()
            self.place = place


@pytest.fixture(scope="module")
def operations() -> _Operations:
    return _Operations()  # an audit hook cannot be taken away again


def _sit(store: Store, run: Run) -> Run:
    claimed = store.claim("cpu", this_process(), run.id)
    assert claimed
    return runner.train(store, claimed, threading.Event())


def _refusal_to_sit(store: Store, run: Run) -> str | None:
    """A sitting that may end early; what it said if not even that could be written down."""
    try:
        _sit(store, run)
    except StoreError as error:
        return str(error)
    return None


def _go_on(store: Store, run: Run) -> None:
    """To the end, if it is not there."""
    if store.get(run.id).status == Status.PAUSED:
        store.resume(run.id)
    if store.get(run.id).status != Status.FINISHED:
        _sit(store, run)


def _figures(store: Store, run: Run) -> tuple[object, ...]:
    """What must not depend on what the disk did."""
    steps = [step.step for step in store.steps(run.id)]
    assert steps == sorted(set(steps)), "a torn or a double row"
    epochs = [(epoch.epoch, epoch.step, epoch.train_loss, epoch.loss, epoch.accuracy) for epoch in store.epochs(run.id)]
    ended = store.get(run.id)
    return ended.status, epochs, store.checkpoints(run.id)[0].weights_sha256, ended.accuracy, ended.loss


def _can_be_looked_at_and_used(store: Store, run: Run) -> None:
    """Everything that was finished, on the disk as it is now, and by somebody who opens the store anew."""
    fresh = Store(store.url)
    finished = fresh.epochs(run.id)
    assert [epoch.epoch for epoch in finished] == list(range(1, len(finished) + 1))
    assert [found.id for found in fresh.runs()] == [found.id for found in store.runs()]
    if fresh.checkpoints(run.id):
        model = prediction.load(run.id, fresh)
        assert prediction.predict(model, torch.zeros(2, 28, 28, dtype=torch.uint8)).sum(1) == pytest.approx([1, 1], abs=1e-5)
    fresh.close()


def _places(operations: _Operations, place: Path, store: Store, many: int) -> tuple[tuple[object, ...], list[int]]:
    """The figures of a training that nothing disturbs, and some of its operations, drawn at random."""
    run = store.create(CONFIG, device="cpu")
    with operations.counted(place):
        ended = _sit(store, run)
    assert ended.status == Status.FINISHED, ended.message
    assert operations.count > 100
    chance = random.Random(many)
    width = operations.count / many  # one of each stretch, so that every part of a training is met
    return _figures(store, run), [int(index * width + chance.random() * width) + 1 for index in range(many)]


@pytest.mark.timeout(0)
def test_a_disk_that_is_full_at_any_operation_pauses_the_run_and_costs_nothing(
    disk: "Disk", operations: _Operations, size: Callable[[int, int], int]
):
    store = Store()
    expected, places = _places(operations, disk.place, store, size(6, 40))
    paused = 0
    for place in places:
        run = store.create(CONFIG, device="cpu")
        with operations.counted(disk.place, place, disk.fill):
            refusal = _refusal_to_sit(store, run)
        now = store.get(run.id)
        if now.status != Status.FINISHED:
            paused += 1
            assert now.status == (Status.QUEUED if refusal else Status.PAUSED), (place, now)  # refused: it was not even claimed
            assert re.match("The disk is (nearly )?full", refusal or now.message or ""), (place, now)
        _can_be_looked_at_and_used(store, run)
        disk.empty()
        _go_on(store, run)
        assert _figures(store, run) == expected, place
    assert paused >= len(places) // 2
    store.close()


@pytest.mark.timeout(0)
def test_a_disk_that_becomes_read_only_at_any_operation_can_be_looked_at_and_the_run_goes_on_later(
    disk: "Disk", operations: _Operations, size: Callable[[int, int], int]
):
    store = Store()
    expected, places = _places(operations, disk.place, store, size(4, 60))
    for place in places:
        run = store.create(CONFIG, device="cpu")
        with operations.counted(disk.place, place, disk.fail):
            refusal = _refusal_to_sit(store, run)
        assert re.match("The disk is read-only", refusal or "The disk is read-only") or "disk I/O error" in (refusal or ""), refusal
        store.close()
        _can_be_looked_at_and_used(store, run)
        store.close()
        disk.mend()
        now = store.get(run.id)
        if now.status == Status.RUNNING:
            assert store.requeue_crashed(run.id, now.process) == Status.QUEUED
        _go_on(store, run)
        assert _figures(store, run) == expected, place
    store.close()


def test_on_a_full_disk_room_is_made_by_deleting_a_run(disk: "Disk"):
    store = Store()
    run = store.create(CONFIG, device="cpu")
    assert _sit(store, run).status == Status.FINISHED
    disk.fill()
    assert (obstacle() or "").startswith("The disk is full")
    remove_run(store, run.id)
    assert store.runs() == []
    assert not folder(run).exists()
    store.create(CONFIG, device="cpu")
    store.close()
