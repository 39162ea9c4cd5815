"""What a worker writes into the run store: a run claimed, its curve and checkpoints, how its sitting ended."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fmnist import exactness, seal
from fmnist.database import CHECKPOINTS, EPOCHS, HAPPENINGS, RUNS, SITTINGS, STEPS
from fmnist.errors import StoreError
from fmnist.events import Epoch, Step
from fmnist.exactness import Sitting
from fmnist.ledger import WAITING, Ledger, unknown
from fmnist.run import Checkpoint, Kind, Process, Request, Run, Status, from_row, process_of

RESTART_LIMIT = 3  # crashes in a row without a new checkpoint, after which a run is given up


class Sittings(Ledger):
    """The time that a run spends in a process: begun by a claim, closed by an end."""

    def claim(self, device: str, process: Process, run_id: str | None = None, *, cluster: str | None = None) -> Run | None:
        """Take the next waiting run of a device (or that one run), each by exactly one caller; None when nothing waits.

        Args:
            cluster: the one that the run is for; this machine if None.
        """
        waiting = sa.select(RUNS.c.id).where(WAITING, RUNS.c.device == device, RUNS.c.cluster.is_not_distinct_from(cluster))
        if run_id:
            waiting = waiting.where(RUNS.c.id == run_id)
        waiting = waiting.order_by(RUNS.c.position).limit(1).with_for_update(skip_locked=True)
        with self._database.writing() as connection:
            row = connection.execute(
                sa.update(RUNS)
                .where(RUNS.c.id == waiting.scalar_subquery(), RUNS.c.status == Status.QUEUED)
                .values(
                    status=Status.RUNNING,
                    request=None,
                    message=None,
                    pid=process.pid,
                    pid_started=process.started,
                    host=process.host,
                    restarts=RUNS.c.restarts + 1,
                    started=sa.func.coalesce(RUNS.c.started, time.time()),
                )
                .returning(RUNS)
            )
            found = row.mappings().first()
            if found:
                self._note(connection, found["id"], Kind.STARTED)
            return from_row(found) if found else None

    def record(self, run_id: str, steps: Sequence[Step], *, preview: dict[str, Any] | None = None) -> Request | float | None:
        """Write points of the curve; returns what a person has asked for since: to end the sitting, or a factor for the learning rate.

        Raises:
            StoreError: the run was deleted, or is not running any more.
        """
        change: dict[str, Any] = {}
        if preview is not None:
            change["preview"] = json.dumps(preview, allow_nan=False)
        if steps:
            last = steps[-1]
            change |= {"step": last.step, "seconds": last.seconds, "images_per_second": last.images_per_second}
        with self._database.writing() as connection:
            run = self._row(connection, run_id)
            if run.status != Status.RUNNING:
                raise StoreError(f"This run was taken away from its worker: it is {run.status.value} now.")
            if steps:
                connection.execute(sa.insert(STEPS), [{"run": run_id, **seal.sealed(asdict(step))} for step in steps])
            if change:
                connection.execute(sa.update(RUNS).where(RUNS.c.id == run_id).values(**change))
        return run.request or run.rate_request

    def change_rate(self, run_id: str, step: int, factor: float) -> tuple[tuple[int, float], ...]:
        """Take over what was asked: from the step `step` on (0 = the first) the schedule times the factor.

        To be told before that step is made: a training that is killed after it makes it again in the same way.

        Returns:
            All changes of the run, by step: a change that lay further on, before a rewind, is given up for this one.
        """
        with self._database.writing() as connection:
            run = self._row(connection, run_id)
            changes = *(change for change in run.rate_changes if change[0] < step), (step, factor)
            still_open = None if run.rate_request == factor else run.rate_request
            connection.execute(update(run_id, {"rate_changes": json.dumps(changes), "rate_request": still_open}))
            to = f"to {run.config.learning_rate * factor:.4g}: " if run.config else ""
            self._note(connection, run_id, Kind.RATE, f"{to}the schedule times {factor:.4g}", step)
        return changes

    def commit(
        self, run_id: str, checkpoint: Checkpoint, epoch: Epoch | None = None, seconds: float | None = None, verdict: str | None = None
    ) -> None:
        """Make a checkpoint, whose files are on the disk already, the one that the run goes on from; with it an epoch's figures.

        Args:
            verdict: why its sweep stops it here; written down with the epoch, so that it holds whenever the process is killed.
        """
        with self._database.writing() as connection:
            connection.execute(sa.delete(CHECKPOINTS).where(CHECKPOINTS.c.run == run_id, CHECKPOINTS.c.step == checkpoint.step))
            connection.execute(sa.insert(CHECKPOINTS).values(run=run_id, **asdict(checkpoint)))
            change: dict[str, Any] = {"step": checkpoint.step, "epoch": checkpoint.epoch, "crashes": 0}
            if seconds is not None:
                change["seconds"] = seconds
            if epoch:
                connection.execute(sa.insert(EPOCHS).values(run=run_id, **seal.sealed(asdict(epoch))))
                change |= {"seconds": epoch.seconds, "images_per_second": epoch.images_per_second}
            if verdict:
                change |= {"request": Request.STOP, "message": verdict}
            connection.execute(sa.update(RUNS).where(RUNS.c.id == run_id).values(**change))

    def drop_states(self, run_id: str, before: int) -> list[str]:
        """Forget the resume states of checkpoints before a step, keeping their weights; returns the file names to remove."""
        old = sa.and_(CHECKPOINTS.c.run == run_id, CHECKPOINTS.c.step < before, CHECKPOINTS.c.state.is_not(None))
        with self._database.writing() as connection:
            names = list(connection.execute(sa.select(CHECKPOINTS.c.state).where(old)).scalars())
            connection.execute(sa.update(CHECKPOINTS).where(old).values(state=None, state_sha256=None))
        return names

    def rewind(self, run_id: str, step: int, epoch: int, seconds: float) -> None:
        """Forget every point and epoch after a checkpoint, before training goes on from it.

        What was changed at a later step stays: the training comes there again, and shall be the same.
        """
        with self._database.writing() as connection:
            self._rewind(connection, run_id, step, epoch, seconds)

    def describe(self, run_id: str, *, message: str | None = None, environment: dict[str, Any] | None = None) -> None:
        """Say what a run does right now, or where it runs."""
        change: dict[str, Any] = {"message": message}
        if environment is not None:
            change["environment"] = json.dumps(environment, allow_nan=False)
        self._change(run_id, **change)

    def settle(self, run_id: str, environment: dict[str, Any]) -> str | None:
        """Say where and with what a sitting computes, from the step on that the run has reached.

        Returns:
            What of it is not as it was before, which is then an event of the run; None if the run goes on exactly.
        """
        stored = json.dumps(environment, allow_nan=False)
        with self._database.writing() as connection:
            run, sittings = self._row(connection, run_id), self._sittings(connection, run_id)
            if run.step and not sittings:  # begun by an earlier version, which kept the last environment alone
                sittings = [Sitting(0, run.environment)]
                connection.execute(sa.insert(SITTINGS).values(run=run_id, step=0, environment=json.dumps(run.environment)))
            connection.execute(sa.insert(SITTINGS).values(run=run_id, step=run.step, environment=stored))
            sittings.append(Sitting(run.step, environment))
            if changed := exactness.change(sittings):
                self._note(connection, run_id, Kind.INEXACT, f"Not exact: it goes on {changed}")
            inexact = exactness.sentence(sittings)
            connection.execute(update(run_id, {"message": None, "environment": stored, "inexact": inexact}))
        return changed

    def end(
        self, run_id: str, status: Status, message: str | None = None, *, accuracy: float | None = None, loss: float | None = None
    ) -> None:
        """Close a sitting: the run is over, paused, or back in the queue; its figures on the test split are kept if given.

        A run that would wait obeys what was asked since its worker last looked: a shutdown loses no request.
        """
        with self._database.writing() as connection:
            _, request = self._lock(connection, run_id)
            change = {"message": storable(message), **NO_SITTING, **in_status(status)}
            if request and not status.ended:
                change |= self._obey(connection, run_id, request)
            kind = Kind.INTERRUPTED if change["status"] == Status.QUEUED else Kind(change["status"])
            self._note(connection, run_id, kind, change["message"])
            if accuracy is not None:
                change |= result(connection, run_id, accuracy, loss)
            connection.execute(update(run_id, change))

    def requeue_crashed(self, run_id: str, process: Process | None, why: str = "Its process was killed") -> Status:
        """A running run whose process is gone goes back to the head of the queue, or fails after too many crashes in a row.

        Args:
            process: who was seen to be gone; nothing happens if somebody else has taken the run since.
            why: the beginning of a sentence.

        Returns:
            The status that the run has now.
        """
        with self._database.writing(in_turn=True) as connection:
            row = connection.execute(sa.select(RUNS).where(RUNS.c.id == run_id).with_for_update()).mappings().first()
            if row is None or row["status"] != Status.RUNNING or process_of(row) != process:
                return from_row(row).status if row else Status.CANCELLED
            change: dict[str, Any] = {**NO_SITTING, "crashes": row["crashes"] + 1}
            self._note(connection, run_id, Kind.CRASHED, why)
            if request := from_row(row).request:
                change |= self._obey(connection, run_id, request)
            elif row["crashes"] + 1 >= RESTART_LIMIT:
                change |= in_status(Status.FAILED) | {
                    "message": f"Its process was killed {RESTART_LIMIT} times without getting further, perhaps for lack of memory. "
                    "Try a smaller batch size, or resume it.",
                }
            else:
                head = sa.select(sa.func.min(RUNS.c.position) - 1).scalar_subquery()
                change |= in_status(Status.QUEUED) | {
                    "position": head,
                    "message": f"{why}; it goes on from its last checkpoint.",
                }
            if change["status"] != Status.QUEUED:
                self._note(connection, run_id, Kind(change["status"]), change.get("message"))
            connection.execute(update(run_id, change))
            return change["status"]

    # ---- inside ----------------------------------------------------------------------------------------------------------------

    def _lock(self, connection: Connection, run_id: str) -> tuple[Status, Request | None]:
        """Status and open request of a run, which nobody else changes before the transaction is over."""
        run = self._row(connection, run_id)
        return run.status, run.request

    def _row(self, connection: Connection, run_id: str) -> Run:
        """A run, which nobody else changes before the transaction is over."""
        row = connection.execute(sa.select(RUNS).where(RUNS.c.id == run_id).with_for_update()).mappings().first()
        if row is None:
            raise unknown(run_id)
        return from_row(row)

    def _rewind(self, connection: Connection, run_id: str, step: int, epoch: int, seconds: float) -> None:
        if (lost := self._row(connection, run_id).step - step) > 0:
            self._note(connection, run_id, Kind.REWOUND, f"{lost} step{'s' * (lost > 1)} of the sitting before are made again", step)
        for table in (STEPS, EPOCHS, CHECKPOINTS):
            connection.execute(sa.delete(table).where(table.c.run == run_id, table.c.step > step))
        change = {"step": step, "epoch": epoch, "seconds": seconds, "restarts": RUNS.c.restarts + 1}
        connection.execute(sa.update(RUNS).where(RUNS.c.id == run_id).values(**change))

    def _note(self, connection: Connection, run_id: str, kind: Kind, words: str | None = None, step: int | None = None) -> None:
        """Write into the life of a run, in the transaction that changes it.

        Args:
            step: the one that the store knows it has finished, if None.
        """
        reached = sa.select(RUNS.c.step).where(RUNS.c.id == run_id).scalar_subquery() if step is None else step
        connection.execute(sa.insert(HAPPENINGS).values(run=run_id, at=time.time(), kind=kind, step=reached, words=words))

    def _obey(self, connection: Connection, run_id: str, request: Request) -> dict[str, Any]:
        """What obeying changes in a run that nobody trains. Stopping keeps the model; without one it is a cancellation."""
        saved = connection.execute(sa.select(CHECKPOINTS.c.step).where(CHECKPOINTS.c.run == run_id).limit(1)).first()
        stopped = Status.STOPPED if saved else Status.CANCELLED
        return in_status({Request.PAUSE: Status.PAUSED, Request.STOP: stopped, Request.CANCEL: Status.CANCELLED}[request])

    def _change(self, run_id: str, **values: Any) -> None:
        change = {name: storable(value) if isinstance(value, str) else value for name, value in values.items()}
        with self._database.writing() as connection:
            if not connection.execute(sa.update(RUNS).where(RUNS.c.id == run_id).values(**change)).rowcount:
                raise unknown(run_id)


def result(connection: Connection, run_id: str, accuracy: float, loss: float | None) -> dict[str, Any]:
    """The figures on the test split, and the seal of the row that has them."""
    row = connection.execute(sa.select(RUNS).where(RUNS.c.id == run_id)).mappings().one()
    figures = {"accuracy": accuracy, "loss": loss}
    return {**figures, seal.COLUMN: seal.of_run({**row, **figures})}


NO_SITTING: dict[str, Any] = {"pid": None, "pid_started": None, "host": None, "images_per_second": None}


def in_status(status: Status) -> dict[str, Any]:
    """The columns that change with the status of a run that nobody trains."""
    given_up = {"ended": time.time(), "rate_request": None} if status.ended else {"ended": None}
    return {"status": status, "request": None, **given_up}


def storable(text: str | None) -> str | None:
    """Text without what a database refuses: NUL, and halves of characters from broken file names."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8") if text else text


def update(run_id: str, values: dict[str, Any]) -> Any:
    return sa.update(RUNS).where(RUNS.c.id == run_id).values(**values).returning(RUNS)
