"""Weights that stop being numbers at any step, and a process that the system kills: a named state, a sentence, and a way on."""

import json
import math
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import astuple

import pytest
import sqlalchemy as sa
import torch

from fmnist import commands, prediction, runner, training
from fmnist.config import TrainConfig
from fmnist.database import META
from fmnist.engines.local import Supervisor
from fmnist.events import Done, Epoch, Step
from fmnist.liveness import this_process
from fmnist.run import Kind, Request, Run, Status
from fmnist.store import Store
from fmnist.train_state import TrainState

CONFIG = TrainConfig(network="small", epochs=4, batch_size=25, train_size=250, validation_size=100, precision="float32")
STEPS = CONFIG.steps_per_epoch  # 6
Event = Step | Epoch | Done


class _Known(TrainState):
    """A state that the test can reach while it is trained."""

    last: "_Known"

    def __init__(self, *arguments: object, **more: object) -> None:
        super().__init__(*arguments, **more)  # type: ignore[arg-type]
        _Known.last = self


@pytest.fixture(autouse=True)
def _reachable(monkeypatch: pytest.MonkeyPatch) -> None:
    """One event a step, and a state that can be spoilt between two of them."""
    monkeypatch.setattr(training, "REPORT_SECONDS", 0.0)
    monkeypatch.setattr(runner, "TrainState", _Known)


def _spoil_weights(state: TrainState) -> None:
    next(state.model.parameters()).data.flatten()[0] = math.nan


def _overflow_weights(state: TrainState) -> None:
    next(state.model.parameters()).data.fill_(math.inf)


def _spoil_statistics(state: TrainState) -> None:
    """Only the monitor split sees them: while it trains, a network uses those of its batch. NaN stays NaN under any average."""
    found = [value for name, value in state.model.state_dict().items() if name.endswith("running_var")]
    found[-1].fill_(math.nan)


SPOILS = (_spoil_weights, _overflow_weights, _spoil_statistics)


def _train(store: Store, run: Run, watch: Callable[[Event], None] = lambda event: None) -> Run:
    claimed = store.claim("cpu", this_process(), run.id)
    assert claimed
    return runner.train(store, claimed, threading.Event(), watch=watch)


def _is_strict_json(store: Store) -> None:
    """Every text of every table that looks like JSON, and what the command line prints."""

    def refuse(word: str) -> float:
        raise AssertionError(f"{word} is no JSON")

    with store.database.reading() as connection:
        rows = [row for table in META.sorted_tables for row in connection.execute(sa.select(table))]
    texts = [value for row in rows for value in row if isinstance(value, str) and value[:1] in ("[", "{")]
    assert texts
    for text in [*texts, *(json.dumps(commands.summary(run), allow_nan=False) for run in store.runs())]:
        json.loads(text, parse_constant=refuse)


def _last_finite_checkpoint_is_usable(store: Store, run: Run, epochs: int) -> None:
    found = store.checkpoints(run.id)
    assert [point.epoch for point in found] == list(range(epochs, 0, -1))
    if found:
        probabilities = prediction.predict(prediction.load(run.id, store), torch.zeros(1, 28, 28, dtype=torch.uint8))
        assert bool(probabilities.isfinite().all())
    events = [*store.steps(run.id), *store.epochs(run.id)]  # what the curves are drawn from
    assert all(math.isfinite(value) for event in events for value in astuple(event) if value is not None)


@pytest.mark.timeout(0)
def test_numbers_that_are_none_are_found_within_the_epoch_at_any_step(plain_store: Store, size: Callable[[int, int], int]):
    chance, many = random.Random(0), size(6, 60)
    for index in range(many):
        spoil, at = SPOILS[index % len(SPOILS)], chance.randint(1, CONFIG.total_steps - 1)

        def watch(event: Event, spoil: Callable[[TrainState], None] = spoil, at: int = at) -> None:
            if isinstance(event, Step) and event.step == at:
                spoil(_Known.last)

        run = _train(plain_store, plain_store.create(CONFIG, device="cpu"), watch)
        assert run.status == Status.DIVERGED, (spoil, at, run.message)
        epoch = (at - 1) // STEPS + 1
        soon = at + 1 if spoil is not _spoil_statistics and at % STEPS else epoch * STEPS
        assert f"diverged at epoch {epoch}, step {soon}" in (run.message or ""), (spoil, at)
        _last_finite_checkpoint_is_usable(plain_store, run, epochs=epoch - 1)
    _is_strict_json(plain_store)


def test_a_pause_at_the_very_step_keeps_no_checkpoint_that_nobody_can_use(plain_store: Store):
    run = plain_store.create(CONFIG, device="cpu")

    def watch(event: Event) -> None:
        if isinstance(event, Step) and event.step == STEPS + 2:
            plain_store.ask(run.id, Request.PAUSE)
        if isinstance(event, Step) and event.step == STEPS + 3:
            _spoil_weights(_Known.last)

    assert _train(plain_store, run, watch).status == Status.DIVERGED
    _last_finite_checkpoint_is_usable(plain_store, run, epochs=1)
    plain_store.resume(run.id)
    assert _train(plain_store, run).status == Status.FINISHED


def test_the_highest_learning_rate_is_stopped_in_its_first_epoch(plain_store: Store):
    config = CONFIG.model_copy(update={"optimizer": "sgd", "learning_rate": 10.0, "network": "mlp"})
    run = _train(plain_store, plain_store.create(config, device="cpu"))
    assert (run.status, run.epoch) == (Status.DIVERGED, 0)
    assert "Lower the learning rate" in (run.message or "")
    _is_strict_json(plain_store)


def test_a_process_that_the_system_kills_is_said_to_lack_memory_and_the_next_one_goes_on(plain_store: Store):
    run = plain_store.create(CONFIG.model_copy(update={"network": "linear", "epochs": 200, "train_size": 2_000}), device="cpu")
    supervisor = Supervisor(plain_store)
    supervisor.start()
    try:
        _until(lambda: plain_store.get(run.id).epoch >= 1)
        process = plain_store.get(run.id).process
        assert process
        os.kill(process.pid, signal.SIGKILL)
        _until(lambda: Kind.CRASHED in [each.kind for each in plain_store.happenings(run.id)])
        [crash] = [each for each in plain_store.happenings(run.id) if each.kind == Kind.CRASHED]
        assert crash.words == "Its process was killed by the system, likely for lack of memory"
        reached = plain_store.get(run.id).epoch
        _until(lambda: plain_store.get(run.id).epoch > reached)
    finally:
        supervisor.close()


def _until(is_so: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 200
    while not is_so():
        assert time.monotonic() < give_up
        time.sleep(0.02)
