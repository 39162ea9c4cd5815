"""A wall clock that goes back a day, stands still, changes to winter time and is ten years ahead while a run is trained: nobody notices.

Debian's libfaketime tells the worker another time; the monotonic clock goes on, as it does when a real clock is set.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fmnist.bin import clear
from fmnist.config import TrainConfig
from fmnist.run import Kind, Run, Status
from fmnist.store import Store

CONFIG = TrainConfig(network="linear", epochs=8, batch_size=25, train_size=1_100, validation_size=100, precision="float32")
CLOCKS = ("-1d", "2026-01-01 12:00:00", "@2026-10-25 02:59:59", "+10y")  # a day back, frozen, the last second of summer time, years ahead
LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
CHANGING = """
import sys, threading
from pathlib import Path
from fmnist import runner
from fmnist.events import Epoch
from fmnist.liveness import this_process
from fmnist.store import Store

clock, *clocks = sys.argv[1:]
store = Store()
run = store.claim("cpu", this_process())

def watch(event):
    if isinstance(event, Epoch) and clocks:
        Path(clock).write_text(clocks.pop(0))

assert runner.train(store, run, threading.Event(), watch=watch).status == "finished"
"""


@pytest.fixture
def library() -> Path:
    if not LIBRARIES:
        reason = "Debian's package 'faketime' is not installed: apt-get install faketime, or make test as root."
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    return LIBRARIES[0]


def _train(home: Path, clocks: tuple[str, ...], library: Path) -> None:
    """Train what waits in a process whose clock is set anew after each epoch."""
    clock = home / "clock"
    clock.write_text("+0")
    told = {"LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1"}
    told |= {"FAKETIME_DONT_FAKE_MONOTONIC": "1", "TZ": "Europe/Berlin"}
    subprocess.run([sys.executable, "-c", CHANGING, str(clock), *clocks], env={**os.environ, **told}, check=True, timeout=280)


def _figures(store: Store, run: Run) -> tuple[object, ...]:
    epochs = [(epoch.epoch, epoch.step, epoch.train_loss, epoch.loss, epoch.accuracy) for epoch in store.epochs(run.id)]
    return epochs, store.checkpoints(run.id)[0].weights_sha256, store.get(run.id).accuracy


def test_a_wall_clock_that_jumps_in_a_training_changes_no_figure_no_order_and_no_duration(plain_store: Store, home: Path, library: Path):
    runs = []
    for clocks in ((), CLOCKS):
        runs.append(plain_store.create(CONFIG, device="cpu"))
        _train(home, clocks, library)
    steady, jumpy = runs
    assert _figures(plain_store, jumpy) == _figures(plain_store, steady)
    moments = [each.at for each in plain_store.happenings(jumpy.id)]
    created = [point.created for point in reversed(plain_store.checkpoints(jumpy.id))]
    assert max(created) - min(created) > 9 * 365 * 86_400, "the clock did not jump"
    assert created != sorted(created), "the clock did not go back"
    assert moments
    points = [*plain_store.steps(jumpy.id), *plain_store.epochs(jumpy.id)]
    assert all(0 < point.seconds < 200 for point in points)
    now = plain_store.get(jumpy.id)
    assert (now.seconds_left, now.status) == (0.0, Status.FINISHED)
    assert [run.number for run in plain_store.runs()] == [2, 1]
    assert [each.kind for each in plain_store.happenings(jumpy.id)] == [Kind.QUEUED, Kind.STARTED, Kind.FINISHED]


def test_a_clock_that_is_years_ahead_does_not_empty_the_bin(plain_store: Store, home: Path, library: Path):
    run = plain_store.create(CONFIG, device="cpu")
    plain_store.bin([run.id])
    code = "from fmnist.store import Store; from fmnist.bin import clear; import time; print(time.time()); clear(Store())"
    told = {"LD_PRELOAD": str(library), "FAKETIME": "+10y", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, **told}, check=True, capture_output=True, text=True, timeout=200)
    assert float(done.stdout) - time.time() > 9 * 365 * 86_400
    assert [kept.id for kept in plain_store.binned()] == [run.id]
    clear(plain_store)
    assert [kept.id for kept in plain_store.binned()] == [run.id]
