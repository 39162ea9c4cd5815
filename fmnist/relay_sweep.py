"""One sweep on a cluster, followed from here: its trials become runs as they are proposed, and the best of them has its model at home."""

import logging
import threading
import time
from collections.abc import Callable, Iterator

from fmnist import sweeping
from fmnist.clusters import Clusters
from fmnist.dispatches import Batch, Dispatch, Ended, Event, Kept, Proposed, key_of
from fmnist.engines.ray import RayEngine
from fmnist.engines.ray_job import Job
from fmnist.errors import ClusterError, FmnistError, StoreError, reason
from fmnist.home import run_folder
from fmnist.job_line import JobLine
from fmnist.liveness import hold, sweep_lock
from fmnist.run import Status
from fmnist.storage import Storage
from fmnist.store import Store
from fmnist.sweep import Sweep, Sweeps, SweepStatus, Trial, token_of
from fmnist.worker import log_into

log = logging.getLogger("fmnist.relay")


def follow(
    store: Store,
    sweep: Sweep,
    interrupted: threading.Event,
    *,
    then: SweepStatus = SweepStatus.RUNNING,
    tell: Callable[[Trial], None] | None = None,
    log_to_file: bool = False,
) -> Sweep:
    """Follow a running sweep of a cluster to its end, or until somebody wants it to stop.

    Args:
        interrupted: set when this process has to go.
        then: what becomes of the sweep then: running leaves the job on the cluster to itself, paused stops it.
        tell: sees each trial that has ended.

    Returns:
        The sweep as it is then.
    """
    with hold(sweep_lock(sweep.id)) as mine:
        sweep = Sweeps(store).get(sweep.id)
        if not mine or sweep.status != SweepStatus.RUNNING:
            return sweep
        if log_to_file:
            log_into(sweep_lock(sweep.id).with_suffix(".log"))
        try:
            _SweepRelay(store, sweep, interrupted, then, tell).follow()
        except FmnistError as error:
            log.error("%s", error)
            _wait(store, sweep, f"{error} Resume when that is mended.")
        except Exception as error:  # the edge of the process
            log.exception("the relay failed")
            _wait(store, sweep, f"An unexpected error: {reason(error)}. The log of the sweep has the details.")
    return Sweeps(store).get(sweep.id)


def _wait(store: Store, sweep: Sweep, message: str) -> None:
    store.pause_trials(sweep.id)
    Sweeps(store).change(sweep.id, status=SweepStatus.PAUSED, message=message)


class _SweepRelay:
    """One sweep, whose trials become runs as they are proposed."""

    def __init__(
        self, store: Store, sweep: Sweep, interrupted: threading.Event, then: SweepStatus, tell: Callable[[Trial], None] | None
    ) -> None:
        assert sweep.placement.cluster
        self._store, self._sweeps, self._sweep = store, Sweeps(store), sweep
        self._interrupted, self._then, self._tell = interrupted, then, tell
        self._cluster = Clusters(store).get(sweep.placement.cluster)
        self._line = JobLine(self._cluster, RayEngine(self._cluster), lambda words: self._change(message=words))
        self._failed = False  # a trial did, since it was last looked whether all do
        self._runs = {key_of(trial.run.config): trial.run.id for trial in self._sweeps.trials(sweep.id) if trial.run.config}
        self._best = max((trial.accuracy or 0.0 for trial in self._sweeps.trials(sweep.id) if trial.complete), default=0.0)

    def follow(self) -> None:
        sweep = self._sweep
        if sweep.spec is None:
            raise StoreError(f"What {sweep.name} searches cannot be read; a newer version of the studio may have made it.")
        if sweep.job and self._read(sweep.job, sweep.job_seen or 0):
            return
        job = f"fmnist-{sweep.id[:12]}-{int(time.time())}"
        self._lay_out()
        self._store.submitted(sweep.id, job)
        asked = Job(sweep.id, sweep.name, self._cluster.storage, sweep.placement, sweep=sweep.spec.model_dump(mode="json"))
        for _ in self._line.submit(job, asked):
            if self._is_told_to_go(job):
                return
        if not self._read(job, 0):
            self._store.submitted(sweep.id, None)
            status = self._line.engine.status(job)
            raise ClusterError(f"Its job {job} on {self._cluster.name} ended without a result ({status or 'it is unknown there'}).")

    def _lay_out(self) -> None:
        """Tell the cluster what was tried already."""
        from fmnist.engines.known import Known, write_known

        known = [
            Known(trial.run.config.model_dump(), trial.run.status.value, tuple(epoch.accuracy for epoch in trial.epochs))
            for trial in self._sweeps.trials(self._sweep.id)
            if trial.run.config
        ]
        write_known(Storage(self._cluster.storage, self._sweep.id), known)

    def _read(self, job: str, seen: int) -> bool:
        """Write down what a job says; False when it is over and has not said how the search ended."""
        for batch in self._line.batches(job, seen):
            if batch.said and (ended := self._write(batch)):
                self._end(job, ended)
                return True
            if self._is_told_to_go(job):
                return True
        return False

    def _write(self, batch: Batch) -> Ended | None:
        """Post a batch; returns the end of the whole search, if it is in it."""
        for dispatch in batch.said:
            if isinstance(dispatch.event, Proposed) and dispatch.key not in self._runs:
                self._runs[dispatch.key] = self._make(dispatch.event)
        said = [pair for dispatch in batch.said if dispatch.key in self._runs for pair in self._at_home(dispatch)]
        self._store.post(self._sweep.id, batch.number, said)
        over = {run_id: event.status for run_id, event in said if isinstance(event, Ended)}
        self._failed |= Status.FAILED in over.values()
        if over and self._tell:
            for trial in self._sweeps.trials(self._sweep.id):
                if trial.run.id in over:
                    self._tell(trial)
        return next((each.event for each in batch.said if not each.key and isinstance(each.event, Ended)), None)

    def _make(self, event: Proposed) -> str:
        """The run is made first and counted then: killed in between, it is made again, which its token turns into the first one."""
        number = self._sweeps.get(self._sweep.id).proposed + 1
        sweep = self._sweep
        run = self._store.create(
            event.config,
            device=sweep.device,
            name=f"{sweep.name} #{number}",
            token=token_of(sweep.id, number),
            sweep=sweep.id,
            placement=sweep.placement,
        )
        self._sweeps.count(sweep.id, number)
        return run.id

    def _at_home(self, dispatch: Dispatch) -> Iterator[tuple[str, Event]]:
        """What a trial said; with its model, when that is the best one so far."""
        run_id, event = self._runs[dispatch.key], dispatch.event
        if isinstance(event, Kept | Proposed):
            return
        if isinstance(event, Ended) and event.status == Status.FINISHED:
            storage = Storage(self._cluster.storage, self._sweep.id, dispatch.key)
            if (position := storage.newest()) and position.epochs[-1].accuracy > self._best:
                self._best = position.epochs[-1].accuracy
                yield run_id, Kept(storage.fetch(position.checkpoint, run_folder(run_id) / "checkpoints", state=True))
        yield run_id, event

    def _is_told_to_go(self, job: str) -> bool:
        status = self._sweeps.get(self._sweep.id).status
        if status == SweepStatus.RUNNING and not self._interrupted.is_set():
            return self._is_failing(job)
        if status == SweepStatus.RUNNING and self._then == SweepStatus.RUNNING:
            return True  # the job goes on by itself
        self._stop(job)
        self._change(status=SweepStatus.PAUSED)
        return True

    def _is_failing(self, job: str) -> bool:
        """Whether trial after trial failed, so that the search waits for a person."""
        why = sweeping.failing(self._sweep, self._sweeps.trials(self._sweep.id)) if self._failed else None
        self._failed = False
        if why:
            self._stop(job)
            self._change(status=SweepStatus.PAUSED, message=why)
        return bool(why)

    def _stop(self, job: str) -> None:
        if not self._line.stop(job):
            raise ClusterError(f"{self._cluster.name} did not answer, so the job {job} may still be at work there.")
        for batch in self._line.engine.events(job, self._sweeps.get(self._sweep.id).job_seen or 0):
            if batch.said:
                self._write(batch)
        self._store.submitted(self._sweep.id, None)
        self._store.pause_trials(self._sweep.id)

    def _end(self, job: str, ended: Ended) -> None:
        self._store.submitted(self._sweep.id, None)
        if ended.status == Status.FINISHED:
            self._store.give_up_trials(self._sweep.id)
            self._change(status=SweepStatus.FINISHED, message=None)
        else:
            _wait(self._store, self._sweep, ended.message or "The search failed on its cluster.")

    def _change(self, **values: object) -> None:
        self._sweeps.change(self._sweep.id, **values)
