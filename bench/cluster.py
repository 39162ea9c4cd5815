"""What a cluster costs on top of the training itself: how late its figures are here, and what Ray takes for each trial.

A real cluster of two nodes on this machine. The lag is from the moment a node has written the weights of an epoch into the storage to the
moment the epoch is in the store at home: the longest way, since the points of the curve wait for no file.
"""

import os
import tempfile
import time
from contextlib import closing
from pathlib import Path
from statistics import median, quantiles
from typing import Any
from unittest.mock import patch

from fmnist import search_space, sweeping
from fmnist.clusters import Cluster, Clusters
from fmnist.config import TrainConfig
from fmnist.engines.local import Supervisor
from fmnist.home import data_folder
from fmnist.placement import Placement
from fmnist.run import Status
from fmnist.store import Store
from fmnist.sweep import Sweeps, SweepStatus, parse_spec
from fmnist.trial_cluster import running

EPOCHS, TRIALS = 40, 12
CONFIG = TrainConfig(
    network="small", epochs=EPOCHS, batch_size=32, train_size=3_000, validation_size=500, device="cpu", precision="float32"
)
TINY = CONFIG.model_copy(update={"network": "linear", "epochs": 1, "train_size": 600})
PATIENCE = 600.0  # seconds


def run() -> dict[str, Any]:
    variables = {"FMNIST_HOME": str(data_folder().parent), "OMP_NUM_THREADS": "1"}
    with (
        tempfile.TemporaryDirectory() as folder,
        patch.dict(os.environ, {"FMNIST_HOME": folder}),
        closing(Store()) as store,
        running(Path(folder) / "cluster", extra=variables) as nodes,
    ):
        nodes.add_node()
        nodes.wait(2)
        cluster = Clusters(store).add("bench", nodes.address, str(nodes.storage), token_file=nodes.token_file)
        supervisor = Supervisor(store)
        supervisor.start()
        try:
            lags = sorted(_lags(store, cluster))
            trials = _trials(store, cluster)
        finally:
            supervisor.close()
    p95 = quantiles(lags, n=20, method="inclusive")[-1]
    print(f"an epoch is at home {median(lags):.2f} s after its weights are in the storage (p95 {p95:.2f}, slowest {lags[-1]:.2f})")  # noqa: T201
    for name, value in trials.items():
        print(f"{name.replace('_', ' '):<28} {value:.2f}")  # noqa: T201
    return {"epochs": len(lags), "lag_seconds": {"median": median(lags), "p95": p95, "slowest": lags[-1]}, "trials": TRIALS, **trials}


def _lags(store: Store, cluster: Cluster) -> list[float]:
    """Seconds for each epoch of one training."""
    run = store.create(CONFIG, device="cpu", placement=Placement(cluster.id))
    seen: dict[int, float] = {}
    give_up = time.monotonic() + PATIENCE
    while len(seen) < EPOCHS:
        now = time.time()
        seen |= {epoch.epoch: now for epoch in store.epochs(run.id) if epoch.epoch not in seen}
        if time.monotonic() > give_up:
            raise TimeoutError(f"{run.name} has not ended: {store.get(run.id).message}")
        time.sleep(0.02)
    written = {found.epoch: (Path(cluster.storage) / run.id / found.weights).stat().st_mtime for found in store.checkpoints(run.id)}
    return [seen[epoch] - written[epoch] for epoch in seen]


def _trials(store: Store, cluster: Cluster) -> dict[str, float]:
    """Seconds of a sweep whose trials train next to nothing, so that what is left is what each costs."""
    space = {"learning_rate": search_space.parse_domain("learning_rate", "1e-4..1e-2:log")}
    spec = parse_spec({"base": TINY, "space": space, "trials": TRIALS, "sampler": "random", "halving": False})
    begun = time.monotonic()
    sweep = sweeping.begin(store, spec, device="cpu", placement=Placement(cluster.id))
    ended: list[float] = []
    while Sweeps(store).get(sweep.id).status == SweepStatus.RUNNING:
        over = sum(trial.run.status == Status.FINISHED for trial in Sweeps(store).trials(sweep.id))
        ended += [time.monotonic()] * (over - len(ended))
        if time.monotonic() > begun + PATIENCE:
            raise TimeoutError(f"{sweep.name} has not ended: {Sweeps(store).get(sweep.id).message}")
        time.sleep(0.05)
    trained = [trial.epochs[-1].seconds for trial in Sweeps(store).trials(sweep.id) if trial.epochs]
    return {
        "first_trial_seconds": ended[0] - begun,
        "seconds_a_trial_on_two": (ended[-1] - ended[0]) / (len(ended) - 1) * 2,
        "of_which_training": median(trained),
        "whole_sweep_seconds": time.monotonic() - begun,
    }
