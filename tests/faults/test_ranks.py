"""Several real processes in one training, killed, abandoned and asked: the run goes on or ends in a named state, and nobody stays."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from fmnist.config import TrainConfig
from fmnist.engines.local import Supervisor
from fmnist.liveness import device_lock, is_held, run_lock
from fmnist.placement import Placement
from fmnist.run import Request, Run, Status, folder
from fmnist.store import Store

TWO = Placement(workers=2)
CONFIG = TrainConfig(
    network="small",
    epochs=7,
    batch_size=32,
    train_size=1_400,
    validation_size=200,
    learning_rate=3e-3,
    flip=True,
    ema=0.99,
    precision="float32",
)
SHORT = CONFIG.model_copy(update={"epochs": 2, "network": "linear"})
LONG = CONFIG.model_copy(update={"epochs": 1_000})
HANGS = 300  # seconds: each life begins with three imports of PyTorch

pytestmark = pytest.mark.timeout(1200)


@pytest.fixture
def plain_store(home: Path) -> Iterator[Store]:
    store = Store()
    yield store
    for run in store.runs():  # where a test failed
        for process in _processes(run).values():
            process.kill()
    store.close()


def _wait_for(condition: Callable[[], object], what: str) -> None:
    give_up = time.monotonic() + HANGS
    while not condition():
        assert time.monotonic() < give_up, f"{what} did not happen within {HANGS} s"
        time.sleep(0.05)


def _processes(run: Run) -> dict[int, psutil.Process]:
    """The living processes of a run, by their rank."""
    found = {}
    for process in psutil.process_iter():
        try:
            if run.id in (line := process.cmdline()) and "torch.distributed.run" not in line and process.status() != psutil.STATUS_ZOMBIE:
                found[int(process.environ()["RANK"])] = process
        except psutil.Error:
            continue
    return found


def _nobody(run: Run) -> bool:
    """No process of the run, its launcher included, and no lock."""
    ours = [process for process in psutil.process_iter(["cmdline"]) if run.id in (process.info["cmdline"] or ())]
    return not ours and not is_held(run_lock(run.id))


def _figures(store: Store, run: Run) -> tuple[object, ...]:
    epochs = [
        (epoch.epoch, epoch.step, epoch.train_loss, epoch.train_accuracy, epoch.loss, epoch.accuracy) for epoch in store.epochs(run.id)
    ]
    return epochs, store.checkpoints(run.id)[0].weights_sha256, store.get(run.id).accuracy


def test_whichever_process_is_killed_the_run_ends_as_if_nobody_had_been(plain_store: Store, supervisor: Supervisor):
    """The first process, then another one; bit for bit the figures of a run that was left alone, and no process stays."""
    run = plain_store.create(CONFIG, device="cpu", placement=TWO)
    for killed in (0, 1):
        epochs = plain_store.get(run.id).epoch + 2
        _wait_for(lambda epochs=epochs: plain_store.get(run.id).epoch >= epochs, f"epoch {epochs}")
        before, at_work = plain_store.epochs(run.id), _processes(run)
        assert set(at_work) == {0, 1}
        at_work[killed].kill()
        _wait_for(lambda at_work=at_work: not any(process.is_running() for process in at_work.values()), "the end of both")
        _wait_for(lambda killed=killed: plain_store.get(run.id).restarts >= 4 + 2 * killed, "another sitting")
        assert plain_store.epochs(run.id)[: len(before)] == before, "a finished epoch was lost"
    alone = plain_store.create(CONFIG, device="cpu", placement=TWO)
    _wait_for(lambda: plain_store.get(alone.id).status == Status.FINISHED, "the end of both runs")
    assert plain_store.get(run.id).status == Status.FINISHED
    assert _figures(plain_store, run) == _figures(plain_store, alone)
    _wait_for(lambda: _nobody(run) and _nobody(alone), "the end of all processes")


def test_what_a_person_asks_reaches_all_processes(plain_store: Store, supervisor: Supervisor):
    run = plain_store.create(LONG, device="cpu", placement=TWO)
    _wait_for(lambda: plain_store.get(run.id).step > 5, "training")
    plain_store.ask_rate(run.id, 0.5)
    _wait_for(lambda: plain_store.get(run.id).rate_changes, "the change")
    ((changed, _),) = plain_store.get(run.id).rate_changes
    _wait_for(lambda: plain_store.get(run.id).step > changed, "training beyond the change")
    assert {step.learning_rate for step in plain_store.steps(run.id) if step.step > changed} == {0.5 * LONG.learning_rate}
    plain_store.ask(run.id, Request.PAUSE)
    _wait_for(lambda: plain_store.get(run.id).status == Status.PAUSED, "the pause")
    paused = plain_store.get(run.id)
    assert plain_store.checkpoints(run.id)[0].step == paused.step
    _wait_for(lambda: _nobody(run), "the end of all processes")
    plain_store.resume(run.id)
    _wait_for(lambda: plain_store.get(run.id).step > paused.step, "training again")
    plain_store.ask(run.id, Request.STOP)
    _wait_for(lambda: plain_store.get(run.id).status == Status.STOPPED, "the stop")
    assert plain_store.get(run.id).accuracy is not None
    _wait_for(lambda: _nobody(run) and not is_held(device_lock("cpu")), "the end of all processes")


def test_processes_whose_worker_is_killed_keep_the_run_to_the_step_and_go(plain_store: Store):
    """kill -9 of the process that claimed the run: the other end of their pipe."""
    run = plain_store.create(LONG, device="cpu", placement=TWO)
    with subprocess.Popen([sys.executable, "-m", "fmnist.worker", "--device", "cpu"], start_new_session=True) as worker:
        _wait_for(lambda: plain_store.get(run.id).step > 5, "training")
        worker.kill()
    _wait_for(lambda: _nobody(run), "the end of all processes")
    kept = plain_store.get(run.id)
    assert kept.status == Status.QUEUED
    assert plain_store.checkpoints(run.id)[0].step == kept.step


def _by_hand(home: Path) -> int:
    """What docs and README say: torchrun on the worker, without anybody of ours around it."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "--max-restarts=0"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "FMNIST_HOME": str(home)}
    done = subprocess.run([*launcher, "-m", "fmnist.worker", "--device", "cpu"], env=environment, capture_output=True, timeout=HANGS)
    return done.returncode


def test_torchrun_by_hand_trains_the_next_waiting_run(plain_store: Store, home: Path):
    run = plain_store.create(SHORT, device="cpu")
    uneven = plain_store.create(SHORT.model_copy(update={"batch_size": 31}), device="cpu")
    assert _by_hand(home) == 0
    assert plain_store.get(run.id).status == Status.FINISHED
    assert "2 processes" in (folder(run) / "worker.log").read_text()
    _by_hand(home)
    refused = plain_store.get(uneven.id)
    assert (refused.status, refused.message) == (
        Status.FAILED,
        "Batch size: 31 images cannot be shared evenly by 2 processes. Make it 30 or 32, or choose another number of processes.",
    )
    assert _by_hand(home) == 0, "nothing waits, so there is nothing to do"


def test_on_the_command_line_ctrl_c_keeps_a_run_of_two_processes_as_paused(plain_store: Store):
    """Two signals of the same kind a terminal sends; the run goes on with `--resume`, and with the same two processes."""
    command = [
        sys.executable,
        "-m",
        "fmnist",
        "train",
        "--workers",
        "2",
        "--device",
        "cpu",
        "--network",
        "linear",
        "--precision",
        "float32",
    ]
    sizes = ["--train-size", "2000", "--validation-size", "200", "--epochs", "1000"]
    with subprocess.Popen([*command, *sizes], start_new_session=True, stderr=subprocess.DEVNULL) as terminal:
        _wait_for(lambda: any(run.step > 5 for run in plain_store.running()), "training")
        (run,) = plain_store.running()
        terminal.send_signal(signal.SIGINT)
        assert terminal.wait(HANGS) == 0
    paused = plain_store.get(run.id)
    assert (paused.status, paused.placement) == (Status.PAUSED, TWO)
    assert plain_store.checkpoints(run.id)[0].step == paused.step
    _wait_for(lambda: _nobody(run), "the end of all processes")
