"""Who is alive: locks that the kernel releases when their process dies, and processes that are more than a pid.

A lock file is never removed, and its presence says nothing: only whether somebody holds it. So a reused pid, a stale file
or a wrong clock cannot make a dead training look alive.
"""

import contextlib
import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from fmnist.home import home, run_folder, runs_folder
from fmnist.run import Process

PATIENCE = 2.0  # seconds: a probe of `is_held` takes the lock for an instant, so taking it must try again


@contextmanager
def hold(path: Path, wait: float = PATIENCE) -> Iterator[bool]:
    """Hold a lock for the length of a `with` block, or until the process dies.

    Yields:
        True, or False when somebody else still holds it after `wait` seconds.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)  # not inherited by child processes
    try:
        yield _take(descriptor, wait)
    finally:
        os.close(descriptor)  # releases it


def _take(descriptor: int, wait: float) -> bool:
    give_up = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= give_up:
                return False
            time.sleep(0.02)
        else:
            return True


def is_held(path: Path) -> bool:
    """Whether any process holds a lock now."""
    if not path.exists():
        return False
    with hold(path, wait=0) as free:
        return not free


def run_lock(run_id: str) -> Path:
    """Held by the process that trains a run."""
    return run_folder(run_id) / "lock"


def sweep_lock(sweep_id: str) -> Path:
    """Held by the relay of a sweep on a cluster."""
    return runs_folder() / f"sweep-{sweep_id}.lock"


def device_lock(device: str) -> Path:
    """Held by the process that trains on a device of this machine: one at a time."""
    return runs_folder() / f"{device}.lock"


def this_process() -> Process:
    """This process, as the store knows it."""
    return Process(os.getpid(), psutil.Process().create_time(), this_host())


def this_host() -> str:
    """The machine and the data folder: processes of another one cannot be judged from here."""
    return f"{socket.gethostname()}:{home()}"[-255:]


def find(process: Process) -> psutil.Process | None:
    """The living process that a run names; None when it is gone or its pid belongs to another one now."""
    if process.host != this_host():
        return None
    with contextlib.suppress(psutil.Error):
        found = psutil.Process(process.pid)
        if abs(found.create_time() - process.started) < 1.0 and found.status() != psutil.STATUS_ZOMBIE:
            return found
    return None
