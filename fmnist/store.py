"""The run store: what was asked for, how far it is, and every figure. The truth for all processes, in one database."""

import json
import math
import re
import time
import uuid
from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fmnist.config import TrainConfig, bounds
from fmnist.database import CHECKPOINTS, EPOCHS, HAPPENINGS, RUNS, STEPS, Database
from fmnist.errors import StoreError
from fmnist.events import Epoch, Step, Stretch
from fmnist.home import database_url
from fmnist.run import Checkpoint, Happening, Kind, Process, Request, Run, Status, clean_name, clean_tag, from_row, process_of

RESTART_LIMIT = 3  # crashes in a row without a new checkpoint, after which a run is given up
_KEPT = RUNS.c.binned.is_(None)
_ANY = sa.true()
_WAITING = sa.and_(RUNS.c.status == Status.QUEUED, _KEPT)


class Store:
    """All runs of one database; safe to use from many processes and threads.

    Args:
        url: a SQLAlchemy URL; the database of FMNIST_DB or FMNIST_HOME if None.

    Raises:
        StoreError: from every method, when the database cannot be reached or refuses (a full disk, a read-only folder).
    """

    def __init__(self, url: str | None = None) -> None:
        self.url = url or database_url()
        self._database = Database(self.url)

    @property
    def database(self) -> Database:
        """For what keeps tables of its own beside the runs (fmnist.sweep)."""
        return self._database

    def close(self) -> None:
        self._database.close()

    # ---- creating and finding ----------------------------------------------------------------------------------------------------

    def create(
        self,
        config: TrainConfig,
        *,
        device: str,
        name: str | None = None,
        token: str | None = None,
        origin: str | None = None,
        sweep: str | None = None,
        run_id: str | None = None,
        start: Checkpoint | None = None,
    ) -> Run:
        """Put a training at the end of the queue.

        Args:
            device: where it will run: cpu, cuda or mps (`fmnist.device.resolve` turns "auto" into one).
            name: what the person calls it; "Run 7" if None.
            token: names one click; a second call with the same token returns the run of the first.
            origin: the id of the run that this one is made from.
            sweep: the id of the sweep that it is a trial of.
            run_id: an id that nobody has yet; a new one if None.
            start: a checkpoint of the origin, whose files lie in the folder of `run_id` already: the run goes on from there, with the
                origin's curve, figures and changes of the learning rate up to it.
        """
        with self._database.writing(in_turn=True) as connection:
            if token and (row := connection.execute(sa.select(RUNS).where(RUNS.c.token == token)).mappings().first()):
                return from_row(row)
            number, position = connection.execute(
                sa.select(sa.func.coalesce(sa.func.max(RUNS.c.number), 0) + 1, sa.func.coalesce(sa.func.max(RUNS.c.position), 0) + 1)
            ).one()
            new = connection.execute(
                sa.insert(RUNS)
                .values(
                    id=run_id or uuid.uuid4().hex,
                    number=number,
                    token=token,
                    name=clean_name(name) if name else f"Run {number}",
                    status=Status.QUEUED,
                    config=config.model_dump_json(),
                    device=device,
                    position=position,
                    created=time.time(),
                    origin=origin,
                    sweep=sweep,
                )
                .returning(RUNS.c.id)
            ).scalar_one()
            if start and origin:
                self._inherit(connection, new, origin, start)
            self._note(connection, new, Kind.QUEUED)
            return from_row(connection.execute(sa.select(RUNS).where(RUNS.c.id == new)).mappings().one())

    def runs(self, *, archived: bool = True) -> list[Run]:
        """Every run that is not in the bin, the newest first; damaged ones among them.

        Args:
            archived: whether those that were put aside are wanted too.
        """
        wanted = _KEPT if archived else sa.and_(_KEPT, RUNS.c.archived.is_(None))
        return self._select(sa.select(RUNS).where(wanted).order_by(RUNS.c.number.desc()))

    def binned(self) -> list[Run]:
        """What lies in the bin, the last deletion first."""
        return self._select(sa.select(RUNS).where(~_KEPT).order_by(RUNS.c.binned.desc(), RUNS.c.number.desc()))

    def queue(self) -> list[Run]:
        """The waiting runs, the next one first."""
        return self._select(sa.select(RUNS).where(_WAITING).order_by(RUNS.c.position))

    def running(self) -> list[Run]:
        return self._select(sa.select(RUNS).where(RUNS.c.status == Status.RUNNING).order_by(RUNS.c.number))

    def get(self, run_id: str) -> Run:
        """One run by its whole id.

        Raises:
            StoreError: there is no such run.
        """
        if not re.fullmatch(r"[0-9a-f]{32}", run_id):
            raise _unknown(run_id)
        with self._database.reading() as connection:
            row = connection.execute(sa.select(RUNS).where(RUNS.c.id == run_id)).mappings().first()
        if row is None:
            raise _unknown(run_id)
        return from_row(row)

    def find(self, word: str) -> Run:
        """One run as a person names it: its number, its id, a unique prefix of it, "latest" or "best" (highest test accuracy).

        Raises:
            StoreError: nothing fits, or several runs do, or it lies in the bin.
        """
        if re.fullmatch(r"[0-9a-f]{32}", word):
            return self.get(word)
        runs = self.runs()
        if word in ("latest", "best"):
            usable = [run for run in runs if run.accuracy is not None and run.archived is None]
            if not usable:
                raise StoreError(f"There is no {word} run yet: train one first, or use the model 'bundled'.")
            return usable[0] if word == "latest" else max(usable, key=lambda run: run.accuracy or 0.0)
        numbered = [run for run in runs if str(run.number) == word]
        fitting = numbered or [run for run in runs if word and run.id.startswith(word.lower())]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            raise StoreError(
                f"{len(fitting)} runs begin with '{word}': {', '.join(run.id[:12] for run in fitting[:5])}. Write more letters."
            )
        if any(word in (str(run.number), run.id) for run in self.binned()):
            raise StoreError(f"The run {word!r} is in the bin. Bring it back on the Runs page, at the foot of the table.")
        raise StoreError(f"There is no run {word[:40]!r}. `python -m fmnist runs` lists all of them.")

    def find_token(self, token: str) -> Run | None:
        """The run that a token named when it was created or adopted."""
        with self._database.reading() as connection:
            row = connection.execute(sa.select(RUNS).where(RUNS.c.token == token)).mappings().first()
        return from_row(row) if row else None

    # ---- what a person does --------------------------------------------------------------------------------------------------------

    def ask(self, run_id: str, request: Request) -> Run:
        """Ask for a pause, a stop or a cancellation. A waiting run obeys at once, a running one when its worker reads it.

        Raises:
            StoreError: the run is over already.
        """
        with self._database.writing() as connection:
            status, _ = self._lock(connection, run_id)
            if status == Status.RUNNING:
                change: dict[str, Any] = {"request": request}
            elif status == Status.QUEUED or (status == Status.PAUSED and request != Request.PAUSE):
                change = self._obey(connection, run_id, request)
                self._note(connection, run_id, Kind(change["status"]))
            else:
                raise StoreError(f"This run is {status.value}, so there is nothing to {request.value}.")
            return from_row(connection.execute(_update(run_id, change)).mappings().one())

    def ask_rate(self, run_id: str, factor: float) -> Run:
        """Ask for another learning rate: the schedule times a factor, from the next step that anybody makes. 1 is the plan again.

        Raises:
            StoreError: the run is finished, or the learning rate would be out of bounds.
        """
        with self._database.writing() as connection:
            run, highest = self._row(connection, run_id), bounds("learning_rate").high or math.inf
            if run.status == Status.FINISHED or run.config is None:
                raise StoreError("This run is finished or damaged, so its learning rate cannot be changed. Train longer, or train again.")
            if not 0 < run.config.learning_rate * factor <= highest:
                raise StoreError(f"A learning rate must be above 0 and at most {highest:g}.")
            return from_row(connection.execute(_update(run_id, {"rate_request": factor})).mappings().one())

    def resume(self, run_id: str) -> Run:
        """Put a paused, stopped, failed, diverged or cancelled run at the head of the queue; it goes on from its last checkpoint."""
        with self._database.writing(in_turn=True) as connection:
            status, _ = self._lock(connection, run_id)
            if status in (Status.QUEUED, Status.RUNNING, Status.FINISHED):
                raise StoreError(f"This run is {status.value}, so there is nothing to resume.")
            if connection.execute(sa.select(RUNS.c.binned).where(RUNS.c.id == run_id)).scalar() is not None:
                raise StoreError("This run is in the bin. Bring it back, then resume it.")
            if self._has_weights_alone(connection, run_id):
                raise StoreError("This run was imported, without the state that a training goes on from. Train it again from its settings.")
            head = sa.select(sa.func.coalesce(sa.func.min(RUNS.c.position), 0) - 1).scalar_subquery()
            change = {"status": Status.QUEUED, "position": head, "request": None, "message": None, "ended": None, "crashes": 0}
            self._note(connection, run_id, Kind.RESUMED)
            return from_row(connection.execute(_update(run_id, change)).mappings().one())

    def move(self, run_id: str, places: int) -> None:
        """Move a waiting run: -1 is one place nearer to the head of the queue."""
        with self._database.writing(in_turn=True) as connection:
            rows = connection.execute(sa.select(RUNS.c.id, RUNS.c.position).where(_WAITING).order_by(RUNS.c.position)).all()
            order = [row.id for row in rows]
            if run_id not in order:
                raise StoreError("This run is not waiting any more.")
            index = order.index(run_id)
            order.insert(max(0, index + places), order.pop(index))
            for moved, row in zip(order, rows, strict=True):
                connection.execute(sa.update(RUNS).where(RUNS.c.id == moved).values(position=row.position))

    def rename(self, run_id: str, name: str) -> None:
        self._change(run_id, name=clean_name(name))

    def annotate(self, run_id: str, note: str) -> None:
        self._change(run_id, note=note[:10_000])

    def tag(self, run_ids: Sequence[str], *, add: Collection[str] = (), remove: Collection[str] = ()) -> None:
        """Give runs tags, and take tags away from them.

        Raises:
            StoreError: a tag is empty.
        """
        new = [clean_tag(tag) for tag in add]
        with self._database.writing() as connection:
            rows = connection.execute(sa.select(RUNS).where(RUNS.c.id.in_(run_ids)).with_for_update()).mappings().all()
            for run in map(from_row, rows):
                tags = dict.fromkeys([*(tag for tag in run.tags if tag not in remove), *new])
                connection.execute(sa.update(RUNS).where(RUNS.c.id == run.id).values(tags=json.dumps(list(tags), ensure_ascii=False)))

    def archive(self, run_ids: Sequence[str]) -> None:
        """Put runs aside: they are kept, and out of the way."""
        self._set(run_ids, RUNS.c.archived.is_(None), archived=time.time())

    def unarchive(self, run_ids: Sequence[str]) -> None:
        self._set(run_ids, archived=None)

    def bin(self, run_ids: Sequence[str]) -> list[str]:
        """Throw runs into the bin, from where they can be brought back; what is being trained stays.

        Returns:
            The ids of those that are in the bin now and were not before; all of them have the same `binned`.
        """
        return self._set(run_ids, sa.and_(_KEPT, RUNS.c.status != Status.RUNNING), binned=time.time())

    def restore(self, run_ids: Sequence[str]) -> None:
        """Bring runs back from the bin, as they were."""
        self._set(run_ids, binned=None)

    def delete(self, run_id: str) -> None:
        """Forget a run; its folder is the caller's to remove (`fmnist.checkpoint.remove_run`).

        Raises:
            StoreError: it is being trained.
        """
        with self._database.writing() as connection:
            if self._lock(connection, run_id)[0] == Status.RUNNING:
                raise StoreError("This run is being trained. Stop or cancel it first, then delete it.")
            connection.execute(sa.delete(RUNS).where(RUNS.c.id == run_id))

    # ---- what a worker does --------------------------------------------------------------------------------------------------------

    def claim(self, device: str, process: Process, run_id: str | None = None) -> Run | None:
        """Take the next waiting run of a device (or that one run), each by exactly one caller; None when nothing waits."""
        waiting = sa.select(RUNS.c.id).where(_WAITING, RUNS.c.device == device)
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
                connection.execute(sa.insert(STEPS), [{"run": run_id, **asdict(step)} for step in steps])
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
            connection.execute(_update(run_id, {"rate_changes": json.dumps(changes), "rate_request": still_open}))
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
                connection.execute(sa.insert(EPOCHS).values(run=run_id, **asdict(epoch)))
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
            if (lost := self._row(connection, run_id).step - step) > 0:
                self._note(connection, run_id, Kind.REWOUND, f"{lost} step{'s' * (lost > 1)} of the sitting before are made again", step)
            connection.execute(sa.delete(STEPS).where(STEPS.c.run == run_id, STEPS.c.step > step))
            connection.execute(sa.delete(EPOCHS).where(EPOCHS.c.run == run_id, EPOCHS.c.step > step))
            connection.execute(sa.delete(CHECKPOINTS).where(CHECKPOINTS.c.run == run_id, CHECKPOINTS.c.step > step))
            change = {"step": step, "epoch": epoch, "seconds": seconds, "restarts": RUNS.c.restarts + 1}
            connection.execute(sa.update(RUNS).where(RUNS.c.id == run_id).values(**change))

    def describe(self, run_id: str, *, message: str | None = None, environment: dict[str, Any] | None = None) -> None:
        """Say what a run does right now, or where it runs."""
        change: dict[str, Any] = {"message": message}
        if environment is not None:
            change["environment"] = json.dumps(environment, allow_nan=False)
        self._change(run_id, **change)

    def end(
        self, run_id: str, status: Status, message: str | None = None, *, accuracy: float | None = None, loss: float | None = None
    ) -> None:
        """Close a sitting: the run is over, paused, or back in the queue; its figures on the test split are kept if given.

        A run that would wait obeys what was asked since its worker last looked: a shutdown loses no request.
        """
        with self._database.writing() as connection:
            _, request = self._lock(connection, run_id)
            change = {"message": _storable(message), **_NO_SITTING, **_in_status(status)}
            if request and not status.ended:
                change |= self._obey(connection, run_id, request)
            kind = Kind.INTERRUPTED if change["status"] == Status.QUEUED else Kind(change["status"])
            self._note(connection, run_id, kind, change["message"])
            if accuracy is not None:
                change |= {"accuracy": accuracy, "loss": loss}
            connection.execute(_update(run_id, change))

    def requeue_crashed(self, run_id: str, process: Process | None) -> Status:
        """A running run whose process is gone goes back to the head of the queue, or fails after too many crashes in a row.

        Args:
            process: who was seen to be gone; nothing happens if somebody else has taken the run since.

        Returns:
            The status that the run has now.
        """
        with self._database.writing(in_turn=True) as connection:
            row = connection.execute(sa.select(RUNS).where(RUNS.c.id == run_id).with_for_update()).mappings().first()
            if row is None or row["status"] != Status.RUNNING or process_of(row) != process:
                return from_row(row).status if row else Status.CANCELLED
            change: dict[str, Any] = {**_NO_SITTING, "crashes": row["crashes"] + 1}
            self._note(connection, run_id, Kind.CRASHED)
            if request := from_row(row).request:
                change |= self._obey(connection, run_id, request)
            elif row["crashes"] + 1 >= RESTART_LIMIT:
                change |= _in_status(Status.FAILED) | {
                    "message": f"Its process was killed {RESTART_LIMIT} times without getting further, perhaps for lack of memory. "
                    "Try a smaller batch size, or resume it.",
                }
            else:
                head = sa.select(sa.func.min(RUNS.c.position) - 1).scalar_subquery()
                change |= _in_status(Status.QUEUED) | {
                    "position": head,
                    "message": "Its process was killed; it goes on from its last checkpoint.",
                }
            if change["status"] != Status.QUEUED:
                self._note(connection, run_id, Kind(change["status"]), change.get("message"))
            connection.execute(_update(run_id, change))
            return change["status"]

    def adopt(
        self,
        run_id: str,
        config: TrainConfig,
        checkpoint: Checkpoint,
        figures: tuple[Sequence[Step], Sequence[Epoch]],
        *,
        token: str,
        name: str,
        note: str,
        tags: Sequence[str],
        environment: dict[str, Any],
        **rest: Any,
    ) -> Run:
        """Add a run that was trained elsewhere, under an id and with files that are there already: all of it, or nothing.

        Args:
            figures: the points of its curve and its epochs.
            token: names the file it came in; a second call with the same token returns the run of the first.
            rest: status, seconds, accuracy and loss, as in `Run`.
        """
        with self._database.writing(in_turn=True) as connection:
            if row := connection.execute(sa.select(RUNS).where(RUNS.c.token == token)).mappings().first():
                return from_row(row)
            number = connection.execute(sa.select(sa.func.coalesce(sa.func.max(RUNS.c.number), 0) + 1)).scalar_one()
            now, device = time.time(), environment.get("device")
            words = {"name": clean_name(name), "note": note, "tags": json.dumps(list(tags)), "environment": json.dumps(environment)}
            values = {
                **{column: _storable(text) for column, text in words.items()},
                **{"id": run_id, "number": number, "position": number, "token": token, "config": config.model_dump_json()},
                **{"device": device if device in ("cpu", "cuda", "mps") else "cpu", "created": now, "started": now, "ended": now},
                **{"epoch": checkpoint.epoch, "step": checkpoint.step, **rest},
            }
            connection.execute(sa.insert(RUNS).values(**values))
            for table, events in zip((STEPS, EPOCHS), figures, strict=True):
                if events:
                    connection.execute(sa.insert(table), [{"run": run_id, **asdict(event)} for event in events])
            connection.execute(sa.insert(CHECKPOINTS).values(run=run_id, **asdict(checkpoint)))
            return from_row(connection.execute(sa.select(RUNS).where(RUNS.c.id == run_id)).mappings().one())

    # ---- figures -------------------------------------------------------------------------------------------------------------------

    def steps(self, run_id: str, after: int = 0) -> list[Step]:
        """The points of the curve behind a cursor, in order."""
        query = sa.select(*list(STEPS.c)[1:]).where(STEPS.c.run == run_id, STEPS.c.step > after).order_by(STEPS.c.step)
        with self._database.reading() as connection:
            return [Step(**row) for row in connection.execute(query).mappings()]

    def stretches(self, run_id: str, width: int) -> list[Stretch]:
        """The curve with the points of each `width` steps in one, in order; thinned by the database, so that many long ones are quick."""
        # The places are a query of their own: PostgreSQL groups by a column, not by arithmetic with a parameter that it sees twice.
        place = ((STEPS.c.step - 1) // width).label("place")
        points = sa.select(STEPS, place).where(STEPS.c.run == run_id).subquery()
        means = [sa.func.avg(points.c[name]).label(name) for name in ("step", "epoch", "seconds", "loss")]
        ends = [sa.func.min(points.c.loss).label("low"), sa.func.max(points.c.loss).label("high")]
        query = sa.select(*means, *ends).group_by(points.c.place).order_by(points.c.place)
        with self._database.reading() as connection:
            return [Stretch(*(float(value) for value in row)) for row in connection.execute(query)]

    def epochs(self, run_id: str) -> list[Epoch]:
        query = sa.select(*list(EPOCHS.c)[1:]).where(EPOCHS.c.run == run_id).order_by(EPOCHS.c.epoch)
        with self._database.reading() as connection:
            return [Epoch(**row) for row in connection.execute(query).mappings()]

    def last_epochs(self) -> dict[str, Epoch]:
        """The newest epoch of every run that has one, by run id; one query for the whole table of runs."""
        newest = sa.select(EPOCHS.c.run, sa.func.max(EPOCHS.c.epoch).label("epoch")).group_by(EPOCHS.c.run).subquery()
        return self._epochs_by_run(sa.select(EPOCHS).join(newest, sa.and_(EPOCHS.c.run == newest.c.run, EPOCHS.c.epoch == newest.c.epoch)))

    def best_epochs(self) -> dict[str, Epoch]:
        """The epoch with the highest accuracy on the monitor split (the first of equals) of every run that has one, by run id."""
        place = sa.func.row_number().over(partition_by=EPOCHS.c.run, order_by=[EPOCHS.c.accuracy.desc(), EPOCHS.c.epoch])
        ranked = sa.select(EPOCHS, place.label("place")).subquery()
        return self._epochs_by_run(sa.select(*[ranked.c[column.name] for column in EPOCHS.c]).where(ranked.c.place == 1))

    def checkpoints(self, run_id: str) -> list[Checkpoint]:
        """The newest first."""
        query = sa.select(*list(CHECKPOINTS.c)[1:]).where(CHECKPOINTS.c.run == run_id).order_by(CHECKPOINTS.c.step.desc())
        with self._database.reading() as connection:
            return [Checkpoint(**row) for row in connection.execute(query).mappings()]

    def happenings(self, run_id: str) -> list[Happening]:
        """What befell a run, the first thing first."""
        query = sa.select(*list(HAPPENINGS.c)[2:]).where(HAPPENINGS.c.run == run_id).order_by(HAPPENINGS.c.id)
        with self._database.reading() as connection:
            return [Happening(**row) for row in connection.execute(query).mappings()]

    # ---- inside --------------------------------------------------------------------------------------------------------------------

    def _select(self, query: sa.Select) -> list[Run]:
        with self._database.reading() as connection:
            return [from_row(row) for row in connection.execute(query).mappings()]

    def _epochs_by_run(self, query: sa.Select) -> dict[str, Epoch]:
        """Without rows that a bad disk has changed: SQLite takes words for numbers."""
        with self._database.reading() as connection:
            rows = [dict(row) for row in connection.execute(query).mappings()]
        found = {row.pop("run"): Epoch(**row) for row in rows}
        return {run: epoch for run, epoch in found.items() if all(isinstance(value, int | float) for value in vars(epoch).values())}

    def _set(self, run_ids: Sequence[str], where: sa.ColumnElement[bool] = _ANY, **values: float | None) -> list[str]:
        """Change those of the named runs for which the condition holds, all in one moment; returns their ids."""
        change = sa.update(RUNS).where(RUNS.c.id.in_(run_ids), where).values(**values).returning(RUNS.c.id)
        with self._database.writing() as connection:
            return list(connection.execute(change).scalars())

    def _lock(self, connection: Connection, run_id: str) -> tuple[Status, Request | None]:
        """Status and open request of a run, which nobody else changes before the transaction is over."""
        run = self._row(connection, run_id)
        return run.status, run.request

    def _row(self, connection: Connection, run_id: str) -> Run:
        """A run, which nobody else changes before the transaction is over."""
        row = connection.execute(sa.select(RUNS).where(RUNS.c.id == run_id).with_for_update()).mappings().first()
        if row is None:
            raise _unknown(run_id)
        return from_row(row)

    def _note(self, connection: Connection, run_id: str, kind: Kind, words: str | None = None, step: int | None = None) -> None:
        """Write into the life of a run, in the transaction that changes it.

        Args:
            step: the one that the store knows it has finished, if None.
        """
        reached = sa.select(RUNS.c.step).where(RUNS.c.id == run_id).scalar_subquery() if step is None else step
        connection.execute(sa.insert(HAPPENINGS).values(run=run_id, at=time.time(), kind=kind, step=reached, words=words))

    def _inherit(self, connection: Connection, run_id: str, origin: str, start: Checkpoint) -> None:
        """Give a new run what its origin had at a checkpoint."""
        for table in (STEPS, EPOCHS):
            others = [column for column in table.c if column.name != "run"]
            rows = sa.select(sa.literal(run_id), *others).where(table.c.run == origin, table.c.step <= start.step)
            connection.execute(sa.insert(table).from_select(["run", *(column.name for column in others)], rows))
        connection.execute(sa.insert(CHECKPOINTS).values(run=run_id, **asdict(start)))
        before = self._row(connection, origin)
        changes = [change for change in before.rate_changes if change[0] < start.step]
        reached = {"step": start.step, "epoch": start.epoch, "seconds": before.seconds, "continues": start.step}
        connection.execute(_update(run_id, {**reached, "rate_changes": json.dumps(changes)}))

    def _obey(self, connection: Connection, run_id: str, request: Request) -> dict[str, Any]:
        """What obeying changes in a run that nobody trains. Stopping keeps the model; without one it is a cancellation."""
        saved = connection.execute(sa.select(CHECKPOINTS.c.step).where(CHECKPOINTS.c.run == run_id).limit(1)).first()
        stopped = Status.STOPPED if saved else Status.CANCELLED
        return _in_status({Request.PAUSE: Status.PAUSED, Request.STOP: stopped, Request.CANCEL: Status.CANCELLED}[request])

    def _has_weights_alone(self, connection: Connection, run_id: str) -> bool:
        states = list(connection.execute(sa.select(CHECKPOINTS.c.state).where(CHECKPOINTS.c.run == run_id)).scalars())
        return bool(states) and not any(states)

    def _change(self, run_id: str, **values: Any) -> None:
        storable = {name: _storable(value) if isinstance(value, str) else value for name, value in values.items()}
        with self._database.writing() as connection:
            if not connection.execute(sa.update(RUNS).where(RUNS.c.id == run_id).values(**storable)).rowcount:
                raise _unknown(run_id)


_NO_SITTING: dict[str, Any] = {"pid": None, "pid_started": None, "host": None, "images_per_second": None}


def _in_status(status: Status) -> dict[str, Any]:
    """The columns that change with the status of a run that nobody trains."""
    given_up = {"ended": time.time(), "rate_request": None} if status.ended else {"ended": None}
    return {"status": status, "request": None, **given_up}


def _unknown(run_id: str) -> StoreError:
    return StoreError(f"There is no run {run_id[:40]!r}. It may have been deleted.")


def _storable(text: str | None) -> str | None:
    """Text without what a database refuses: NUL, and halves of characters from broken file names."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8") if text else text


def _update(run_id: str, values: dict[str, Any]) -> Any:
    return sa.update(RUNS).where(RUNS.c.id == run_id).values(**values).returning(RUNS)
