"""What a relay writes into the run store: what a job on a cluster has said, each line of it once.

How many lines of a job are in the store stands in the row of its run or sweep, and changes in the transaction that writes what they
say: a relay that is killed at any moment and started again neither loses a point nor writes one twice.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fmnist import seal
from fmnist.database import CHECKPOINTS, EPOCHS, RUNS, STEPS, SWEEPS
from fmnist.dispatches import Begun, Crashed, Ended, Event, Kept
from fmnist.events import Epoch, Step
from fmnist.run import Checkpoint, Kind, Status
from fmnist.sittings import NO_SITTING, Sittings, in_status, result, storable, update

_OPEN = (Status.QUEUED, Status.RUNNING, Status.PAUSED)


class Postings(Sittings):
    """The time that a run, or a whole sweep, spends on a cluster."""

    def submitted(self, owner: str, job: str | None) -> None:
        """Write down under which name a run or a sweep is known on its cluster, before it is; None: it is not there any more."""
        with self._database.writing() as connection:
            for table in (RUNS, SWEEPS):
                connection.execute(sa.update(table).where(table.c.id == owner).values(job=job, job_seen=0 if job else None))

    def post(self, owner: str, seen: int, said: Sequence[tuple[str, Event]]) -> None:
        """Write down what a job has said, and that so many of its lines are written.

        Args:
            owner: the run or the sweep that the job belongs to.
            said: the id of a run, and what it said; what runs say that have ended meanwhile is passed over.
        """
        with self._database.writing() as connection:
            for table in (RUNS, SWEEPS):
                connection.execute(sa.update(table).where(table.c.id == owner).values(job_seen=seen))
            ids = {run_id for run_id, _ in said}
            rows = connection.execute(sa.select(RUNS.c.id, RUNS.c.status).where(RUNS.c.id.in_(ids)).with_for_update()).all()
            open_runs = {row.id for row in rows if row.status in _OPEN}
            figures: dict[str, list[Step | Epoch]] = {}
            for run_id, event in said:
                if run_id not in open_runs:
                    continue
                if isinstance(event, Step | Epoch):
                    figures.setdefault(run_id, []).append(event)
                    continue
                _write_figures(connection, {run_id: figures.pop(run_id, [])})
                self._post(connection, run_id, event)
                if isinstance(event, Ended):
                    open_runs.remove(run_id)
            _write_figures(connection, figures)

    def receive(self, run_id: str, found: Checkpoint) -> None:
        """Write down a checkpoint whose files are at home now, though its run ended before."""
        with self._database.writing() as connection:
            _keep(connection, run_id, Kept(found))

    def pause_trials(self, sweep_id: str) -> None:
        """The open trials of a sweep whose job was stopped wait for its next one."""
        self._close_trials(sweep_id, Status.PAUSED, "Its sweep is paused; it goes on from its last checkpoint with it.")

    def give_up_trials(self, sweep_id: str) -> None:
        """What a sweep that is over has not brought to an end."""
        self._close_trials(sweep_id, Status.CANCELLED, "Its sweep ended without it.")

    def _close_trials(self, sweep_id: str, status: Status, message: str) -> None:
        mine = sa.and_(RUNS.c.sweep == sweep_id, RUNS.c.status.in_(_OPEN), RUNS.c.status != status)
        with self._database.writing() as connection:
            for run_id in connection.execute(sa.select(RUNS.c.id).where(mine)).scalars().all():
                connection.execute(update(run_id, {"message": message, **NO_SITTING, **in_status(status)}))
                self._note(connection, run_id, Kind(status), message)

    # ---- inside ----------------------------------------------------------------------------------------------------------------

    def _post(self, connection: Connection, run_id: str, event: Event) -> None:
        if isinstance(event, Begun):
            self._begin(connection, run_id, event)
        elif isinstance(event, Kept):
            _keep(connection, run_id, event)
        elif isinstance(event, Crashed):
            self._note(connection, run_id, Kind.CRASHED, event.words)
        elif isinstance(event, Ended):
            self._end(connection, run_id, event)

    def _begin(self, connection: Connection, run_id: str, event: Begun) -> None:
        """What was told of later steps is made again; what was lost on the way is filled in."""
        run = self._row(connection, run_id)
        if run.status != Status.RUNNING:
            change = {"status": Status.RUNNING, "restarts": run.restarts + 1, "started": run.started or time.time()}
            connection.execute(update(run_id, change))
            self._note(connection, run_id, Kind.STARTED)
        self._rewind(connection, run_id, event.step, event.epoch, event.seconds)
        known = set(connection.execute(sa.select(EPOCHS.c.epoch).where(EPOCHS.c.run == run_id)).scalars())
        if lost := [epoch for epoch in event.epochs if epoch.epoch not in known]:
            connection.execute(sa.insert(EPOCHS), [{"run": run_id, **seal.sealed(asdict(epoch))} for epoch in lost])
        connection.execute(update(run_id, {"environment": json.dumps(event.environment), "message": None}))

    def _end(self, connection: Connection, run_id: str, event: Ended) -> None:
        change: dict[str, Any] = {"message": storable(event.message), **NO_SITTING, **in_status(event.status)}
        if event.accuracy is not None:
            change |= result(connection, run_id, event.accuracy, event.loss)
        self._note(connection, run_id, Kind(event.status), change["message"])
        connection.execute(update(run_id, change))


# One statement for hundreds of runs: at full rate each second has hundreds of them.
_REACHED = (
    sa.update(RUNS)
    .where(RUNS.c.id == sa.bindparam("run"))
    .values(step=sa.bindparam("at"), seconds=sa.bindparam("in"), images_per_second=sa.bindparam("pace"))
)
_FINISHED_EPOCH = sa.update(RUNS).where(RUNS.c.id == sa.bindparam("run")).values(epoch=sa.bindparam("done"), crashes=0)


def _write_figures(connection: Connection, figures: dict[str, list[Step | Epoch]]) -> None:
    """Points and epochs of some runs, and how far these are."""
    told = [(run_id, event) for run_id, events in figures.items() for event in events]
    for table, kind in ((STEPS, Step), (EPOCHS, Epoch)):
        if rows := [{"run": run_id, **seal.sealed(asdict(event))} for run_id, event in told if isinstance(event, kind)]:
            connection.execute(sa.insert(table), rows)
    last = [(run_id, events[-1]) for run_id, events in figures.items() if events]
    if last:
        rows = [{"run": run_id, "at": event.step, "in": event.seconds, "pace": event.images_per_second} for run_id, event in last]
        connection.execute(_REACHED, rows)
    if epochs := [{"run": run_id, "done": event.epoch} for run_id, event in told if isinstance(event, Epoch)]:
        connection.execute(_FINISHED_EPOCH, epochs)


def _keep(connection: Connection, run_id: str, event: Kept) -> None:
    """A checkpoint whose files are at home."""
    found = event.checkpoint
    connection.execute(sa.delete(CHECKPOINTS).where(CHECKPOINTS.c.run == run_id, CHECKPOINTS.c.step == found.step))
    connection.execute(sa.insert(CHECKPOINTS).values(run=run_id, **asdict(found)))
