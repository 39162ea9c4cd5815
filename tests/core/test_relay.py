"""The relay against a small server that stands for a cluster's head: contact lost and found again, no point lost or written twice."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from fmnist import relay_run
from fmnist.clusters import Cluster, Clusters
from fmnist.config import TrainConfig
from fmnist.dispatches import Batch, Begun, Crashed, Dispatch, Ended, Event, Kept, Proposed, Thinner, decode, encode, key_of
from fmnist.errors import ClusterError, StoreError
from fmnist.events import Epoch, Step
from fmnist.placement import Placement
from fmnist.run import Checkpoint, Kind, Request, Run, Status
from fmnist.store import Store
from fmnist.sweep import Sweeps, parse_spec, token_of

CONFIG = TrainConfig(network="linear", epochs=2, batch_size=64, train_size=600, validation_size=100, precision="float32")


def step(number: int) -> Step:
    return Step(number, number / 8, number / 10, 1.0 / number, 0.001, 640.0)


def epoch(number: int) -> Epoch:
    return Epoch(number, 8 * number, 0.8 * number, 1.0, 0.5, 1.0, 0.5, 0.001, 640.0)


def begun(at: int = 0, *epochs: Epoch) -> Begun:
    return Begun(at, at // 8, at / 10, {"device": "cpu"}, epochs)


SAID: Sequence[Sequence[Event]] = (
    [begun()],
    [step(2), step(4)],
    [step(8), epoch(1)],
    [step(10)],
    [Crashed("It was lost."), begun(8, epoch(1))],
    [step(10), step(12)],
    [step(16), epoch(2)],
    [Ended(Status.STOPPED, "Enough.", 0.5, 1.25)],
)


class Head(ThreadingHTTPServer):
    """Somebody else's server: it takes a job, and prints the lines of `SAID`, up to as many as it may."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.lines = [encode(Batch(number, [Dispatch("", event) for event in said])) for number, said in enumerate(SAID, start=1)]
        self.may_print, self.broken, self.stopped = 0, False, False
        self.submitted: list[dict] = []


class _Handler(BaseHTTPRequestHandler):
    server: Head  # type: ignore[assignment]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.server.broken:
            self.close_connection = True
            return
        path = self.path.partition("?")[0]
        status = "STOPPED" if self.server.stopped else "RUNNING"
        if path == "/api/version":
            self._say({"ray_version": "2.60.0"})
        elif path == "/api/v0/logs/stream":
            self._stream()
        elif path.endswith("/logs"):
            self._say({"logs": "\n".join(self.server.lines[: self.server.may_print])})
        else:
            self._say({"status": status, "driver_node_id": "node"})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.endswith("/stop"):
            self.server.stopped = True
        else:
            self.server.submitted.append(json.loads(body))
        self._say({})

    def _say(self, what: object) -> None:
        content = json.dumps(what).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self._chunk("Something that a library has printed")
        told = 0
        while not (self.server.broken or self.server.stopped):
            for line in self.server.lines[told : self.server.may_print]:
                self._chunk(line)
                told += 1
            self._chunk(encode(Batch(told)))
            time.sleep(0.02)
        self.close_connection = True

    def _chunk(self, line: str) -> None:
        content = (line + "\n").encode()
        self.wfile.write(f"{len(content):x}\r\n".encode() + content + b"\r\n")

    def log_message(self, *_: object) -> None:
        pass

    def handle(self) -> None:
        try:
            super().handle()
        except ConnectionError:
            return  # the other side has gone


@pytest.fixture
def head() -> Iterator[Head]:
    with Head() as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield made
        made.broken = True
        made.shutdown()
        thread.join()


@pytest.fixture
def cluster(store: Store, head: Head, tmp_path: Path) -> Cluster:
    return Clusters(store).add("lab", f"http://127.0.0.1:{head.server_port}", str(tmp_path / "storage"), token="secret")


@pytest.fixture
def run(store: Store, cluster: Cluster) -> Run:
    return store.create(CONFIG, device="cpu", placement=Placement(cluster.id))


@pytest.fixture
def following(store: Store, run: Run) -> Iterator[tuple[threading.Thread, threading.Event]]:
    """A relay of the run, at work in a thread; and what sends it away."""
    interrupted = threading.Event()
    thread = threading.Thread(target=relay_run.follow, args=(store, run, interrupted))
    thread.start()
    yield thread, interrupted
    interrupted.set()
    thread.join()


def wait_for(condition: Callable[[], object]) -> None:
    give_up = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.02)


def test_lost_contact_is_shown_until_it_comes_back_and_nothing_is_doubled(
    store: Store, head: Head, run: Run, following: tuple[threading.Thread, threading.Event]
) -> None:
    head.may_print = 2
    wait_for(lambda: store.get(run.id).step == 4)
    head.broken = True
    wait_for(lambda: "Lost contact with lab, trying again…" in (store.get(run.id).message or ""))
    assert store.get(run.id).status == Status.RUNNING
    head.broken, head.may_print = False, len(SAID)
    following[0].join()
    found = store.get(run.id)
    assert (found.status, found.message, found.accuracy, found.loss) == (Status.STOPPED, "Enough.", 0.5, 1.25)
    assert found.damage is None
    assert [each.step for each in store.steps(run.id)] == [2, 4, 8, 10, 12, 16]
    assert store.epochs(run.id) == [epoch(1), epoch(2)]
    assert len(head.submitted) == 1
    kinds = [happening.kind for happening in store.happenings(run.id)]
    assert kinds == [Kind.QUEUED, Kind.STARTED, Kind.CRASHED, Kind.REWOUND, Kind.STOPPED]


def test_a_relay_that_has_to_go_leaves_the_job_and_the_next_one_reads_on(
    store: Store, head: Head, run: Run, following: tuple[threading.Thread, threading.Event]
) -> None:
    thread, interrupted = following
    head.may_print = 3
    wait_for(lambda: store.get(run.id).epoch == 1)
    interrupted.set()
    thread.join()
    assert store.get(run.id).status == Status.QUEUED
    assert not head.stopped
    head.may_print = len(SAID)
    assert relay_run.follow(store, run, threading.Event()).status == Status.STOPPED
    assert [each.step for each in store.steps(run.id)] == [2, 4, 8, 10, 12, 16]
    assert len(head.submitted) == 1, "it was not submitted again"


@pytest.mark.parametrize(("request_", "status"), [(Request.PAUSE, Status.PAUSED), (Request.CANCEL, Status.CANCELLED)])
def test_what_a_person_asks_is_obeyed(
    store: Store, head: Head, run: Run, following: tuple[threading.Thread, threading.Event], request_: Request, status: Status
) -> None:
    head.may_print = 4
    wait_for(lambda: store.get(run.id).step == 10)
    store.ask(run.id, request_)
    following[0].join()
    assert head.stopped
    assert store.get(run.id).status == status


def test_a_refused_token_waits_for_a_person(store: Store, cluster: Cluster, run: Run) -> None:
    Path(cluster.token_file or "").unlink()
    found = relay_run.follow(store, run, threading.Event())
    assert found.status == Status.PAUSED
    assert "The token file" in (found.message or "")
    assert (found.message or "").endswith("Resume when that is mended.")


def test_a_run_of_a_cluster_is_not_for_a_worker_here(store: Store, run: Run) -> None:
    from fmnist.liveness import this_process

    assert store.claim("cpu", this_process()) is None
    assert store.claim("cpu", this_process(), run.id) is None


def test_a_trial_of_a_cluster_goes_with_its_sweep(store: Store, cluster: Cluster) -> None:
    from fmnist.engines.local import requeue_dead

    place = Placement(cluster.id)
    spec = parse_spec({"base": CONFIG, "space": {"learning_rate": (0.1, 0.01)}, "trials": 2})
    sweep = Sweeps(store).create(spec, device="cpu", placement=place)
    trial = store.create(CONFIG, device="cpu", token=token_of(sweep.id, 1), sweep=sweep.id, placement=place)
    store.post(sweep.id, 1, [(trial.id, begun()), (trial.id, step(3))])
    assert (store.get(trial.id).status, store.get(trial.id).step) == (Status.RUNNING, 3)
    requeue_dead(store)
    assert store.get(trial.id).status == Status.RUNNING, "no process is its own, and none is missing"
    for action in (lambda: store.ask(trial.id, Request.PAUSE), lambda: store.resume(trial.id)):
        with pytest.raises(StoreError, match=r"pause or resume the sweep|nothing to resume"):
            action()
    store.pause_trials(sweep.id)
    assert store.get(trial.id).status == Status.PAUSED
    assert Sweeps(store).get(sweep.id).job_seen == 1


def test_figures_that_were_lost_on_the_way_are_filled_in(store: Store, run: Run) -> None:
    store.post(run.id, 1, [(run.id, begun()), (run.id, step(8)), (run.id, epoch(1))])
    store.post(run.id, 2, [(run.id, begun(24, epoch(1), epoch(2), epoch(3)))])
    assert store.epochs(run.id) == [epoch(1), epoch(2), epoch(3)]
    assert store.get(run.id).step == 24


def test_every_word_of_a_job_survives_the_line() -> None:
    kept = Kept(Checkpoint(8, 1, "a", "b", None, None, 1.0))
    words: list[Event] = [step(1), epoch(1), Proposed(CONFIG), begun(8, epoch(1)), kept, Crashed("x"), Ended(Status.FAILED, "Ü\n")]
    batch = Batch(3, tuple(Dispatch("key", word) for word in words))
    line = encode(batch)
    assert "\n" not in line
    assert decode(line) == batch
    assert decode(line[:-5]) is None
    assert decode("another line") is None
    assert key_of(CONFIG) != key_of(CONFIG.model_copy(update={"seed": 1}))


def test_thinned_points_have_the_means_of_what_they_stand_for() -> None:
    thinner, points = Thinner(0), [replace(step(2), seconds=0.1, loss=1.0), replace(step(6), seconds=0.7, loss=4.0)]
    assert thinner.add(points[0]) is None
    told = thinner.add(points[1])
    assert told
    assert (told.step, told.seconds, told.loss) == (6, 0.7, pytest.approx((2 * 1.0 + 4 * 4.0) / 6))
    assert thinner.flush() is None
    thinner.add(replace(step(7), seconds=0.8, loss=5.0))
    assert thinner.flush() == replace(step(7), seconds=0.8, loss=5.0)


def test_a_cluster_in_use_is_not_removed_and_a_typed_token_is_a_file_for_its_owner(store: Store, cluster: Cluster, run: Run) -> None:
    path = Path(cluster.token_file or "")
    assert (path.read_text(), path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == ("secret\n", 0o600, 0o700)
    with pytest.raises(StoreError, match="still at work on lab"):
        Clusters(store).remove(cluster)
    store.ask(run.id, Request.CANCEL)
    Clusters(store).remove(cluster)
    assert not path.exists()
    assert Clusters(store).list() == []


@pytest.mark.parametrize(
    ("address", "storage", "token", "says"),
    [
        ("http://me:secret@head:8265", "/nfs", None, "no user, password or token"),
        ("http://head:8265/?token=secret", "/nfs", None, "no user, password or token"),
        ("ftp://head", "/nfs", None, "is not the address of a cluster"),
        ("head:8265", "/nfs", None, "is not the address of a cluster"),
        ("http://head:port", "/nfs", None, "cannot be read"),
        ("http://head:8265", "nfs", None, "is not a place for checkpoints"),
        ("http://head:8265", "/nfs", "two words", "no token has"),
    ],
)
def test_what_cannot_be_a_cluster_is_one_sentence(store: Store, address: str, storage: str, token: str | None, says: str) -> None:
    with pytest.raises(ClusterError, match=says) as caught:
        Clusters(store).add("lab", address, storage, token=token)
    assert "secret" not in str(caught.value)


def test_names_are_taken_once(store: Store, cluster: Cluster) -> None:
    with pytest.raises(StoreError, match="There is a cluster 'lab' already"):
        Clusters(store).add("lab", "http://other:8265", "/nfs")
    other = Clusters(store).add("other", "http://other:8265", "/nfs")
    with pytest.raises(StoreError, match="already"):
        Clusters(store).change(other, name="lab")
    assert Clusters(store).change(other, storage="s3://bucket/fmnist").storage == "s3://bucket/fmnist"
    assert [each.name for each in Clusters(store).list()] == ["lab", "other"]
