"""Trainings on this machine: a supervisor beside the dashboard that starts workers and picks up what a crash left behind.

For what runs on a cluster it starts relays (`fmnist.relay`), which are to it what workers are.
"""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from fmnist import disk, sweeping
from fmnist.errors import DiskError, StoreError
from fmnist.home import home
from fmnist.liveness import device_lock, find, is_held, run_lock, sweep_lock, this_host
from fmnist.run import Request, Run
from fmnist.store import Store
from fmnist.sweep import Sweeps

log = logging.getLogger(__name__)
TICK_SECONDS = 0.5
OBEY_SECONDS = 20.0  # a worker that has not obeyed a cancellation by then is killed
KILLED = "Its process was killed by the system, likely for lack of memory"
CLOSE_SECONDS = 20.0  # a worker that has not saved its run by then is killed when the dashboard closes


@dataclass
class _Worker:
    process: subprocess.Popen[bytes]
    born: float = field(default_factory=time.monotonic)


class Supervisor:
    """Keeps one worker a device busy while runs wait, and a relay for each job on a cluster. Several supervisors on one store do no harm.

    It owns no truth: everything it knows is in the store and in the locks, so it may die at any moment.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._workers: dict[str, _Worker] = {}  # by device, and by the id of the run or sweep that a relay follows
        self._killed: set[int] = set()  # workers that ended by SIGKILL
        self._asked: dict[str, float] = {}  # run id -> when its cancellation was first seen here
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="supervisor", daemon=True)

    def start(self) -> None:
        """Reconcile what an earlier crash left behind, then go on in the background."""
        self._thread.start()

    def close(self) -> None:
        """Let the workers keep their runs and go; kills those that do not."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)
        for worker in self._workers.values():
            _let_go(worker)
        give_up = time.monotonic() + CLOSE_SECONDS
        for worker in self._workers.values():
            try:
                worker.process.wait(timeout=max(0.1, give_up - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()

    def tick(self) -> None:
        """One round: bury the dead, requeue what they left, kill the disobedient, let sweeps propose, start workers for what waits."""
        for name, worker in list(self._workers.items()):
            if worker.process.poll() is not None:
                if worker.process.returncode == -signal.SIGKILL:
                    self._killed.add(worker.process.pid)
                _let_go(worker)
                del self._workers[name]
        self._kill_disobedient(requeue_dead(self._store, self._killed))
        sweeping.advance_all(self._store)
        waiting = self._store.queue()
        if waiting and (why := disk.obstacle()):
            raise DiskError(why)
        for device in {run.device for run in waiting if not run.placement.is_remote}:
            self._need(device, device_lock(device), "fmnist.worker", "--device", device)
        for run in waiting:
            if run.placement.is_remote and not run.sweep:
                self._need(run.id, run_lock(run.id), "fmnist.relay", "--run", run.id)
        for sweep in Sweeps(self._store).running():
            if sweep.placement.is_remote:
                self._need(sweep.id, sweep_lock(sweep.id), "fmnist.relay", "--sweep", sweep.id)

    def _need(self, name: str, lock: Path, module: str, *arguments: str) -> None:
        """Start a process, unless there is one."""
        if name not in self._workers and not is_held(lock):
            self._workers[name] = _start(self._store.url, module, *arguments)

    def _loop(self) -> None:
        complained = ""
        while True:
            try:
                self.tick()
                complained = ""
            except (StoreError, OSError) as error:
                if str(error) != complained:  # once, not twice a second
                    complained = str(error)
                    log.error("the supervisor waits: %s", error)
            if self._closing.wait(TICK_SECONDS):
                return

    def _kill_disobedient(self, running: list[Run]) -> None:
        """A worker that hangs in a kernel or a dead disk does not read its requests."""
        asked = {run.id: run for run in running if run.request == Request.CANCEL}
        self._asked = {run_id: self._asked.get(run_id, time.monotonic()) for run_id in asked}
        for run_id, since in self._asked.items():
            process = asked[run_id].process
            if time.monotonic() - since > OBEY_SECONDS and process and (found := find(process)):
                log.warning("the worker of %s did not obey for %.0f seconds and is killed", run_id, OBEY_SECONDS)
                _kill(found)


def requeue_dead(store: Store, killed: Collection[int] = ()) -> list[Run]:
    """Put the runs whose process is gone back into the queue; returns those that were running, the dead among them.

    Args:
        killed: pids of workers that are known to have ended by SIGKILL.
    """
    running = store.running()
    for run in running:
        if _is_dead(run):
            by_system = run.process is not None and run.process.pid in killed
            status = store.requeue_crashed(run.id, run.process, KILLED if by_system else "Its process was killed")
            log.warning("the process of %s is gone; the run is %s now", run.id, status.value)
    return running


def _let_go(worker: _Worker) -> None:
    """Close the lifeline, of which a living worker takes note."""
    if worker.process.stdin:
        worker.process.stdin.close()


def _is_dead(run: Run) -> bool:
    """Nobody on this machine trains it: its lock is free, and the process that claimed it is gone."""
    if run.sweep and run.placement.is_remote:  # the relay of its sweep is its process
        return False
    process = run.process
    if process and process.host != this_host():
        return False
    return not is_held(run_lock(run.id)) and (process is None or find(process) is None)


def _kill(process: psutil.Process) -> None:
    try:
        process.kill()
    except psutil.NoSuchProcess:
        log.info("it was gone already")


def _start(url: str, module: str, *arguments: str) -> _Worker:
    """A worker or a relay in its own session, with a lifeline: see docs/decisions/0006."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments, "--lifeline"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
        close_fds=True,
        cwd=Path(__file__).resolve().parents[2],
        env={**os.environ, "FMNIST_HOME": str(home()), "FMNIST_DB": url},
    )
    return _Worker(process)
