"""A Ray cluster as a place that trains, over HTTP: nothing of Ray is needed on this machine."""

import getpass
import time
from collections.abc import Iterator

from fmnist.clusters import APP, OVER, Cluster, connect
from fmnist.dispatches import Batch, decode
from fmnist.engines.ray_job import ENTRYPOINT, VARIABLE, Job
from fmnist.errors import LostContact

WAIT_SECONDS = 0.5  # between two looks at a job that has not begun to print


class RayEngine:
    """The four verbs of `fmnist.engines.Engine`.

    Raises:
        ClusterError: from every verb, as `fmnist.jobs_api` says.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._api = connect(cluster)

    def submit(self, name: str, job: Job) -> None:
        self._api.version()  # a cluster that is too old says so before anything else
        metadata = {"app": APP, "user": getpass.getuser(), "owner": job.owner, "what": job.name}
        self._api.submit(name, ENTRYPOINT, {VARIABLE: job.to_json()}, metadata)

    def events(self, name: str, seen: int) -> Iterator[Batch]:
        while (job := self._api.job(name)) and job["status"] not in OVER:
            if job["status"] != "PENDING":
                try:
                    for batch in _unseen(self._api.output(name, job.get("driver_node_id") or ""), seen):
                        seen = batch.number
                        yield batch
                except LostContact:  # Ray ends a stream after five minutes, and falls silent when the job ends: does it still answer?
                    pass
            yield Batch(seen)
            time.sleep(WAIT_SECONDS)
        if job:
            yield from (batch for batch in _unseen(self._api.logs(name), seen) if batch.said)

    def status(self, name: str) -> str | None:
        job = self._api.job(name)
        return job["status"] if job else None

    def stop(self, name: str) -> None:
        self._api.stop(name)


def _unseen(lines: Iterator[str], seen: int) -> Iterator[Batch]:
    """The batches after the first `seen`; in the place of every other line of ours an empty one."""
    for line in lines:
        if (batch := decode(line)) is None:
            continue
        if batch.number > seen and batch.said:
            seen = batch.number
            yield batch
        elif not batch.said:
            yield Batch(seen)
