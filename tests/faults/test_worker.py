"""Real worker processes on real images, killed, paused, stopped and abandoned: no finished epoch is lost, and the result is the same."""

import os
import random
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
from fmnist.liveness import device_lock, find, hold, is_held, run_lock, this_process
from fmnist.run import Process, Request, Run, Status, folder
from fmnist.store import Store
from tests.faults.conftest import Tally
from tests.faults.oracle import result, said
from tests.faults.warm import Warm

CONFIG = TrainConfig(
    network="small",
    epochs=12,
    batch_size=32,
    train_size=2_000,
    validation_size=200,
    learning_rate=3e-3,
    flip=True,
    shift=1,
    ema=0.99,
    precision="float32",
)
LONG = CONFIG.model_copy(update={"epochs": 400})


_STARTED: list[subprocess.Popen[bytes]] = []


@pytest.fixture
def plain_store(home: Path) -> Iterator[Store]:
    """A store on SQLite; whatever process was started for it is gone at the end."""
    store = Store()
    yield store
    store.close()
    while _STARTED:
        with _STARTED.pop() as process:
            process.kill()


def _worker() -> subprocess.Popen[bytes]:
    _STARTED.append(subprocess.Popen([sys.executable, "-m", "fmnist.worker", "--device", "cpu"], start_new_session=True))
    return _STARTED[-1]


def _wait_for(condition: Callable[[], object], what: str, seconds: float = 90) -> None:
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, f"{what} did not happen within {seconds:.0f} s"
        time.sleep(0.02)


def _train_undisturbed(store: Store, home: Path, warm: Warm) -> Run:
    run = store.create(CONFIG, device="cpu", name="undisturbed")
    assert warm.live("work", home).error is None
    return store.get(run.id)


def _figures(store: Store, run: Run) -> tuple[object, ...]:
    """Everything that must not depend on interruptions."""
    return result(store, run), said(store, run)


@pytest.mark.timeout(0)
def test_kills_at_random_moments_lose_no_finished_epoch_and_change_nothing(
    plain_store: Store, home: Path, warm: Warm, size: Callable[[int, int], int], tally: Tally
):
    """kill -9, requeue, again; the last life ends the training. The oracle writes down every epoch that a reader saw finished."""
    expected = _figures(plain_store, _train_undisturbed(plain_store, home, warm))
    chance, kills, wanted = random.Random(0), [], size(30, 1_000)
    while len(kills) < wanted:
        run = plain_store.create(CONFIG, device="cpu")
        kills += _kill_until_it_ends(plain_store, home, warm, run, chance, wanted - len(kills))
        assert plain_store.get(run.id).status == Status.FINISHED
        assert _figures(plain_store, run) == expected
        tally.note(kills=len(kills), in_the_commit_of_an_epoch=sum(kills))
    assert len(kills) == wanted
    assert sum(kills) >= wanted / 5, "too few kills fell into the commit of an epoch"


def _kill_until_it_ends(store: Store, home: Path, warm: Warm, run: Run, chance: random.Random, most: int) -> list[bool]:
    """Kill the workers of a run at random moments after they began to train, every second time when an epoch is being committed.

    Returns:
        For each kill, whether files of a commit lay there whose transaction had not happened.
    """
    seen, kills = [], []
    while True:
        born, worker = time.time(), warm.begin("work", home)
        if len(kills) < most:
            _wait_for(lambda worker=worker: _has_ended(worker) or _trains(store, run), "training")
            if len(kills) % 2:
                _sleep_watching(store, run, chance.uniform(0.0, 0.6), seen)
            else:
                seen[:] = store.epochs(run.id)
                _wait_for_a_commit(store, run, worker, born)
                time.sleep(chance.uniform(0.0, 0.02))
            os.kill(worker, signal.SIGKILL)
        if not warm.end(worker).killed:
            return kills
        assert store.epochs(run.id)[: len(seen)] == seen, "a finished epoch was lost"
        kills.append(_died_in_a_commit(store, run, born))
        assert not is_held(run_lock(run.id))
        assert not is_held(device_lock("cpu"))
        dead = store.get(run.id)
        assert store.requeue_crashed(run.id, dead.process) == Status.QUEUED
        store.rewind(run.id, dead.step, dead.epoch, dead.seconds)  # a rewind to where it is changes nothing but the count
        _reset_crashes(store, run)


def _has_ended(pid: int) -> bool:
    """Whether a child of the warm process has; it stays as a zombie until that is asked for its end."""
    return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def _wait_for_a_commit(store: Store, run: Run, worker: int, born: float) -> None:
    """The first file of an epoch's commit is that of its history."""
    file = folder(run) / "history" / f"epoch-{store.get(run.id).epoch + 1:04d}.safetensors"
    while not _has_ended(worker) and not (file.exists() and file.stat().st_mtime > born):
        time.sleep(0.001)


def _died_in_a_commit(store: Store, run: Run, born: float) -> bool:
    """Whether files that this life has written are not known to the store."""
    known = {name for checkpoint in store.checkpoints(run.id) for name in (checkpoint.weights, checkpoint.state)}
    known |= {f"epoch-{epoch.epoch:04d}.safetensors" for epoch in store.epochs(run.id)}
    return any(path.name not in known and path.stat().st_mtime > born for path in folder(run).rglob("*.safetensors*"))


def _reset_crashes(store: Store, run: Run) -> None:
    """Here the crashes are ours: the limit that protects from a run that kills its worker each time is tested elsewhere."""
    store.ask(run.id, Request.PAUSE)
    store.resume(run.id)


def _trains(store: Store, run: Run) -> bool:
    now = store.get(run.id)
    return now.status == Status.RUNNING and now.images_per_second is not None


def _sleep_watching(store: Store, run: Run, seconds: float, seen: list[object]) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        seen[:] = store.epochs(run.id)
        time.sleep(0.01)


def test_paused_and_resumed_in_the_middle_of_an_epoch_gives_the_same_run(plain_store: Store, home: Path, warm: Warm):
    expected = _figures(plain_store, _train_undisturbed(plain_store, home, warm))
    run = plain_store.create(CONFIG, device="cpu")
    pauses = 0
    while plain_store.get(run.id).status != Status.FINISHED:
        worker = warm.begin("work", home)
        _wait_for(lambda worker=worker: _has_ended(worker) or _trains(plain_store, run), "training")
        if pauses < 3 and plain_store.get(run.id).status == Status.RUNNING:
            plain_store.ask(run.id, Request.PAUSE)
        assert warm.end(worker).error is None
        if plain_store.get(run.id).status == Status.PAUSED:
            pauses += 1
            plain_store.resume(run.id)
    assert pauses == 3
    assert _figures(plain_store, run) == expected


@pytest.mark.timeout(300)
def test_a_learning_rate_changed_on_the_way_is_the_same_after_kills_bit_for_bit(plain_store: Store, home: Path, warm: Warm):
    """Changed while it trains, and killed at once, before any checkpoint knows of it; against a run that knew both changes beforehand."""
    run = plain_store.create(CONFIG, device="cpu")
    for factor in (0.1, 3.0):
        worker, before = warm.begin("work", home), plain_store.get(run.id).rate_changes
        last = before[-1][0] if before else 0
        _wait_for(lambda last=last: _trains(plain_store, run) and plain_store.get(run.id).step > last, "training beyond the last change")
        plain_store.ask_rate(run.id, factor)
        _wait_for(lambda before=before: plain_store.get(run.id).rate_changes != before, "the change")
        os.kill(worker, signal.SIGKILL)
        assert warm.end(worker).killed
        plain_store.requeue_crashed(run.id, plain_store.get(run.id).process)
    assert warm.live("work", home).error is None
    changed = plain_store.get(run.id)
    assert [factor for _, factor in changed.rate_changes] == [0.1, 3.0]

    knowing = plain_store.create(CONFIG, device="cpu")
    for step, factor in changed.rate_changes:
        plain_store.change_rate(knowing.id, step, factor)
    assert warm.live("work", home).error is None
    assert (changed.status, plain_store.get(knowing.id).status) == (Status.FINISHED, Status.FINISHED)
    assert _figures(plain_store, run) == _figures(plain_store, knowing)
    assert plain_store.epochs(run.id)[-1].learning_rate == 3.0 * CONFIG.learning_rate


@pytest.mark.parametrize(
    ("request_", "ended"), [(Request.STOP, Status.STOPPED), (Request.CANCEL, Status.CANCELLED), (Request.PAUSE, Status.PAUSED)]
)
def test_a_running_training_obeys(request_: Request, ended: Status, plain_store: Store, supervisor: Supervisor):
    run = plain_store.create(LONG, device="cpu")
    _wait_for(lambda: plain_store.get(run.id).step > 5, "training")
    plain_store.ask(run.id, request_)
    _wait_for(lambda: plain_store.get(run.id).status == ended, f"the status {ended}")
    now = plain_store.get(run.id)
    assert (now.accuracy is not None) == (ended == Status.STOPPED)
    if ended != Status.CANCELLED:
        assert plain_store.checkpoints(run.id)[0].step == now.step


def test_the_queue_runs_in_order_and_one_at_a_time(plain_store: Store, supervisor: Supervisor):
    brief = CONFIG.model_copy(update={"epochs": 1, "network": "linear"})
    runs = [plain_store.create(brief, device="cpu") for _ in range(3)]
    most = 0

    def all_done() -> bool:
        nonlocal most
        most = max(most, len(plain_store.running()))
        return all(plain_store.get(run.id).status == Status.FINISHED for run in runs)

    _wait_for(all_done, "the end of the queue", 120)
    assert most == 1
    ended = [plain_store.get(run.id).ended for run in runs]
    assert ended == sorted(ended, key=lambda when: when or 0)


def test_a_supervisor_picks_up_a_run_whose_worker_was_killed(plain_store: Store, supervisor: Supervisor):
    run = plain_store.create(CONFIG, device="cpu")
    _wait_for(lambda: plain_store.get(run.id).epoch >= 2, "two epochs")
    before = plain_store.epochs(run.id)
    process = plain_store.get(run.id).process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    _wait_for(lambda: plain_store.get(run.id).status == Status.FINISHED, "the end")
    assert plain_store.epochs(run.id)[: len(before)] == before
    assert plain_store.get(run.id).restarts >= 2


def test_closing_the_supervisor_keeps_the_run_to_the_step_and_leaves_no_process(plain_store: Store):
    supervisor = Supervisor(plain_store)
    supervisor.start()
    run = plain_store.create(LONG, device="cpu")
    _wait_for(lambda: plain_store.get(run.id).step > 5, "training")
    process = plain_store.get(run.id).process
    assert process is not None
    supervisor.close()
    now = plain_store.get(run.id)
    assert now.status == Status.QUEUED
    assert plain_store.checkpoints(run.id)[0].step == now.step
    assert find(process) is None
    assert not is_held(device_lock("cpu"))


def test_a_worker_whose_dashboard_is_killed_keeps_its_run_and_goes(plain_store: Store, tmp_path: Path):
    """kill -9 of the process that holds the other end of the lifeline."""
    imports = "import time; from fmnist.store import Store; from fmnist.engines.local import Supervisor"
    code = f"{imports}\nSupervisor(Store()).start()\ntime.sleep(600)"
    server = subprocess.Popen([sys.executable, "-c", code])
    _STARTED.append(server)
    run = plain_store.create(LONG, device="cpu")
    _wait_for(lambda: plain_store.get(run.id).step > 5, "training")
    process = plain_store.get(run.id).process
    server.kill()
    server.wait()
    _wait_for(lambda: plain_store.get(run.id).status == Status.QUEUED, "the end of the worker")
    assert process is not None
    _wait_for(lambda: find(process) is None, "the end of its process")
    assert plain_store.checkpoints(run.id)[0].step == plain_store.get(run.id).step


def test_a_run_that_kills_its_worker_each_time_is_given_up(plain_store: Store):
    run = plain_store.create(CONFIG, device="cpu")
    for expected in (Status.QUEUED, Status.QUEUED, Status.FAILED):
        claimed = plain_store.claim("cpu", this_process())
        assert claimed is not None
        assert plain_store.requeue_crashed(run.id, claimed.process) == expected
    assert "memory" in (plain_store.get(run.id).message or "")


def test_a_foreign_process_with_a_reused_pid_is_not_the_worker_and_is_left_alone(plain_store: Store):
    """The store names a living process, but with another start time: the run is requeued, the process untouched."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as foreign:
        run = plain_store.create(CONFIG, device="cuda")  # no worker is started for it on this machine
        started = psutil.Process(foreign.pid).create_time() - 1000
        plain_store.claim("cuda", Process(foreign.pid, started, this_process().host))
        supervisor = Supervisor(plain_store)
        with hold(device_lock("cuda")):
            supervisor.tick()
            assert plain_store.get(run.id).status == Status.QUEUED
        assert foreign.poll() is None
        supervisor.close()
        foreign.kill()


def test_a_run_of_another_machine_is_not_judged_here(plain_store: Store):
    run = plain_store.create(CONFIG, device="cpu")
    plain_store.claim("cpu", Process(1, 1.0, "elsewhere:/home"))
    Supervisor(plain_store).tick()
    assert plain_store.get(run.id).status == Status.RUNNING


def test_a_divergence_ends_the_run_with_a_sentence(plain_store: Store):
    config = CONFIG.model_copy(update={"network": "mlp", "optimizer": "sgd", "learning_rate": 10.0, "ema": 0.0})
    run = plain_store.create(config, device="cpu")
    assert _worker().wait(60) == 0
    now = plain_store.get(run.id)
    assert now.status == Status.DIVERGED
    assert "diverged at epoch" in (now.message or "")
    assert "learning rate" in (now.message or "")


def test_the_log_of_a_run_says_what_happened(plain_store: Store):
    run = plain_store.create(CONFIG.model_copy(update={"epochs": 1}), device="cpu")
    assert _worker().wait(60) == 0
    log = (folder(run) / "worker.log").read_text()
    assert "epoch 1: accuracy" in log
    assert "Traceback" not in log
