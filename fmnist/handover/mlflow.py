"""A run as a run of an MLflow server that somebody has already. An extra, and only ever by command: docs/decisions/0019."""

import os
from collections.abc import Iterator
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from fmnist.errors import ReportError
from fmnist.handover import metrics
from fmnist.run import Run, Status
from fmnist.store import Store

NO_MLFLOW = "Writing to MLflow needs mlflow-skinny, which is not installed. To have it: pip install -r requirements-mlflow.txt"
EXPERIMENT = "Fashion-MNIST studio"
AT_ONCE = 1000  # figures in a request, the most that MLflow takes
MOST_LETTERS = 500  # of a parameter or a tag: what its database of tags holds in every version
ENDS = {Status.FINISHED: "FINISHED", Status.STOPPED: "FINISHED", Status.FAILED: "FAILED", Status.DIVERGED: "FAILED"}
SETTINGS = {  # before it is imported: it sends nothing to anybody else, and does not try for minutes
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}


def write(store: Store, run: Run, out: str) -> str:
    """Write a run to the MLflow server at the address `out`; returns the address of the run there.

    Raises:
        ReportError: mlflow is not installed, `out` is no address, the server does not answer or refuses, or has this run already.
    """
    address = _address(out)
    os.environ.update(SETTINGS)
    try:
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
    except ImportError as error:
        raise ReportError(NO_MLFLOW) from error
    try:
        return f"{address}/#/experiments/{_send(MlflowClient(out), store, run)}"
    except MlflowException as error:
        secret = urlsplit(out).netloc.rpartition("@")[0]
        reason = " ".join(str(error).split()).replace(f"{secret}@", "")[:200]
        raise ReportError(
            f"The MLflow server at {address} does not take the run: {reason}. Check its address, and that it runs."
        ) from error


def _address(out: str) -> str:
    """The address as it may be shown: without a password."""
    parts = urlsplit(out)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ReportError(f"{out[:80]!r} is not the address of an MLflow server, such as http://127.0.0.1:5000.")
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"


def _send(client: Any, store: Store, run: Run) -> str:
    """All of a run; returns what its address ends in."""
    experiment = _experiment(client)
    if client.search_runs([experiment], f"tags.`studio.run` = '{run.id}'", max_results=1):
        raise ReportError(f"{run.name} is on this server already. Delete it there to write it again.")
    begun = run.started or run.created
    tags = {"studio.run": run.id, "mlflow.note.content": run.note, **{f"studio.{name}": str(value) for name, value in _facts(run).items()}}
    made = client.create_run(experiment, round(begun * 1000), {name: text[:MOST_LETTERS] for name, text in tags.items()}, run.name)
    client.log_batch(made.info.run_id, params=_params(run))
    for some in _batches(store, run, begun):
        client.log_batch(made.info.run_id, metrics=some)
    client.set_terminated(made.info.run_id, ENDS.get(run.status, "KILLED"), round((run.ended or begun + run.seconds) * 1000))
    return f"{experiment}/runs/{made.info.run_id}"


def _experiment(client: Any) -> str:
    found = client.get_experiment_by_name(EXPERIMENT)
    return found.experiment_id if found else client.create_experiment(EXPERIMENT)


def _params(run: Run) -> list[Any]:
    from mlflow.entities import Param

    return [Param(name, str(value)) for name, value in run.config.model_dump().items()] if run.config else []


def _facts(run: Run) -> dict[str, Any]:
    return {"status": run.status.value, "tags": ", ".join(run.tags), **run.environment}


def _batches(store: Store, run: Run, begun: float) -> Iterator[list[Any]]:
    from mlflow.entities import Metric

    found = iter(metrics.scalars(store.steps(run.id), store.epochs(run.id), run))
    while some := list(islice(found, AT_ONCE)):
        yield [Metric(each.name, each.value, round((begun + each.seconds) * 1000), each.step) for each in some]
