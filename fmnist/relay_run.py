"""One run on a cluster, followed from here: submitted, written down as its job tells it, its models fetched, its person obeyed."""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from fmnist.clusters import Clusters
from fmnist.dispatches import Begun, Dispatch, Ended, Event, Kept
from fmnist.engines.ray import RayEngine
from fmnist.engines.ray_job import Job
from fmnist.errors import CheckpointError, FmnistError, StoreError, reason
from fmnist.events import Epoch, Step
from fmnist.home import run_folder
from fmnist.job_line import JobLine
from fmnist.liveness import hold, run_lock, this_process
from fmnist.run import Request, Run, Status
from fmnist.storage import Position, Storage
from fmnist.store import Store
from fmnist.worker import log_into

log = logging.getLogger("fmnist.relay")
Watch = Callable[[Step | Epoch], None]


def follow(
    store: Store,
    run: Run,
    interrupted: threading.Event,
    *,
    then: Status = Status.QUEUED,
    watch: Watch = lambda event: None,
    log_to_file: bool = False,
) -> Run:
    """Claim a waiting run of a cluster and follow it to its end, or until somebody wants it to stop.

    Args:
        interrupted: set when this process has to go.
        then: what becomes of the run then: queued leaves the job on the cluster to itself, paused stops it.
        watch: sees every point and epoch, after it was recorded.

    Returns:
        The run as it is then.
    """
    with hold(run_lock(run.id)) as mine:
        claimed = store.claim(run.device, this_process(), run.id, cluster=run.placement.cluster) if mine else None
        if claimed is None:
            return store.get(run.id)
        if log_to_file:
            log_into(run_folder(run.id) / "worker.log")
        with _named_end(store, claimed):
            _RunRelay(store, claimed, interrupted, then, watch).follow()
    return store.get(run.id)


@contextmanager
def _named_end(store: Store, run: Run) -> Iterator[None]:
    """Every way in which this can fail, as a status and a sentence: what a person can mend waits for that."""
    try:
        yield
    except FmnistError as error:
        log.error("%s", error)
        if store.get(run.id).status == Status.RUNNING:
            store.end(run.id, Status.PAUSED, f"{error} Resume when that is mended.")
    except Exception as error:  # the edge of the process
        log.exception("the relay failed")
        store.end(run.id, Status.FAILED, f"An unexpected error: {reason(error)}. The log of the run has the details.")


class _RunRelay:
    """One run, from its claim until this process has nothing more to do with it."""

    def __init__(self, store: Store, run: Run, interrupted: threading.Event, then: Status, watch: Watch) -> None:
        assert run.placement.cluster
        self._store, self._run, self._interrupted, self._then, self._watch = store, run, interrupted, then, watch
        self._cluster = Clusters(store).get(run.placement.cluster)
        self._line = JobLine(self._cluster, RayEngine(self._cluster), lambda words: store.describe(run.id, message=words))
        self._storage = Storage(self._cluster.storage, run.id)

    def follow(self) -> None:
        run = self._run
        if run.config is None:
            raise StoreError(run.damage or "The config of this run is damaged.")
        self._store.describe(run.id, message=f"Waiting for {self._cluster.name}…")
        if run.job and self._read(run.job, run.job_seen or 0):
            return
        job = f"fmnist-{run.id[:12]}-{run.restarts}"
        self._store.submitted(run.id, job)
        asked = Job(run.id, run.name, self._cluster.storage, run.placement, run=run.config.model_dump())
        for _ in self._line.submit(job, asked):
            if self._is_told_to_go(job):
                return
        if not self._read(job, 0):
            self._ended_by_itself(job)

    def _read(self, job: str, seen: int) -> bool:
        """Write down what a job says; False when it is over and has not said how its training ended."""
        for batch in self._line.batches(job, seen):
            if batch.said:
                said = [(self._run.id, event) for event in self._at_home(batch.said)]
                self._store.post(self._run.id, batch.number, said)
                for _, event in said:
                    if isinstance(event, Step | Epoch):
                        self._watch(event)
                if any(isinstance(event, Ended) for _, event in said):
                    return True
            if self._is_told_to_go(job):
                return True
        return False

    def _at_home(self, said: Sequence[Dispatch]) -> Iterator[Event]:
        """What was said, with checkpoints only when their files are here; at the end with the state that a longer training needs."""
        for event in (dispatch.event for dispatch in said):
            if isinstance(event, Kept):
                if fetched := self._fetched(event):
                    yield fetched
            elif isinstance(event, Ended) and event.status == Status.FINISHED:
                yield self._whole(self._position())
                yield event
            else:
                yield event

    def _fetched(self, event: Kept) -> Kept | None:
        """The weights of an epoch; None when they cannot be had, which the end will say if it matters."""
        try:
            return Kept(self._storage.fetch(event.checkpoint, run_folder(self._run.id) / "checkpoints", state=False))
        except CheckpointError as error:
            log.warning("%s", error)
            return None

    def _position(self) -> Position:
        """How far the training is, in the storage.

        Raises:
            CheckpointError: nothing is there.
        """
        position = self._storage.newest()
        if position is None:
            raise CheckpointError(
                f"No checkpoint is in {self._storage} as this machine sees it. The storage of {self._cluster.name} must be one folder "
                "for all its nodes and this machine."
            )
        return position

    def _whole(self, position: Position) -> Kept:
        """Its checkpoint at home, with what a resumed training needs.

        Raises:
            CheckpointError: it cannot be had.
        """
        return Kept(self._storage.fetch(position.checkpoint, run_folder(self._run.id) / "checkpoints", state=True))

    def _is_told_to_go(self, job: str) -> bool:
        """Obey a person, or the end of the process that has started this one."""
        run = self._store.get(self._run.id)
        if run.status != Status.RUNNING:
            raise StoreError(f"This run was taken away from its relay: it is {run.status.value} now.")
        if run.request is None and self._interrupted.is_set() and self._then == Status.QUEUED:
            self._store.end(run.id, Status.QUEUED, f"It goes on on {self._cluster.name}, and is followed again when the dashboard runs.")
            return True
        if run.request is None and not self._interrupted.is_set():
            return False
        self._stop(job, run.request or Request.PAUSE)
        return True

    def _stop(self, job: str, request: Request) -> None:
        self._store.describe(self._run.id, message=f"Stopping its job on {self._cluster.name}…")
        if not self._line.stop(job):
            words = f"{self._cluster.name} did not answer, so its job {job} may still be at work there. Stop it on the Clusters page."
            self._store.end(self._run.id, {Request.CANCEL: Status.CANCELLED}.get(request, Status.PAUSED), words)
            return
        self._read_the_rest(job)
        self._store.submitted(self._run.id, None)
        if self._store.get(self._run.id).status != Status.RUNNING:  # it had ended before it was asked to
            return
        if request == Request.STOP and self._storage.newest():
            self._judge_here()
        else:
            ends = {Request.PAUSE: Status.PAUSED, Request.STOP: Status.CANCELLED, Request.CANCEL: Status.CANCELLED}
            self._store.end(self._run.id, ends[request])

    def _read_the_rest(self, job: str) -> None:
        for batch in self._line.engine.events(job, self._store.get(self._run.id).job_seen or 0):
            if batch.said:
                self._store.post(self._run.id, batch.number, [(self._run.id, event) for event in self._at_home(batch.said)])

    def _judge_here(self) -> None:
        """A training that a person stops is judged on the test images at home: its job is gone."""
        from fmnist import checkpoint, data, evaluation

        self._store.describe(self._run.id, message="Evaluating on the 10,000 test images…")
        position, run = self._position(), self._store.get(self._run.id)
        kept, run_id = self._whole(position), run.id
        found = kept.checkpoint
        # What the job had kept, but not said any more when it was stopped, is filled in from the storage.
        rewound = Begun(found.step, found.epoch, run.seconds, run.environment, position.epochs)
        self._store.post(run_id, 0, [(run_id, rewound), (run_id, kept)])
        model, _ = checkpoint.load_weights(run_folder(run_id) / "checkpoints" / found.weights, found.weights_sha256)
        report = evaluation.evaluate(model, data.load().test)
        self._store.end(run_id, Status.STOPPED, accuracy=report.accuracy, loss=report.loss)

    def _ended_by_itself(self, job: str) -> None:
        """The driver is gone without a word: somebody has stopped it, or it broke."""
        status = self._line.engine.status(job)
        self._store.submitted(self._run.id, None)
        if status == "STOPPED":
            self._store.end(self._run.id, Status.PAUSED, f"Its job was stopped on {self._cluster.name}. Resume to go on.")
        else:
            words = f"Its job on {self._cluster.name} ended without a result ({status or 'it is unknown there'})."
            self._store.end(self._run.id, Status.FAILED, f"{words} The output of {job} there says more; resume to try again.")
