"""torchrun: what its environment says of this process, and a run that it trains as several processes of this machine.

PyTorch's own launcher starts them, counts them, and ends all when one dies; it never restarts them: the run goes back into the queue
and on from its checkpoint, as after any other crash. See docs/decisions/0020.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from fmnist.home import home
from fmnist.liveness import hold, run_lock
from fmnist.run import Run, Status, folder
from fmnist.store import Store

POLL_SECONDS = 0.25
LEAVE_SECONDS = 60.0  # a process whose launcher is gone has kept the run by then, or leaves it as it is


def world() -> int:
    """How many processes the environment speaks of; 1 without torchrun."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Which of them this one is; the first is 0."""
    return int(os.environ.get("RANK", "0"))


def local_rank() -> int:
    """Which of those of this machine it is: the number of its GPU."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def local_world() -> int:
    """How many of them share this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def train(
    store: Store,
    run: Run,
    interrupted: threading.Event,
    *,
    then: Status = Status.QUEUED,
    watch: Callable[[], object] = lambda: None,
) -> Run:
    """Train a claimed run in as many processes as its placement says, and wait for their end.

    They live no longer than this process: each holds the end of a pipe, as a worker does of the dashboard's (docs/decisions/0006).

    Args:
        run: claimed by this process; its lock is free, the first of the new processes takes it.
        interrupted, then: as in `fmnist.runner.train`.
        watch: is called a few times a second.

    Returns:
        The run as it ended: back in the queue if one of the processes was killed.
    """
    with os.fdopen(open_log(folder(run) / "worker.log"), "ab") as log, _start(store, run, then, log.fileno()) as launcher:
        assert launcher.stdin
        while launcher.poll() is None and not interrupted.wait(POLL_SECONDS):
            watch()
        launcher.stdin.close()  # of which they take note
        launcher.wait()
    with hold(run_lock(run.id), wait=LEAVE_SECONDS):  # the first process may outlive its launcher
        if store.get(run.id).status == Status.RUNNING:
            store.requeue_crashed(run.id, run.process)
    return store.get(run.id)


def open_log(path: Path) -> int:
    """A descriptor of a log, to write at its end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def _start(store: Store, run: Run, then: Status, log: int) -> "subprocess.Popen[bytes]":
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={run.placement.workers}"]
    worker = ["-m", "fmnist.worker", "--lifeline", "--device", run.device, "--claimed", run.id, "--then", then]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    environment = {"OMP_NUM_THREADS": str(max(1, cores // run.placement.workers)), **os.environ}
    return subprocess.Popen(
        [*launcher, "--max-restarts=0", *worker],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        start_new_session=True,
        cwd=Path(__file__).resolve().parents[1],
        # A launcher that shares its store with the processes has let the next ones read the addresses of dead ones (pytorch issue 135712).
        env={**environment, "FMNIST_HOME": str(home()), "FMNIST_DB": store.url, "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"},
    )
