"""The process that follows a job on a cluster: `python -m fmnist.relay --run ID`, or `--sweep ID`.

It stands in the place of a worker: it holds the lock of its run, submits the job, writes what that says into the store, fetches the
models home, and obeys what a person asks. It may be killed at any moment: the job goes on, and the next relay reads on where it was.
"""

import argparse
import signal
import sys
import threading

from fmnist import relay_run, relay_sweep
from fmnist.store import Store
from fmnist.sweep import Sweeps
from fmnist.worker import watch_lifeline


def main(arguments: list[str] | None = None) -> int:
    """Follow one job. Exit status 0 also when there was nothing to do."""
    parser = argparse.ArgumentParser(prog="python -m fmnist.relay", description="Follow the job of a run or a sweep on its cluster.")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--run", metavar="ID")
    what.add_argument("--sweep", metavar="ID")
    parser.add_argument("--lifeline", action="store_true", help="go, leaving the job to itself, when standard input ends")
    options = parser.parse_args(arguments)
    interrupted = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: interrupted.set())
    if options.lifeline:
        threading.Thread(target=watch_lifeline, args=(interrupted,), daemon=True).start()
    store = Store()
    if options.run:
        relay_run.follow(store, store.get(options.run), interrupted, log_to_file=True)
    else:
        relay_sweep.follow(store, Sweeps(store).get(options.sweep), interrupted, log_to_file=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
