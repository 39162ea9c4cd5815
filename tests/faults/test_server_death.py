"""The real server dies while it trains, in four ways; it is started again on the same port, and the training goes on."""

import itertools
import random
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from fmnist.config import TrainConfig
from fmnist.run import Kind, Request, Run, Status
from fmnist.store import Store
from tests.e2e.conftest import Server, serving
from tests.faults.conftest import Tally
from tests.faults.oracle import opened

CONFIG = TrainConfig(network="linear", epochs=1_000, batch_size=32, train_size=2_000, validation_size=200, precision="float32")
PATIENCE = 180.0  # for what takes seconds where nothing else runs
WAYS = ("killed", "killed with its worker", "terminated", "interrupted by Ctrl-C")


def wait_for(condition: Callable[[], object], what: str) -> float:
    """Wait; returns how many seconds it took."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < PATIENCE, f"{what} did not happen within {PATIENCE:.0f} s"
        time.sleep(0.02)
    return time.monotonic() - begun


def processes_of(home: Path) -> list[psutil.Process]:
    """Every process that was started for a home."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("FMNIST_HOME") == str(home) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:  # gone meanwhile, or not ours to look at
            continue
    return found


def die(server: Server, way: str) -> None:
    workers = psutil.Process(server.process.pid).children(recursive=True)
    if way == "killed with its worker":
        for worker in workers:
            worker.kill()
    send = {"terminated": signal.SIGTERM, "interrupted by Ctrl-C": signal.SIGINT}.get(way, signal.SIGKILL)
    server.process.send_signal(send)
    server.process.wait(PATIENCE)


def port_is_free(port: int) -> bool:
    try:
        with socket.create_server(("127.0.0.1", port)):
            return True
    except OSError:
        return False


def sittings(store: Store, run: Run) -> int:
    """How many times a worker has taken the run."""
    return [happening.kind for happening in store.happenings(run.id)].count(Kind.STARTED)


def check_one_at_a_time(store: Store, run: Run) -> None:
    """Between two beginnings there is an end: no two workers were ever on the run."""
    ends = {Kind.INTERRUPTED, Kind.CRASHED, Kind.PAUSED, Kind.STOPPED}
    told = [happening.kind for happening in store.happenings(run.id) if happening.kind in {Kind.STARTED, *ends}]
    assert not any(first == second == Kind.STARTED for first, second in itertools.pairwise(told)), ", ".join(told)


@pytest.mark.timeout(0)
def test_a_training_outlives_its_servers(home: Path, size: Callable[[int, int], int], tally: Tally):
    """Seconds are told, not judged, because the machine is shared: the port shall be free within 3, the training go on within 5."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with opened(home) as store:
        run, chance, seen, ways = store.create(CONFIG, device="cpu"), random.Random(0), [], list(WAYS)
        for death in range(size(10, 190)):
            reached = store.get(run.id).step
            with serving(home, port) as server:
                tally.worst(seconds_to_go_on=wait_for(lambda death=death: sittings(store, run) > death, "a worker"))
                wait_for(lambda reached=reached: store.get(run.id).step > reached, "a step beyond the last")
                time.sleep(chance.uniform(0, 0.5))
                now = store.epochs(run.id)
                assert now[: len(seen)] == seen, "a finished epoch was lost"
                seen = now
                die(server, ways[death % len(ways)])
                tally.worst(seconds_until_the_port_is_free=wait_for(lambda: port_is_free(port), "a free port"))
            tally.note(deaths=death + 1)
        with serving(home, port):
            wait_for(lambda death=death: sittings(store, run) > death + 1, "a worker")
            store.ask(run.id, Request.STOP)
            wait_for(lambda: store.get(run.id).status == Status.STOPPED, "the stop")
        tally.note(seconds_until_nothing_runs=wait_for(lambda: not processes_of(home), "the end of every process"))
        assert store.epochs(run.id)[: len(seen)] == seen
        check_one_at_a_time(store, run)
