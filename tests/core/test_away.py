"""The model of a trial that is still in the storage of its cluster, brought home later."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from fmnist import away, cli, data, evaluation, prediction
from fmnist.clusters import Cluster, Clusters
from fmnist.config import TrainConfig
from fmnist.dispatches import Event, Kept, key_of
from fmnist.engines.ray_worker import learn
from fmnist.errors import CheckpointError
from fmnist.placement import Placement
from fmnist.run import Run, Status
from fmnist.storage import Storage
from fmnist.store import Store
from fmnist.sweep import Sweeps, SweepStatus, parse_spec, token_of


@pytest.fixture
def cluster(plain_store: Store, tmp_path: Path) -> Cluster:
    return Clusters(plain_store).add("lab", "http://127.0.0.1:9", str(tmp_path / "storage"))


@pytest.fixture
def trial(plain_store: Store, cluster: Cluster, tiny_config: TrainConfig) -> Run:
    """A trial that was trained as on a node of a cluster, and whose relay had no reason to fetch its model."""
    place = Placement(cluster.id)
    spec = parse_spec({"base": tiny_config, "space": {"learning_rate": (0.1, 0.01)}, "trials": 2})
    sweep = Sweeps(plain_store).create(spec, device="cpu", placement=place)
    run = plain_store.create(tiny_config, device="cpu", token=token_of(sweep.id, 1), sweep=sweep.id, placement=place)

    def tell(events: Sequence[Event]) -> None:
        plain_store.post(sweep.id, 1, [(run.id, event) for event in events if not isinstance(event, Kept)])

    learn(tiny_config, Storage(cluster.storage, sweep.id, key_of(tiny_config)), tell, all_weights=False)
    return plain_store.get(run.id)


def test_it_is_fetched_and_answers_as_it_was_judged_there(plain_store: Store, cluster: Cluster, trial: Run) -> None:
    assert (trial.status, plain_store.checkpoints(trial.id)) == (Status.FINISHED, [])
    assert away.where(plain_store, trial) == cluster
    away.fetch(plain_store, trial)
    assert away.where(plain_store, trial) is None
    assert plain_store.checkpoints(trial.id)[0].state, "with what a longer training needs"
    model = prediction.load(trial.id, plain_store)
    assert evaluation.evaluate(model.network, data.load().test).accuracy == trial.accuracy


def test_on_the_command_line(plain_store: Store, trial: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["clusters", "fetch", str(trial.number)]) == 0
    assert "is here now" in capsys.readouterr().out
    assert cli.main(["clusters", "fetch", str(trial.number)]) == 1
    assert "has no model on a cluster" in capsys.readouterr().err
    assert cli.main(["clusters", "fetch"]) == 2


def test_what_cannot_be_fetched_is_said(plain_store: Store, cluster: Cluster, trial: Run, tiny_config: TrainConfig) -> None:
    here = plain_store.create(tiny_config, device="cpu")
    assert away.where(plain_store, here) is None
    with pytest.raises(CheckpointError, match="has no model on a cluster"):
        away.fetch(plain_store, here)
    shutil.rmtree(cluster.storage)
    with pytest.raises(CheckpointError, match=r"Nothing of .* is left in"):
        away.fetch(plain_store, trial)
    assert plain_store.checkpoints(trial.id) == []


def test_a_damaged_file_there_does_not_become_a_model_here(plain_store: Store, cluster: Cluster, trial: Run) -> None:
    for weights in Path(cluster.storage).rglob("*.safetensors"):
        content = bytearray(weights.read_bytes())
        content[len(content) // 2] ^= 1
        weights.write_bytes(content)
    with pytest.raises(CheckpointError, match="damaged"):
        away.fetch(plain_store, trial)
    assert plain_store.checkpoints(trial.id) == []


def test_with_the_cluster_forgotten_there_is_nothing_to_fetch(plain_store: Store, cluster: Cluster, trial: Run) -> None:
    assert trial.sweep
    Sweeps(plain_store).change(trial.sweep, status=SweepStatus.FINISHED)
    Clusters(plain_store).remove(cluster)
    assert away.where(plain_store, trial) is None
    with pytest.raises(CheckpointError, match="has no model on a cluster"):
        away.fetch(plain_store, trial)
