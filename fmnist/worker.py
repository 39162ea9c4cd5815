"""The process that trains: it takes the next waiting run of a device, trains it and exits. `python -m fmnist.worker --device cpu`.

It is told to go in three ways, and keeps its run to the step in each: SIGTERM, the end of its lifeline (a pipe on standard input
whose other end dies with the dashboard), and a request in the store. Ctrl-C in the dashboard's terminal is not for it.
"""

import argparse
import logging
import os
import signal
import sys
import threading

from fmnist import disk, tuning
from fmnist.errors import StoreError
from fmnist.liveness import device_lock, hold, run_lock, this_process
from fmnist.run import Run, Status, folder
from fmnist.store import Store

log = logging.getLogger("fmnist.worker")


def main(arguments: list[str] | None = None) -> int:
    """Train one run. Exit status 0 also when there was nothing to do."""
    parser = argparse.ArgumentParser(prog="python -m fmnist.worker", description="Train the next waiting run of a device.")
    parser.add_argument("--device", required=True, choices=("cpu", "cuda", "mps"))
    parser.add_argument("--lifeline", action="store_true", help="stop, keeping the run, when standard input ends")
    options = parser.parse_args(arguments)
    tuning.tune()
    interrupted = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: interrupted.set())
    if options.lifeline:
        threading.Thread(target=_watch_lifeline, args=(interrupted,), daemon=True).start()
    try:
        return work(options.device, interrupted)
    except (StoreError, OSError) as error:  # a disk that is full or read-only: the run waits in the store for a better time
        log.error("the worker goes: %s", error)
        return 1


def work(device: str, interrupted: threading.Event) -> int:
    """Claim, lock and train; only then is torch imported, so that a claim shows at once."""
    store = Store()
    with hold(device_lock(device)) as mine:
        run = store.claim(device, this_process()) if mine else None
        return _train(store, run, interrupted) if run else 0


def _train(store: Store, run: Run, interrupted: threading.Event) -> int:
    """The edge of the process: an error that nobody foresaw ends the run as failed, with its traceback in the log."""
    try:
        with hold(run_lock(run.id)):
            _log_into(run)
            store.describe(run.id, message="Starting: loading PyTorch…")
            from fmnist import runner

            runner.train(store, run, interrupted)
    except StoreError:
        raise  # not even the end can be written, so the run stays without a process until the supervisor finds it
    except OSError as error:
        store.end(run.id, Status.PAUSED, disk.sentence(error))
        return 1
    except Exception as error:
        log.exception("the training failed")
        store.end(run.id, Status.FAILED, f"An unexpected error: {error}. The log of the run has the details.")
        return 1
    return 0


def _watch_lifeline(interrupted: threading.Event) -> None:
    """Wait for the end of standard input; the raw descriptor, because a buffered read would abort the interpreter at exit."""
    os.read(0, 1)
    interrupted.set()


def _log_into(run: Run) -> None:
    """Send everything that is printed or logged to the run's own log."""
    path = folder(run) / "worker.log"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    os.close(descriptor)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr, force=True)


if __name__ == "__main__":
    sys.exit(main())
