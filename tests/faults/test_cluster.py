"""Trainings and sweeps on a real Ray cluster of two nodes on loopback, with whatever killed that may be. The judge is the store."""

import http.client
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from fmnist import checkpoint, data, evaluation, runner, search_space, sweeping
from fmnist.clusters import Cluster, Clusters, check, connect, jobs, resources, stop
from fmnist.config import TrainConfig
from fmnist.dispatches import Begun, decode, key_of
from fmnist.engines.local import Supervisor
from fmnist.events import Step
from fmnist.jobs_api import JobsApi
from fmnist.liveness import find, this_process
from fmnist.placement import Placement
from fmnist.run import Kind, Request, Run, Status
from fmnist.store import Store
from fmnist.sweep import Spec, Sweep, Sweeps, SweepStatus, best, parse_spec
from fmnist.trial_cluster import Node, TrialCluster

pytestmark = [pytest.mark.ray, pytest.mark.timeout(1800)]
PATIENCE = 600.0  # only a hang takes so long
CONFIG = TrainConfig(
    network="small", epochs=6, batch_size=32, train_size=4_500, validation_size=500, ema=0.9, device="cpu", precision="float32"
)
TRIAL, TRAINING = "ray::ImplicitFunc", "RayTrainWorker"  # how Ray calls the processes of a trial and of a training


@pytest.fixture
def cluster(plain_store: Store, trial_cluster: TrialCluster) -> Iterator[Cluster]:
    """The cluster as a studio knows it; no job of a test is left to the next one."""
    storage, token_file = str(trial_cluster.storage), trial_cluster.token_file
    cluster = Clusters(plain_store).add("lab", trial_cluster.address, storage, token_file=token_file)
    yield cluster
    for job in jobs(cluster):
        if not job.is_over:
            stop(cluster, job)


def wait_for(condition: Callable[[], object], what: str) -> None:
    give_up = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < give_up, f"{what} did not happen within {PATIENCE:.0f} s"
        time.sleep(0.05)


def ended(store: Store, run: Run) -> Run:
    wait_for(lambda: store.get(run.id).status not in (Status.QUEUED, Status.RUNNING), f"the end of {run.name}")
    return store.get(run.id)


def at_home(store: Store, config: TrainConfig) -> Run:
    """The same training in this process, undisturbed."""
    run = store.create(config, device="cpu")
    claimed = store.claim("cpu", this_process(), run.id)
    assert claimed
    return runner.train(store, claimed, threading.Event())


def figures(store: Store, run: Run) -> list[tuple[int, int, float, float, float, float]]:
    """What must not depend on where a training ran, nor on who was killed."""
    return [(epoch.epoch, epoch.step, epoch.train_loss, epoch.train_accuracy, epoch.loss, epoch.accuracy) for epoch in store.epochs(run.id)]


def processes(node: Node, name: str) -> list[psutil.Process]:
    """Those of a node that Ray calls so."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        try:
            if os.getsid(process.pid) == node.process.pid and name in " ".join(process.info["cmdline"] or ()):
                found.append(process)
        except (ProcessLookupError, psutil.Error):
            continue
    return found


def spec(trials: int, config: TrainConfig = CONFIG, *, halving: bool = False) -> Spec:
    space = {"learning_rate": search_space.parse_domain("learning_rate", "1e-4..1e-2:log")}
    return parse_spec({"base": config, "space": space, "trials": trials, "sampler": "tpe", "halving": halving})


def test_without_the_token_nobody_is_let_in(trial_cluster: TrialCluster, cluster: Cluster) -> None:
    host, port = trial_cluster.address.removeprefix("http://").split(":")
    for method, path in (("GET", "/api/version"), ("GET", "/api/jobs/"), ("POST", "/api/jobs/"), ("GET", "/nodes?view=summary")):
        connection = http.client.HTTPConnection(host, int(port), timeout=30)
        connection.request(method, path, body=b"{}" if method == "POST" else None)
        assert connection.getresponse().status == 401, path
        connection.close()
    for token in (None, "f" * 48):
        with pytest.raises(Exception, match="refuses the token"):
            JobsApi(trial_cluster.address, token).jobs()
    assert check(cluster).startswith("Ray 2.6")
    assert (resources(cluster).nodes, resources(cluster).cpus, resources(cluster).gpus) == (2, 4.0, 1.0)


def test_a_training_there_is_the_one_at_home_and_a_killed_relay_loses_nothing(
    plain_store: Store, cluster: Cluster, supervisor: Supervisor
) -> None:
    """Bit for bit the figures of the same training at home; the points are those that the job has printed, each once."""
    run = plain_store.create(CONFIG, device="cpu", placement=Placement(cluster.id))
    for epochs in (1, 3):
        wait_for(lambda epochs=epochs: plain_store.get(run.id).epoch >= epochs, f"epoch {epochs}")
        relay = plain_store.get(run.id).process
        if relay and (found := find(relay)):
            found.kill()
    job = plain_store.get(run.id).job
    run = ended(plain_store, run)
    assert run.status == Status.FINISHED, run.message
    lines = [batch for line in connect(cluster).logs(job or "") if (batch := decode(line))]
    said = [dispatch.event for batch in lines for dispatch in batch.said]
    assert sum(isinstance(event, Begun) for event in said) == 1, "the training itself was not disturbed"
    assert plain_store.steps(run.id) == [event for event in said if isinstance(event, Step)]
    assert Kind.CRASHED in [happening.kind for happening in plain_store.happenings(run.id)], "the relay was"

    expected = at_home(plain_store, CONFIG)
    assert figures(plain_store, run) == figures(plain_store, expected)
    assert (run.accuracy, run.loss) == (expected.accuracy, expected.loss)
    newest, *older = plain_store.checkpoints(run.id)
    assert len(older) == CONFIG.epochs - 1
    assert newest.weights_sha256 == plain_store.checkpoints(expected.id)[0].weights_sha256
    folder = checkpoint.checkpoints_folder(run.id)
    for kept in (newest, *older):
        model, config = checkpoint.load_weights(folder / kept.weights, kept.weights_sha256)
        assert config == CONFIG
    model, _ = checkpoint.load_weights(folder / newest.weights)
    assert evaluation.evaluate(model, data.load().test).accuracy == run.accuracy
    assert newest.state
    assert checkpoint.hash_file(folder / newest.state) == newest.state_sha256
    assert [(job.owner, job.what) for job in jobs(cluster) if job.owner == run.id] == [(run.id, run.name)]


def test_pause_resume_stop_and_cancel(plain_store: Store, cluster: Cluster, supervisor: Supervisor) -> None:
    long = CONFIG.model_copy(update={"epochs": 400})
    run = plain_store.create(long, device="cpu", placement=Placement(cluster.id))
    wait_for(lambda: plain_store.get(run.id).epoch >= 1, "an epoch")
    plain_store.ask(run.id, Request.PAUSE)
    paused = ended(plain_store, run)
    assert paused.status == Status.PAUSED, paused.message
    assert all(job.is_over for job in jobs(cluster) if job.owner == run.id)
    plain_store.resume(run.id)
    wait_for(lambda: plain_store.get(run.id).epoch >= paused.epoch + 1, "another epoch")
    plain_store.ask(run.id, Request.STOP)
    stopped = ended(plain_store, run)
    assert stopped.status == Status.STOPPED, stopped.message
    newest = plain_store.checkpoints(run.id)[0]
    assert newest.epoch == stopped.epoch == len(plain_store.epochs(run.id))
    model, _ = checkpoint.load_weights(checkpoint.checkpoints_folder(run.id) / newest.weights, newest.weights_sha256)
    assert evaluation.evaluate(model, data.load().test).accuracy == stopped.accuracy

    other = plain_store.create(long, device="cpu", placement=Placement(cluster.id))
    wait_for(lambda: plain_store.get(other.id).step > 0, "a step")
    plain_store.ask(other.id, Request.CANCEL)
    assert ended(plain_store, other).status == Status.CANCELLED
    assert all(job.is_over for job in jobs(cluster))


def test_two_trials_share_a_gpu(plain_store: Store, cluster: Cluster, supervisor: Supervisor) -> None:
    """A pretended one: what is tested is that the cluster gives each its half, and both train at the same time."""
    half, long = Placement(cluster.id, gpus_per_worker=0.5), CONFIG.model_copy(update={"epochs": 400})
    sweep = sweeping.begin(plain_store, spec(4, long), device=half.device, placement=half)
    at_work = lambda: [run for run in plain_store.running() if run.step > 0]  # noqa: E731
    wait_for(lambda: len(at_work()) == 2, "two trials at work")
    before = {run.id: run.step for run in at_work()}
    wait_for(lambda: all(plain_store.get(run_id).step > step for run_id, step in before.items()), "both going on")
    wait_for(lambda: resources(cluster).gpus_used == 1.0, "a whole GPU in use")
    assert len(Sweeps(plain_store).trials(sweep.id)) <= 3, "the others wait"
    sweeping.pause(plain_store, Sweeps(plain_store).get(sweep.id))
    wait_for(lambda: not plain_store.running() and all(job.is_over for job in jobs(cluster)), "the pause")


def test_a_killed_trial_goes_on_from_its_checkpoint(
    plain_store: Store, cluster: Cluster, trial_cluster: TrialCluster, supervisor: Supervisor
) -> None:
    sweep = sweeping.begin(plain_store, spec(2), device="cpu", placement=Placement(cluster.id))
    everyone = lambda: [trial.run.id for trial in Sweeps(plain_store).trials(sweep.id)]  # noqa: E731
    wait_for(lambda: len(everyone()) == 2 and all(plain_store.get(run_id).epoch >= 1 for run_id in everyone()), "two trials at work")
    for node in trial_cluster.nodes:
        for process in processes(node, TRIAL):
            process.kill()
    killed = everyone()
    wait_for(lambda: Sweeps(plain_store).get(sweep.id).status != SweepStatus.RUNNING, "the end of the sweep")
    _check(plain_store, sweep, 2)
    for run_id in killed:
        config = plain_store.get(run_id).config
        assert config
        first, *later = _beginnings(cluster, sweep.id, key_of(config))
        assert first == 0
        assert later, "it was killed"
        assert min(later) >= CONFIG.steps_per_epoch, "and went on from its checkpoint, not from the start"
        assert Kind.CRASHED in [happening.kind for happening in plain_store.happenings(run_id)]


def _beginnings(cluster: Cluster, owner: str, key: str) -> list[int]:
    """At which steps a training has begun, as its jobs have said."""
    names = [job.name for job in reversed(jobs(cluster)) if job.owner == owner]
    batches = [batch for name in names for line in connect(cluster).logs(name) if (batch := decode(line))]
    return [each.event.step for batch in batches for each in batch.said if each.key == key and isinstance(each.event, Begun)]


def _check(store: Store, sweep: Sweep, count: int) -> None:
    """Every trial has each of its epochs once, as at home; the best one's model is here."""
    found = Sweeps(store).get(sweep.id)
    trials = Sweeps(store).trials(sweep.id)
    assert (found.status, found.proposed, len(trials)) == (SweepStatus.FINISHED, count, count), found.message
    for trial in trials:
        assert trial.run.status == Status.FINISHED, trial.run.message
        assert [epoch.epoch for epoch in trial.epochs] == list(range(1, CONFIG.epochs + 1))
        assert trial.run.accuracy is not None
    winner = best(trials)
    assert winner
    assert winner.run.config
    expected = at_home(store, winner.run.config)
    assert figures(store, winner.run) == figures(store, expected)
    newest = store.checkpoints(winner.run.id)[0]
    assert newest.weights_sha256 == store.checkpoints(expected.id)[0].weights_sha256
    checkpoint.load_weights(checkpoint.checkpoints_folder(winner.run.id) / newest.weights, newest.weights_sha256)


def test_a_lost_node_is_replaced_and_a_paused_sweep_goes_on(
    plain_store: Store, cluster: Cluster, trial_cluster: TrialCluster, supervisor: Supervisor
) -> None:
    sweep = sweeping.begin(plain_store, spec(5), device="cpu", placement=Placement(cluster.id))
    second = trial_cluster.nodes[-1]
    wait_for(lambda: processes(second, TRIAL), "a trial on the second node")
    wait_for(lambda: any(run.epoch >= 1 for run in plain_store.running()), "an epoch")
    second.kill()
    trial_cluster.nodes.remove(second)
    trial_cluster.add_node(cpus=2)
    trial_cluster.wait(2)
    wait_for(lambda: any(trial.complete for trial in Sweeps(plain_store).trials(sweep.id)), "a trial that is done")

    sweeping.pause(plain_store, Sweeps(plain_store).get(sweep.id))
    wait_for(lambda: not plain_store.running() and all(job.is_over for job in jobs(cluster) if job.owner == sweep.id), "the pause")
    assert Sweeps(plain_store).get(sweep.id).status == SweepStatus.PAUSED
    sweeping.resume(plain_store, Sweeps(plain_store).get(sweep.id))
    wait_for(lambda: Sweeps(plain_store).get(sweep.id).status != SweepStatus.RUNNING, "the end of the sweep")
    _check(plain_store, sweep, 5)


def _first_process(node: Node) -> psutil.Process | None:
    """The one of rank 0, as it says in its log on its node, whose name ends with its pid."""
    for process in processes(node, TRAINING):
        if any("process 0 of 2" in log.read_text(errors="replace") for log in node.folder.rglob(f"worker-*-{process.pid}.out")):
            return process
    return None


def test_two_processes_the_first_of_which_is_killed_end_with_all_epochs(
    plain_store: Store, cluster: Cluster, trial_cluster: TrialCluster, supervisor: Supervisor
) -> None:
    run = plain_store.create(CONFIG, device="cpu", placement=Placement(cluster.id, workers=2))
    wait_for(lambda: plain_store.get(run.id).epoch >= 1, "an epoch")
    assert sum(len(processes(node, TRAINING)) for node in trial_cluster.nodes) == 2
    (first,) = [process for node in trial_cluster.nodes if (process := _first_process(node))]
    first.kill()
    run = ended(plain_store, run)
    assert run.status == Status.FINISHED, run.message
    assert [epoch.epoch for epoch in plain_store.epochs(run.id)] == list(range(1, CONFIG.epochs + 1))
    assert run.environment["workers"] == 2
    begun, *later = _beginnings(cluster, run.id, "")
    assert (begun, len(later)) == (0, 1)
    assert later[0] >= CONFIG.steps_per_epoch, "it went on from its checkpoint, not from the start"
    checkpoint.load_weights(checkpoint.checkpoints_folder(run.id) / plain_store.checkpoints(run.id)[0].weights)


def test_the_command_line_trains_and_searches_there(plain_store: Store, trial_cluster: TrialCluster) -> None:
    """With an address and a token file; what is not a cluster of the studio yet becomes one."""
    place = ["--engine", "ray", "--address", trial_cluster.address, "--storage", str(trial_cluster.storage)]
    place += ["--token-file", str(trial_cluster.token_file)]
    fields = ["--network", "linear", "--epochs", "3", "--train-size", "600", "--validation-size", "200", "--precision", "float32"]
    command = [sys.executable, "-m", "fmnist"]
    done = subprocess.run([*command, "train", *place, *fields], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "finished, test accuracy" in done.stdout
    done = subprocess.run(
        [*command, "sweep", *place, *fields, "--search", "learning_rate", "--trials", "2"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "best of 2" in done.stderr
    assert len(Clusters(plain_store).list()) == 1
    shown = subprocess.run([*command, "clusters", "check", Clusters(plain_store).list()[0].name], capture_output=True, text=True)
    assert "2 nodes" in shown.stdout, shown.stderr


def test_the_token_is_nowhere(plain_store: Store, cluster: Cluster, trial_cluster: TrialCluster, home: Path) -> None:
    """After all that: in no log, no job, no file of the store, no storage; only in its own file."""
    token = trial_cluster.token_file.read_text().strip().encode()
    assert len(jobs(cluster)) >= 1, "there were jobs that could have told it"
    seen = 0
    for root in (home, trial_cluster.storage, *(node.folder for node in trial_cluster.nodes)):
        for path in root.rglob("*"):
            if path.is_file() and not path.is_symlink():
                seen += 1
                assert token not in path.read_bytes(), path
    assert seen > 20
    assert token.decode() not in str(connect(cluster).jobs())
    assert trial_cluster.token_file.stat().st_mode & 0o077 == 0
