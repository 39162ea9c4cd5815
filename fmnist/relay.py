"""The process that follows a job on a cluster: `python -m fmnist.relay --run ID`, or `--sweep ID`.

It stands in the place of a worker: it holds the lock of its run, submits the job, writes what that says into the store, fetches the
models home, and obeys what a person asks. It may be killed at any moment: the job goes on, and the next relay reads on where it was.
"""

import argparse
import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from fmnist import sweeping
from fmnist.clusters import OVER, Cluster, Clusters
from fmnist.dispatches import Batch, Begun, Dispatch, Ended, Event, Kept, Proposed, key_of
from fmnist.engines import Engine
from fmnist.engines.ray import RayEngine
from fmnist.engines.ray_job import Job
from fmnist.errors import CheckpointError, ClusterError, FmnistError, LostContact, StoreError
from fmnist.events import Epoch, Step
from fmnist.home import run_folder
from fmnist.liveness import hold, run_lock, sweep_lock, this_process
from fmnist.run import Request, Run, Status
from fmnist.storage import Position, Storage
from fmnist.store import Store
from fmnist.sweep import Sweep, Sweeps, SweepStatus, Trial, token_of
from fmnist.worker import log_into, watch_lifeline

log = logging.getLogger("fmnist.relay")
PATIENCE = 30.0  # seconds for a job to end after it was asked to
GIVE_UP = 10.0  # seconds without contact after which a cancellation is not waited for any more
RETRY_SECONDS = (1.0, 2.0, 4.0, 8.0, 15.0)  # between attempts to get into contact again; the last one for ever
Watch = Callable[[Step | Epoch], None]


def main(arguments: list[str] | None = None) -> int:
    """Follow one job. Exit status 0 also when there was nothing to do."""
    parser = argparse.ArgumentParser(prog="python -m fmnist.relay", description="Follow the job of a run or a sweep on its cluster.")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--run", metavar="ID")
    what.add_argument("--sweep", metavar="ID")
    parser.add_argument("--lifeline", action="store_true", help="go, leaving the job to itself, when standard input ends")
    options = parser.parse_args(arguments)
    interrupted = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: interrupted.set())
    if options.lifeline:
        threading.Thread(target=watch_lifeline, args=(interrupted,), daemon=True).start()
    store = Store()
    if options.run:
        follow_run(store, store.get(options.run), interrupted, log_to_file=True)
    else:
        follow_sweep(store, Sweeps(store).get(options.sweep), interrupted, log_to_file=True)
    return 0


def follow_run(
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
        store.end(run.id, Status.FAILED, f"An unexpected error: {error}. The log of the run has the details.")


class _Line:
    """The connection to a job: it reads on where it was whenever it breaks, and says so."""

    def __init__(self, cluster: Cluster, engine: Engine, say: Callable[[str | None], None]) -> None:
        self.cluster, self.engine, self._say = cluster, engine, say
        self._lost_since: float | None = None

    @property
    def silent_for(self) -> float:
        """Seconds since the contact was lost; 0 when there is one."""
        return time.monotonic() - self._lost_since if self._lost_since is not None else 0.0

    def batches(self, job: str, seen: int) -> Iterator[Batch]:
        """What a job says; empty batches in between, and while nobody answers. It ends with the job."""
        while True:
            try:
                for batch in self.engine.events(job, seen):
                    self._in_contact()
                    seen = batch.number
                    yield batch
                return
            except LostContact as error:
                yield from self._wait(error, seen)

    def submit(self, name: str, job: Job) -> Iterator[Batch]:
        """Submit a job; an empty batch for each moment in which nobody answers."""
        while True:
            try:
                self.engine.submit(name, job)
            except LostContact as error:
                yield from self._wait(error, 0)
            else:
                return self._in_contact()

    def stop(self, job: str) -> bool:
        """End a job; True when it has ended."""
        give_up = time.monotonic() + PATIENCE
        while time.monotonic() < give_up:
            try:
                self.engine.stop(job)
                if self.engine.status(job) in (None, *OVER):
                    return True
            except LostContact as error:
                log.warning("%s", error)
                if time.monotonic() > give_up - PATIENCE + GIVE_UP:
                    return False
            time.sleep(0.25)
        return False

    def _in_contact(self) -> None:
        if self._lost_since is not None:
            log.info("in contact with %s again", self.cluster.name)
            self._say(None)
        self._lost_since = None

    def _wait(self, error: LostContact, seen: int) -> Iterator[Batch]:
        """Empty batches for as long as is waited until the next attempt."""
        if self._lost_since is None:
            log.warning("%s", error)
            self._lost_since, self._attempts = time.monotonic(), 0
            self._say(f"Lost contact with {self.cluster.name}, trying again… {error}")
        pause = RETRY_SECONDS[min(self._attempts, len(RETRY_SECONDS) - 1)]
        self._attempts += 1
        until = time.monotonic() + pause
        while time.monotonic() < until:
            yield Batch(seen)
            time.sleep(0.25)


class _RunRelay:
    """One run, from its claim until this process has nothing more to do with it."""

    def __init__(self, store: Store, run: Run, interrupted: threading.Event, then: Status, watch: Watch) -> None:
        assert run.placement.cluster
        self._store, self._run, self._interrupted, self._then, self._watch = store, run, interrupted, then, watch
        self._cluster = Clusters(store).get(run.placement.cluster)
        self._line = _Line(self._cluster, RayEngine(self._cluster), lambda words: store.describe(run.id, message=words))
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


def follow_sweep(
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
            _wait(store, sweep, f"An unexpected error: {error}. The log of the sweep has the details.")
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
        self._line = _Line(self._cluster, RayEngine(self._cluster), lambda words: self._change(message=words))
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


if __name__ == "__main__":
    sys.exit(main())
