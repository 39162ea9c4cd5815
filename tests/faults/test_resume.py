"""A training left at any step and gone on with, against the continuation of the very same trajectory that nobody disturbed: bit for bit.

Everything goes through the files of a real checkpoint into a fresh state, and for a part of the cases into a fresh process.
"""

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import product

import pytest
import sqlalchemy as sa
import torch
from torch import Tensor

from fmnist import augment, checkpoint, data, exactness, runner, training
from fmnist.config import TrainConfig
from fmnist.data import Split
from fmnist.database import SITTINGS
from fmnist.events import Done, Epoch, Step
from fmnist.liveness import this_process
from fmnist.pace import lesson
from fmnist.run import Checkpoint, Kind, Request, Run, Status, folder
from fmnist.store import Store
from fmnist.train_state import TrainState

PLAIN = TrainConfig(network="small", epochs=3, batch_size=25, train_size=210, validation_size=100, precision="float32")
LINEAR = PLAIN.model_copy(update={"network": "linear"})
STEPS = PLAIN.steps_per_epoch  # 5, the last with a smaller batch
RATES = {"adam": 1e-3, "adamw": 1e-3, "sgd": 0.05}
SCHEDULES = ({"schedule": "constant"}, {"schedule": "cosine"}, {"schedule": "one-cycle", "warmup": 0.3})
SHOWN = ({}, {"flip": True, "shift": 2, "erase": 0.4, "clean_epochs": 1}, {"flip": True, "views": 0.5})
EXTRAS = ({}, {"label_smoothing": 0.1}, {"outliers": 0.2}, {"weight_decay": 0.01}, {"learning_rate changed": True})
MATRIX = list(product(RATES, SCHEDULES, SHOWN, (0.0, 0.9), EXTRAS))
WORKER = [sys.executable, "-m", "fmnist.worker", "--device", "cpu"]
A_STOP = {"first": 1, "in an epoch": STEPS + 2, "the end of an epoch": STEPS, "the last of all": PLAIN.total_steps}


@pytest.fixture(autouse=True)
def _one_event_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a training can be left after any step."""
    monkeypatch.setattr(training, "REPORT_SECONDS", 0.0)


def _config(optimizer: str, schedule: dict, shown: dict, ema: float, extra: dict, seed: int) -> TrainConfig:
    fields = {"optimizer": optimizer, "learning_rate": RATES[optimizer], **schedule, **shown, "ema": ema, "seed": seed}
    return PLAIN.model_copy(update=fields | {name: value for name, value in extra.items() if name != "learning_rate changed"})


@cache
def _images() -> Split:
    return data.load().train


def _splits(config: TrainConfig) -> tuple[Split, Split]:
    """What a worker trains on, and what it judges each epoch on."""
    train, held_out = data.hold_out(_images(), config)
    assert held_out is not None
    return train, held_out


@dataclass(frozen=True)
class Left:
    """Where a training was left for a moment, with all that it was then."""

    saved: Checkpoint
    tensors: dict[str, Tensor]
    next_batch: Tensor | None  # uint8 (B, 28, 28); None after the last step
    told: int  # events until then


def _undisturbed(
    run: Run, config: TrainConfig, stops: set[int], changes: tuple[tuple[int, float], ...]
) -> tuple[TrainState, list[Step | Epoch | Done], list[Left]]:
    """Train to the end; at each stop a checkpoint is written, and the training goes on with what it has in its hands."""
    train, monitor = _splits(config)
    state, told, left = TrainState(config), [], []
    state.rate_changes = changes
    for event in _dropping_out(state, train, monitor):
        told.append(event)
        judged = isinstance(event, Epoch) or state.step % STEPS
        if state.step in stops and judged and not isinstance(event, Done):
            copies = {name: value.clone() for name, value in state.tensors().items()}
            left.append(Left(checkpoint.save(run.id, state), copies, _next_batch(state, train), len(told)))
    return state, told, left


def _dropping_out(state: TrainState, train: Split, monitor: Split) -> Iterator[Step | Epoch | Done]:
    """A training whose steps draw random numbers of the process, as dropout would: no network of today has any."""
    for event in training.fit(state, train, monitor):
        torch.rand(3)
        yield event


def _next_batch(state: TrainState, train: Split) -> Tensor | None:
    if state.step == state.config.total_steps:
        return None
    return lesson(state, augment.stock(train, state.config)).batch(state.step % STEPS, 1)[0]


def _figures(events: list[Step | Epoch | Done]) -> list[object]:
    """Events without what a clock says."""
    return [replace(event, seconds=0.0, images_per_second=0.0) for event in events]


def _unlike(mine: dict[str, Tensor], theirs: dict[str, Tensor]) -> list[str]:
    assert mine.keys() == theirs.keys()
    return [name for name, value in mine.items() if not torch.equal(value, theirs[name])]


def _goes_on_exactly(store: Store, case: tuple, stops: set[int], seed: int, *, in_a_process: bool = False) -> int:
    """Leave one training at some steps and go on from each; returns how many were compared."""
    config, changed = _config(*case, seed), "learning_rate changed" in case[-1]
    changes = ((3, 0.5), (STEPS + 4, 2.0)) if changed else ()
    run = store.create(config, device="cpu")
    state, told, left = _undisturbed(run, config, stops, changes)
    assert [each.saved.step for each in left] == sorted(stops)
    for each in left:
        torch.manual_seed(12345)  # another process would have drawn other numbers
        fresh, (train, monitor) = TrainState(config), _splits(config)
        _only_checkpoint(store, run, each.saved)
        assert checkpoint.restore(store, run.id, fresh, print)
        fresh.rate_changes = changes
        where = f"{case}, seed {seed}, step {fresh.step}"
        assert not _unlike(fresh.tensors(), each.tensors), where
        batch = _next_batch(fresh, train)
        assert batch is each.next_batch or torch.equal(batch, each.next_batch), where
        assert _figures(list(_dropping_out(fresh, train, monitor))) == _figures(told[each.told :]), where
        assert not _unlike(fresh.tensors(), state.tensors()), where
    if in_a_process:
        _in_a_process(store, run, left[0], state, told, changes)
    else:
        store.ask(run.id, Request.CANCEL)  # no worker shall take it
    return len(left)


def _only_checkpoint(store: Store, run: Run, saved: Checkpoint) -> None:
    """The run as it was when this checkpoint had just been written."""
    store.rewind(run.id, 0, 0, 0.0)
    store.commit(run.id, saved)


def _in_a_process(store: Store, run: Run, left: Left, state: TrainState, told: list, changes: tuple) -> None:
    """The same once more by the real worker, in a process of its own."""
    _only_checkpoint(store, run, left.saved)
    for step, factor in changes:
        store.change_rate(run.id, step, factor)
    subprocess.run(WORKER, check=True, timeout=280)
    assert store.get(run.id).status == Status.FINISHED, (folder(run) / "worker.log").read_text()
    last = store.checkpoints(run.id)[0]
    files = checkpoint.checkpoints_folder(run.id)
    found, _ = checkpoint.read_tensors(files / (last.state or ""), last.state_sha256)
    weights, _ = checkpoint.read_tensors(files / last.weights, last.weights_sha256)
    assert not _unlike(weights, dict(state.evaluated.state_dict()))
    expected = {name: value for name, value in state.tensors().items() if name in found and not name.startswith("random.")}
    assert not _unlike({name: found[name] for name in expected}, expected)
    assert found.keys() - expected.keys() == {"random.cpu"}
    epochs = [event for event in told[left.told :] if isinstance(event, Epoch)]
    assert _figures(store.epochs(run.id)) == _figures(epochs)


def test_going_on_at_the_first_step_the_last_and_between_is_exact(plain_store: Store):
    """The smallest case; with all of them behind it."""
    case = ("adamw", SCHEDULES[2], SHOWN[1], 0.9, EXTRAS[1])
    assert _goes_on_exactly(plain_store, case, set(A_STOP.values()), seed=0) == len(A_STOP)


@pytest.mark.timeout(0)
def test_going_on_is_exact_for_every_optimizer_schedule_augmentation_and_average(plain_store: Store, size: Callable[[int, int], int]):
    chance, compared, wanted = random.Random(size(1, 2)), 0, size(20, 396)
    cases = chance.sample(MATRIX, len(MATRIX))
    while compared < wanted:
        case = cases[compared % len(cases)]
        stops = {chance.randint(1, PLAIN.total_steps), chance.choice([*A_STOP.values()])}
        in_a_process = compared % size(10, 20) == 0
        compared += _goes_on_exactly(plain_store, case, stops, seed=compared, in_a_process=in_a_process)
    assert compared >= wanted


# ---- what is not exact ---------------------------------------------------------------------------------------------------------------


def _sit(store: Store, run: Run, *, then_leave: bool) -> Run:
    """A sitting in this process; it is left as soon as it has begun, or goes on to the end."""
    claimed, interrupted = store.claim("cpu", this_process(), run.id), threading.Event()
    assert claimed
    if then_leave:
        interrupted.set()
    return runner.train(store, claimed, interrupted)


def test_the_same_conditions_in_every_sitting_are_exact(plain_store: Store):
    run = plain_store.create(LINEAR, device="cpu")
    for _ in range(2):
        _sit(plain_store, run, then_leave=True)
    ended = _sit(plain_store, run, then_leave=False)
    assert (ended.status, ended.inexact) == (Status.FINISHED, None)
    assert [sitting.step for sitting in plain_store.sittings(run.id)] == [0, 1, 2]
    assert Kind.INEXACT not in {each.kind for each in plain_store.happenings(run.id)}


def test_a_sitting_under_other_conditions_is_said_to_be_not_exact_and_why(plain_store: Store):
    """The stored environment of the first sitting is edited, as if another machine and version had written it."""
    run = plain_store.create(LINEAR, device="cpu")
    left = _sit(plain_store, run, then_leave=True)
    here = plain_store.sittings(run.id)[0].environment
    assert here.keys() >= exactness.WORDS.keys()
    with plain_store.database.writing() as connection:
        connection.execute(sa.update(SITTINGS).values(environment=json.dumps(dict.fromkeys(exactness.WORDS, "another"))))
    again = _sit(plain_store, run, then_leave=True)
    words = ", ".join(words.format(now=here[fact], before="another") for fact, words in exactness.WORDS.items())
    assert again.inexact == f"Not exact: from step {left.step} on it was trained {words}."
    told = [(each.step, each.words) for each in plain_store.happenings(run.id) if each.kind == Kind.INEXACT]
    assert told == [(left.step, f"Not exact: it goes on {words}")]


def _work_beyond(store: Store, run: Run, epoch: int, **environment: str) -> Run:
    """Let a worker train until it has finished an epoch more, then make it go."""
    with subprocess.Popen(WORKER, env={**os.environ, **environment}) as worker:
        while store.get(run.id).epoch <= epoch and worker.poll() is None:
            time.sleep(0.02)
        worker.terminate()
        assert worker.wait(120) == 0
    return store.get(run.id)


def test_real_workers_with_other_threads_and_other_kernels_are_said_to_be_not_exact(plain_store: Store):
    run = plain_store.create(LINEAR.model_copy(update={"epochs": 1_000, "train_size": 1_000}), device="cpu")
    left = _work_beyond(plain_store, run, 0, OMP_NUM_THREADS="1", ATEN_CPU_CAPABILITY="default")
    assert (left.status, left.inexact) == (Status.QUEUED, None)
    again = _work_beyond(plain_store, run, left.epoch, OMP_NUM_THREADS="2")
    native = torch.backends.cpu.get_cpu_capability()
    words = f"with kernels for {native} instead of DEFAULT, with 2 instead of 1 threads"
    assert again.inexact == f"Not exact: from step {left.step:,} on it was trained {words}."
    listed = subprocess.run([sys.executable, "-m", "fmnist", "runs", "--json"], check=True, capture_output=True, text=True, timeout=120)
    assert words in json.loads(listed.stdout)["runs"][0]["inexact"]
