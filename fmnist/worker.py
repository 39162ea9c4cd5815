"""The process that trains: it takes the next waiting run of a device, trains it and exits. `python -m fmnist.worker --device cpu`.

A run of several processes is handed on to torchrun, whose processes are this one again; `torchrun --nproc-per-node 2 -m fmnist.worker
--device cpu` does it by hand.

It is told to go in three ways, and keeps its run to the step in each: SIGTERM, the end of its lifeline (a pipe on standard input
whose other end dies with the dashboard), and a request in the store. Ctrl-C in the dashboard's terminal is not for it.
"""

import argparse
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path

from fmnist import disk, torchrun, tuning
from fmnist.errors import FmnistError, RankLostError, StoreError, reason
from fmnist.liveness import device_lock, hold, run_lock, this_process
from fmnist.run import Run, Status, folder
from fmnist.store import Store

log = logging.getLogger("fmnist.worker")


def main(arguments: list[str] | None = None) -> int:
    """Train one run. Exit status 0 also when there was nothing to do."""
    parser = argparse.ArgumentParser(prog="python -m fmnist.worker", description="Train the next waiting run of a device.")
    parser.add_argument("--device", required=True, choices=("cpu", "cuda", "mps"))
    parser.add_argument("--lifeline", action="store_true", help="stop, keeping the run, when standard input ends")
    parser.add_argument("--claimed", metavar="ID", help="this run, which the process that starts this one has claimed")
    parser.add_argument("--then", type=Status, default=Status.QUEUED, help="the status of a run that is interrupted (default queued)")
    options = parser.parse_args(arguments)
    tuning.tune()
    interrupted = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: interrupted.set())
    if options.lifeline:
        threading.Thread(target=watch_lifeline, args=(interrupted,), daemon=True).start()
    if torchrun.rank() > 0:
        return _accompany(options.device)
    try:
        if options.claimed:
            store = Store()
            return _train(store, store.get(options.claimed), interrupted, options.then)
        return work(options.device, interrupted)
    except (StoreError, OSError) as error:  # a disk that is full or read-only: the run waits in the store for a better time
        log.error("the worker goes: %s", error)
        return 1


def work(device: str, interrupted: threading.Event) -> int:
    """Claim, lock and train; only then is torch imported, so that a claim shows at once."""
    store = Store()
    with hold(device_lock(device)) as mine:
        run = store.claim(device, this_process()) if mine else None
        if run is None:
            return _send_home(device)
        if run.placement.workers > 1 and torchrun.world() == 1:
            store.describe(run.id, message=f"Starting {run.placement.workers} processes…")
            torchrun.train(store, run, interrupted)
            return 0
        return _train(store, run, interrupted, Status.QUEUED)


def _train(store: Store, run: Run, interrupted: threading.Event, then: Status) -> int:
    """The edge of the process: an error that nobody foresaw ends the run as failed, with its traceback in the log."""
    try:
        with hold(run_lock(run.id)):
            log_into(folder(run) / "worker.log")
            store.describe(run.id, message="Starting: loading PyTorch…")
            from fmnist import ranks, runner

            with ranks.joined(run.device):
                runner.train(store, run, interrupted, then=then)
    except RankLostError as error:
        log.warning("%s", error)  # as if this process had been killed, too: whoever finds the run puts it back into the queue
        return 1
    except StoreError:
        raise  # not even the end can be written, so the run stays without a process until the supervisor finds it
    except FmnistError as error:
        log.error("%s", error)
        store.end(run.id, Status.FAILED, str(error))
        return 1
    except OSError as error:
        store.end(run.id, Status.PAUSED, disk.sentence(error))
        return 1
    except Exception as error:
        log.exception("the training failed")
        store.end(run.id, Status.FAILED, f"An unexpected error: {reason(error)}. The log of the run has the details.")
        return 1
    return 0


def _accompany(device: str) -> int:
    """Be one of the other processes of a training: its first one has the store and the log."""
    from fmnist import companion, ranks

    try:
        with ranks.joined(device):
            companion.accompany()
    except RankLostError as error:
        log.warning("process %d: %s", torchrun.rank(), error)
        return 1
    return 0


def _send_home(device: str) -> int:
    """Nothing waits: the other processes, if there are any, need not wait for a task."""
    if torchrun.world() > 1:
        from fmnist import ranks

        with ranks.joined(device):
            ranks.agreed(None)
    return 0


def watch_lifeline(interrupted: threading.Event) -> None:
    """Wait for the end of standard input; the raw descriptor, because a buffered read would abort the interpreter at exit."""
    os.read(0, 1)
    interrupted.set()
    if torchrun.world() > 1:  # one that waits for another which is gone would not see it
        time.sleep(torchrun.LEAVE_SECONDS)
        os._exit(1)


def log_into(path: Path) -> None:
    """Send everything that is printed or logged to a log of its own."""
    descriptor = torchrun.open_log(path)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    os.close(descriptor)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr, force=True)


if __name__ == "__main__":
    sys.exit(main())
