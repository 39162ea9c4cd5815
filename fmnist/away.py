"""The model of a trial that was never the best of its sweep: it stays in the storage of the cluster until somebody wants it here."""

from fmnist.clusters import Cluster, Clusters
from fmnist.dispatches import key_of
from fmnist.errors import CheckpointError
from fmnist.home import run_folder
from fmnist.run import Checkpoint, Run
from fmnist.store import Store


def where(store: Store, run: Run) -> Cluster | None:
    """The cluster in whose storage the model of a run may lie.

    Returns:
        None if it is here, if there is none yet, if it is still trained, or if the cluster is not known any more.
    """
    if not run.placement.cluster or not run.sweep or not run.status.ended or run.epoch == 0 or store.checkpoints(run.id):
        return None
    return next((cluster for cluster in Clusters(store).list() if cluster.id == run.placement.cluster), None)


def fetch(store: Store, run: Run) -> Checkpoint:
    """Bring the newest checkpoint of a trial home, whole and with its hash.

    Raises:
        CheckpointError: it is not on a cluster that is known here, the storage cannot be reached, or has nothing of it.
    """
    from fmnist.storage import Storage  # with PyArrow

    cluster = where(store, run)
    if cluster is None or run.sweep is None or run.config is None:
        raise CheckpointError(f"{run.name} has no model on a cluster that could be brought here.")
    storage = Storage(cluster.storage, run.sweep, key_of(run.config))
    position = storage.newest()
    if position is None:
        raise CheckpointError(f"Nothing of {run.name} is left in {storage}.")
    found = storage.fetch(position.checkpoint, run_folder(run.id) / "checkpoints", state=True)
    store.receive(run.id, found)
    return found
