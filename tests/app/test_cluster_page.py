"""The page of clusters: added, asked, changed, removed; and "where to run" on the pages that start something.

What answers here is a small server that says what Ray 2.60 says; a real cluster is in tests/e2e/test_cluster.py.
"""

import json
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from fmnist.clusters import Cluster, Clusters
from fmnist.dispatches import Event, Kept, key_of
from fmnist.engines.ray_worker import learn
from fmnist.placement import HERE, Placement
from fmnist.prediction import load
from fmnist.run import Status
from fmnist.storage import Storage
from fmnist.store import Store
from fmnist.sweep import Sweeps, parse_spec
from tests.app.conftest import CONFIG, NOBODY
from ui.clusters import lookout

Visit = Callable[..., AppTest]
TOKEN = "a-token-that-nobody-may-see"
NODE = {"raylet": {"nodeId": "n1", "state": "ALIVE", "resourcesTotal": {"CPU": 4.0, "GPU": 1.0}}}
NODES = {"data": {"summary": [NODE], "nodeLogicalResources": {"n1": "1.0/4.0 CPU\n0.5/1.0 GPU"}}}
OURS = {"app": "fmnist", "user": "ada", "what": "Sweep *9*", "owner": "f" * 32, "kind": "sweep"}
JOBS = [
    {"submission_id": "job-1", "status": "RUNNING", "metadata": OURS, "start_time": 1_700_000_000_000, "message": ""},
    {"submission_id": "job-2", "status": "FAILED", "metadata": {}, "start_time": 1_700_000_000_000, "message": "out of memory\nmore"},
]


class _Ray(BaseHTTPRequestHandler):
    """Answers with the token alone."""

    server: "RayLike"

    def do_GET(self) -> None:
        self.server.asked.append((self.command, self.path))
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        right = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        content = json.dumps(self._answer() if right else {}).encode()
        self.send_response(200 if right else 401)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_GET  # noqa: N815

    def _answer(self) -> object:
        known = {"/api/version": {"ray_version": "2.60.0"}, "/nodes?view=summary": NODES, "/api/jobs/": JOBS}
        return known.get(self.path, {})

    def log_message(self, *_: object) -> None:
        pass


class RayLike(ThreadingHTTPServer):
    daemon_threads = True
    asked: list[tuple[str, str]]


@pytest.fixture
def ray() -> Iterator[RayLike]:
    with RayLike(("127.0.0.1", 0), _Ray) as server:
        server.asked = []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def cluster(runs_store: Store, ray: RayLike) -> Cluster:
    return Clusters(runs_store).add("The *lab*", f"http://127.0.0.1:{ray.server_port}", "/nfs/fmnist", token=TOKEN)


def asked(at: AppTest, cluster: Cluster) -> AppTest:
    """The page once the answer is there."""
    lookout.of(cluster).wait(60)
    return at.run()


def texts(at: AppTest) -> str:
    found = [*at.caption, *at.markdown, *at.success, *at.error, *at.subheader, *at.toast]
    return "\n".join(each.value for each in found).replace("\\", "").replace("\N{WORD JOINER}", "")


def press(at: AppTest, key: str) -> AppTest:
    [button] = [each for each in at.button if each.key == key]
    return button.click().run()


def fill(at: AppTest, key: str, **values: str) -> None:
    for name, value in values.items():
        [field] = [each for each in at.text_input if each.key == f"{key}.{name}"]
        field.set_value(value)


# ---- the page ----


def test_a_page_without_clusters_says_what_one_is_for_and_how_to_try_it(visit: Visit) -> None:
    at = visit("cluster")
    assert not at.exception
    assert "No cluster yet" in texts(at)
    assert "make cluster" in texts(at)


def test_a_cluster_is_added_asked_and_its_token_is_nowhere(visit: Visit, runs_store: Store, ray: RayLike) -> None:
    at = visit("cluster")
    fill(at, "clusters.new", name="lab", address=f"http://127.0.0.1:{ray.server_port}/", storage="/nfs/fmnist", token=TOKEN)
    at = press(at, "FormSubmitter:clusters.new-Add the cluster")
    [added] = Clusters(runs_store).list()
    assert (added.name, added.storage) == ("lab", "/nfs/fmnist")
    at = asked(at, added)
    assert not at.exception
    assert [each.value.replace("\\", "") for each in at.success] == ["Ray 2.60.0; 1 node, 1 of 4 CPUs and 0.5 of 1 GPU in use"]
    assert TOKEN not in str(at.session_state)
    assert TOKEN not in texts(at) + str(dict(at.query_params))
    assert all(TOKEN not in str(each.value) for each in at.text_input)


def test_everybodys_jobs_are_listed_and_only_ours_can_be_stopped(visit: Visit, cluster: Cluster, ray: RayLike) -> None:
    at = asked(visit("cluster"), cluster)
    said = texts(at)
    assert "**Jobs: 2**, 1 at work or waiting" in said
    assert "**Sweep *9***" in said
    assert "of ada" in said
    assert "not from a studio" in said
    assert "out of memory" in said
    assert [each.key for each in at.button if each.key and each.key.startswith("clusters.stop.")] == ["clusters.stop.yes.job-1"]
    at = press(at, "clusters.stop.yes.job-1")
    assert ("POST", "/api/jobs/job-1/stop") in ray.asked
    assert "was asked to stop" in texts(at)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"name": "", "address": "http://head:8265", "storage": "/nfs"}, "Give the run a name|name"),
        ({"name": "lab", "address": "head:8265", "storage": "/nfs"}, "is not the address of a cluster"),
        ({"name": "lab", "address": "http://me:secret@head:8265", "storage": "/nfs"}, "no user, password or token"),
        ({"name": "lab", "address": "http://head:8265", "storage": "nfs"}, "not a place for checkpoints"),
        ({"name": "lab", "address": "http://head:8265", "storage": "/nfs", "token_file": "/nowhere/token"}, "cannot be read"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence_and_what_was_typed_stays(
    values: dict[str, str], sentence: str, visit: Visit, runs_store: Store
) -> None:
    at = visit("cluster")
    fill(at, "clusters.new", **values, token=TOKEN)
    at = press(at, "FormSubmitter:clusters.new-Add the cluster")
    assert Clusters(runs_store).list() == []
    [error] = at.error
    assert any(part in error.value.replace("\\", "") for part in sentence.split("|"))
    assert {each.key.rpartition(".")[2]: each.value for each in at.text_input if each.key} == {"token_file": "", **values, "token": ""}


def test_a_wrong_token_and_a_closed_port_are_one_sentence_each(visit: Visit, runs_store: Store, ray: RayLike) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        closed = Clusters(runs_store).add("closed", f"http://127.0.0.1:{probe.getsockname()[1]}", "/nfs")
        wrong = Clusters(runs_store).add("wrong", f"http://127.0.0.1:{ray.server_port}", "/nfs", token="another-token")
        at = visit("cluster")
        lookout.of(closed).wait(60)
        at = asked(at, wrong)
    assert not at.exception
    said = [each.value.replace("\\", "") for each in at.error]
    assert len(said) == 2
    assert "cannot be reached" in said[0]
    assert "refuses the token" in said[1]


def test_a_network_that_says_nothing_holds_no_page_up(visit: Visit, runs_store: Store) -> None:
    """A server that accepts and stays silent: the page is drawn, says that it asks, and later says in a sentence that nobody answers."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        cluster = Clusters(runs_store).add("silent", f"http://127.0.0.1:{silent.getsockname()[1]}", "/nfs")
        at = visit("cluster")
        assert "Asking http://127.0.0.1" in texts(at)
        assert lookout.of(cluster).is_asking
        at = asked(at, cluster)
    assert [each.value for each in at.error if "does not answer in time" in each.value]


def test_a_cluster_is_changed_and_keeps_its_token(visit: Visit, runs_store: Store, cluster: Cluster) -> None:
    at = visit("cluster")
    key = f"clusters.change.{cluster.id}"
    fill(at, key, name="attic", storage="s3://bucket/fmnist")
    at = press(at, f"FormSubmitter:{key}-Save")
    now = Clusters(runs_store).get(cluster.id)
    assert (now.name, now.storage, now.address, now.token_file) == ("attic", "s3://bucket/fmnist", cluster.address, cluster.token_file)


def test_a_cluster_is_removed_when_a_person_says_so_twice(visit: Visit, runs_store: Store, cluster: Cluster) -> None:
    at = press(visit("cluster"), f"clusters.remove.yes.{cluster.id}")
    assert Clusters(runs_store).list() == []
    assert "No cluster yet" in texts(at)


def test_one_that_is_still_at_work_is_not_removed(visit: Visit, runs_store: Store, cluster: Cluster) -> None:
    runs_store.create(CONFIG, device="cpu", name="Busy", placement=Placement(cluster.id))
    at = press(visit("cluster"), f"clusters.remove.yes.{cluster.id}")
    assert len(Clusters(runs_store).list()) == 1
    assert "Busy is still at work" in texts(at)


# ---- where to run ----


def choose(at: AppTest, key: str, value: object) -> None:
    kinds = (at.selectbox, at.number_input)
    [widget] = [each for kind in kinds for each in kind if each.key == key]
    widget.set_value(value)


def keys(at: AppTest) -> set[str]:
    return {each.key for kind in (at.selectbox, at.number_input) for each in kind if each.key}


def test_without_a_cluster_only_the_number_of_processes_is_asked(visit: Visit, runs_store: Store) -> None:
    at = visit("train", preset="quick")
    assert not keys(at) & {"train.where", "train.workers", "train.gpus"}
    choose(at, "train.processes", 2)
    at = press(at.run(), "train.start")
    [run] = runs_store.queue()
    assert run.placement == Placement(workers=2)
    assert "On this machine, 2 processes" in texts(at)


def test_a_training_is_sent_to_a_cluster_with_what_was_chosen(visit: Visit, runs_store: Store, cluster: Cluster) -> None:
    at = visit("train", preset="quick")
    choose(at, "train.where", cluster.id)
    at.run()
    assert "train.processes" not in keys(at)
    choose(at, "train.workers", 2)
    choose(at, "train.gpus", 1.0)
    at.run()
    assert "It will run on The *lab*, 2 workers with 1 GPU each" in texts(at)
    at = press(at, "train.start")
    [run] = runs_store.queue()
    assert (run.placement, run.device) == (Placement(cluster.id, 2, 1.0), "cuda")
    assert "On The *lab*, 2 workers with 1 GPU each" in texts(at)


def test_a_batch_that_the_workers_cannot_share_is_refused_before_it_starts(visit: Visit, runs_store: Store, cluster: Cluster) -> None:
    at = visit("train", preset="quick")
    choose(at, "train.where", cluster.id)
    at.run()
    choose(at, "train.workers", 3)
    at.run()
    assert any("cannot be shared evenly by 3 processes" in each.value for each in at.error)
    assert [each.disabled for each in at.button if each.key == "train.start"] == [True]


def test_a_sweep_is_sent_to_a_cluster_with_a_part_of_a_gpu_for_each_trial(visit: Visit, runs_store: Store, cluster: Cluster) -> None:
    at = visit("sweep")
    choose(at, "sweep.where", cluster.id)
    at.run()
    choose(at, "sweep.gpus", 0.25)
    at.run()
    press(at, "sweep.start")
    [sweep] = Sweeps(runs_store).all()
    assert sweep.placement == Placement(cluster.id, 1, 0.25)


def test_a_sweep_asks_nothing_about_places_where_there_is_one(visit: Visit) -> None:
    assert not keys(visit("sweep")) & {"sweep.where", "sweep.gpus"}


# ---- where a run runs ----


def test_a_run_on_a_cluster_says_so_and_offers_only_what_exists_there(visit: Visit, runs_store: Store, cluster: Cluster) -> None:
    run = runs_store.create(CONFIG, device="cpu", name="Far away", placement=Placement(cluster.id))
    assert runs_store.claim("cpu", NOBODY, run.id, cluster=cluster.id)
    runs_store.describe(run.id, message="Lost contact, trying again.")
    at = visit("runs", run=run.id)
    assert "On The *lab*" in texts(at)
    assert "Lost contact, trying again" in texts(at)
    labels = {each.label for each in at.button}
    assert {"Pause", "Stop and keep"} <= labels
    assert not [each for each in at.number_input if each.label == "New learning rate"]


def test_a_trial_on_a_cluster_goes_with_its_sweep(visit: Visit, runs_store: Store, cluster: Cluster) -> None:
    trial = runs_store.create(CONFIG, device="cpu", name="A trial", sweep="5" * 32, placement=Placement(cluster.id))
    assert runs_store.claim("cpu", NOBODY, trial.id, cluster=cluster.id)
    at = visit("runs", run=trial.id)
    assert "with its sweep" in texts(at)
    assert not {"Pause", "Stop and keep"} & {each.label for each in at.button}


def test_a_run_of_this_machine_says_nothing_about_places(visit: Visit, runs_store: Store) -> None:
    run = runs_store.create(CONFIG, device="cpu", placement=HERE)
    assert "this machine" not in texts(visit("runs", run=run.id))
    assert runs_store.get(run.id).status == Status.QUEUED


def test_a_model_that_stayed_there_is_brought_home_by_a_button(visit: Visit, runs_store: Store, ray: RayLike, tmp_path: Path) -> None:
    lab = Clusters(runs_store).add("The *lab*", f"http://127.0.0.1:{ray.server_port}", str(tmp_path / "storage"), token=TOKEN)
    place, brief = Placement(lab.id), CONFIG.model_copy(update={"epochs": 1})
    sweep = Sweeps(runs_store).create(
        parse_spec({"base": brief, "space": {"learning_rate": (0.1, 0.01)}, "trials": 2}), device="cpu", placement=place
    )
    run = runs_store.create(brief, device="cpu", sweep=sweep.id, placement=place)

    def post(events: Sequence[Event]) -> None:
        runs_store.post(sweep.id, 1, [(run.id, event) for event in events if not isinstance(event, Kept)])

    learn(brief, Storage(lab.storage, sweep.id, key_of(brief)), post, all_weights=False)
    at = visit("runs", run=run.id)
    at.session_state["runs.tabs"] = "Checkpoints"
    at.run()
    assert "Its model is in the storage of The *lab*" in texts(at)
    at = press(at, "runs.fetch")
    assert ["Its model is here now" in toast.value for toast in at.toast] == [True]
    assert "runs.fetch" not in keys(at)
    assert runs_store.checkpoints(run.id)[0].epoch == 1
    assert load(run.id, runs_store).config == brief
