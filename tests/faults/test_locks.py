"""Reused pids, locks that nobody holds and locks that somebody else holds: no foreign process is signalled, no run is lost."""

import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from fmnist.engines.local import Supervisor
from fmnist.liveness import device_lock, hold, run_lock, this_process
from fmnist.run import Process, Request, Status
from fmnist.store import Store
from tests.faults.conftest import Tally
from tests.faults.oracle import opened, result
from tests.faults.warm import Warm

CONFIG = {"network": "linear", "epochs": 2, "batch_size": 250, "train_size": 600, "validation_size": 100, "precision": "float32"}
HOLD = "import fcntl, sys; file = open(sys.argv[1], 'a'); fcntl.flock(file, fcntl.LOCK_EX); print('held', flush=True); sys.stdin.readline()"


@pytest.fixture
def plain_store(home: Path) -> Iterator[Store]:
    with opened(home) as store:
        yield store


@pytest.fixture
def foreign() -> Iterator[subprocess.Popen[bytes]]:
    """A process that dies of any signal, and has nothing to do with the studio."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"]) as process:
        yield process
        process.kill()


def gone() -> int:
    """The pid of a process that is no more."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_a_process_that_has_the_pid_of_a_dead_worker_is_never_signalled(
    plain_store: Store, foreign: subprocess.Popen[bytes], warm: Warm, home: Path, size: Callable[[int, int], int], tally: Tally
):
    """Its run goes back into the queue, or obeys what was asked of it; the supervisor's last resort, a kill, does not find its worker."""
    chance, started = random.Random(0), psutil.Process(foreign.pid).create_time()
    supervisor = Supervisor(plain_store)
    for number in range(size(10, 100)):
        run_id = warm.live("create", home, config=CONFIG, token=f"{number}").answer
        earlier = started - chance.choice((2.0, 3_600.0, 1e6))
        plain_store.claim("cpu", Process(foreign.pid, earlier, this_process().host), run_id)
        cancelled = chance.random() < 0.5
        if cancelled:
            plain_store.ask(run_id, Request.CANCEL)
        supervisor._kill_disobedient([plain_store.get(run_id)])
        with hold(device_lock("cpu")):  # no worker is started
            supervisor.tick()
        assert plain_store.get(run_id).status == (Status.CANCELLED if cancelled else Status.QUEUED)
        assert foreign.poll() is None
        tally.note(runs=number + 1)
    supervisor.close()


def test_lock_files_that_nobody_holds_stop_nothing(plain_store: Store, warm: Warm, home: Path):
    """Whatever is in them: files of a worker that was killed, of an older version, of another pid."""
    run_id = warm.live("create", home, config=CONFIG, token="click").answer
    for lock in (run_lock(run_id), device_lock("cpu")):
        lock.parent.mkdir(parents=True, exist_ok=True)
        lock.write_text("1\n1795712345.6\n")
    plain_store.claim("cpu", Process(gone(), 1.0, this_process().host), run_id)
    warm.live("recover", home)
    run = plain_store.get(run_id)
    assert run.status == Status.FINISHED
    assert result(plain_store, run)


def test_a_lock_that_an_unrelated_process_holds_delays_a_run_and_the_process_is_left_alone(plain_store: Store, warm: Warm, home: Path):
    """Who holds the lock may be training, as far as anybody can know: two on one run would be worse than waiting."""
    run_id = warm.live("create", home, config=CONFIG, token="click").answer
    plain_store.claim("cpu", Process(gone(), 1.0, this_process().host), run_id)
    run_lock(run_id).parent.mkdir(parents=True)
    command = [sys.executable, "-c", HOLD, str(run_lock(run_id))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == b"held\n"
        for _ in range(5):
            assert warm.live("requeue", home).error is None
            assert plain_store.get(run_id).status == Status.RUNNING
        assert holder.poll() is None
        holder.communicate(b"\n")
    begun = time.monotonic()
    warm.live("recover", home)
    assert plain_store.get(run_id).status == Status.FINISHED
    assert time.monotonic() - begun < 120
