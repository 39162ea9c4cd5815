"""The run store: what was asked for, how far it is, and every figure. The truth for all processes, in one database."""

import json
import math
import time
import uuid
from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fmnist import seal
from fmnist.config import TrainConfig, bounds
from fmnist.database import CHECKPOINTS, EPOCHS, RUNS, SITTINGS, STEPS
from fmnist.errors import StoreError
from fmnist.events import Epoch, Step
from fmnist.ledger import KEPT, WAITING
from fmnist.placement import HERE, Placement
from fmnist.postings import Postings
from fmnist.run import Checkpoint, Kind, Request, Run, Status, clean_name, clean_tag, from_row
from fmnist.sittings import storable, update

MOST_WAITING = 1_000  # runs in the queue; the trials of a sweep are not counted among them, because it has one at a time
_ANY = sa.true()


class Store(Postings):
    """All runs of one database; safe to use from many processes and threads.

    Args:
        url: a SQLAlchemy URL; the database of FMNIST_DB or FMNIST_HOME if None.

    Raises:
        StoreError: from every method, when the database cannot be reached or refuses (a full disk, a read-only folder).
    """

    # ---- creating -------------------------------------------------------------------------------------------------------------

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
        placement: Placement = HERE,
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
            placement: this machine, or a cluster, and with what.

        Raises:
            StoreError: MOST_WAITING runs wait already.
        """
        with self._database.writing(in_turn=True) as connection:
            if token and (known := self._with_token(connection, token)):
                return known
            if (
                sweep is None
                and connection.execute(sa.select(sa.func.count()).where(WAITING, RUNS.c.sweep.is_(None))).scalar_one() >= MOST_WAITING
            ):
                raise StoreError(f"{MOST_WAITING:,} runs wait already, which is the most. Cancel some in Train, or let some finish first.")
            number, position = connection.execute(
                sa.select(sa.func.coalesce(sa.func.max(RUNS.c.number), 0) + 1, sa.func.coalesce(sa.func.max(RUNS.c.position), 0) + 1)
            ).one()
            new = run_id or uuid.uuid4().hex
            values = {
                "id": new,
                "number": number,
                "token": token,
                "name": clean_name(name) if name else f"Run {number}",
                "status": Status.QUEUED,
                "config": config.model_dump_json(),
                "device": device,
                "position": position,
                "created": time.time(),
                "origin": origin,
                "sweep": sweep,
                **asdict(placement),
            }
            connection.execute(sa.insert(RUNS).values(**values, seal=seal.of_run(values)))
            if start and origin:
                self._inherit(connection, new, origin, start)
            self._note(connection, new, Kind.QUEUED)
            return from_row(connection.execute(sa.select(RUNS).where(RUNS.c.id == new)).mappings().one())

    # ---- what a person does --------------------------------------------------------------------------------------------------------

    def ask(self, run_id: str, request: Request) -> Run:
        """Ask for a pause, a stop or a cancellation. A waiting run obeys at once, a running one when its worker reads it.

        Raises:
            StoreError: the run is over already.
        """
        with self._database.writing() as connection:
            status, _ = self._lock(connection, run_id)
            self._check_stands_alone(connection, run_id)
            if status == Status.RUNNING:
                change: dict[str, Any] = {"request": request}
            elif status == Status.QUEUED or (status == Status.PAUSED and request != Request.PAUSE):
                change = self._obey(connection, run_id, request)
                self._note(connection, run_id, Kind(change["status"]))
            else:
                raise StoreError(f"This run is {status.value}, so there is nothing to {request.value}.")
            return from_row(connection.execute(update(run_id, change)).mappings().one())

    def ask_rate(self, run_id: str, factor: float) -> Run:
        """Ask for another learning rate: the schedule times a factor, from the next step that anybody makes. 1 is the plan again.

        Raises:
            StoreError: the run is finished, or the learning rate would be out of bounds.
        """
        with self._database.writing() as connection:
            run, highest = self._row(connection, run_id), bounds("learning_rate").high or math.inf
            if run.placement.is_remote:
                raise StoreError(
                    "The learning rate of a training on a cluster cannot be changed. Stop it, and train again with another one."
                )
            if run.status == Status.FINISHED or run.config is None:
                raise StoreError("This run is finished or damaged, so its learning rate cannot be changed. Train longer, or train again.")
            if not 0 < run.config.learning_rate * factor <= highest:
                raise StoreError(f"A learning rate must be above 0 and at most {highest:g}.")
            return from_row(connection.execute(update(run_id, {"rate_request": factor})).mappings().one())

    def resume(self, run_id: str) -> Run:
        """Put a paused, stopped, failed, diverged or cancelled run at the head of the queue; it goes on from its last checkpoint."""
        with self._database.writing(in_turn=True) as connection:
            status, _ = self._lock(connection, run_id)
            if status in (Status.QUEUED, Status.RUNNING, Status.FINISHED):
                raise StoreError(f"This run is {status.value}, so there is nothing to resume.")
            self._check_stands_alone(connection, run_id)
            if connection.execute(sa.select(RUNS.c.binned).where(RUNS.c.id == run_id)).scalar() is not None:
                raise StoreError("This run is in the bin. Bring it back, then resume it.")
            if self._has_weights_alone(connection, run_id):
                raise StoreError("This run was imported, without the state that a training goes on from. Train it again from its settings.")
            head = sa.select(sa.func.coalesce(sa.func.min(RUNS.c.position), 0) - 1).scalar_subquery()
            change = {"status": Status.QUEUED, "position": head, "request": None, "message": None, "ended": None, "crashes": 0}
            self._note(connection, run_id, Kind.RESUMED)
            return from_row(connection.execute(update(run_id, change)).mappings().one())

    def move(self, run_id: str, places: int) -> None:
        """Move a waiting run: -1 is one place nearer to the head of the queue."""
        with self._database.writing(in_turn=True) as connection:
            rows = connection.execute(sa.select(RUNS.c.id, RUNS.c.position).where(WAITING).order_by(RUNS.c.position)).all()
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
        return self._set(run_ids, sa.and_(KEPT, RUNS.c.status != Status.RUNNING), binned=time.time())

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
            if known := self._with_token(connection, token):
                return known
            number = connection.execute(sa.select(sa.func.coalesce(sa.func.max(RUNS.c.number), 0) + 1)).scalar_one()
            now, device = time.time(), environment.get("device")
            words = {"name": clean_name(name), "note": note, "tags": json.dumps(list(tags)), "environment": json.dumps(environment)}
            values = {
                **{column: storable(text) for column, text in words.items()},
                **{"id": run_id, "number": number, "position": number, "token": token, "config": config.model_dump_json()},
                **{"device": device if device in ("cpu", "cuda", "mps") else "cpu", "created": now, "started": now, "ended": now},
                **{"epoch": checkpoint.epoch, "step": checkpoint.step, **rest},
            }
            connection.execute(sa.insert(RUNS).values(**values, seal=seal.of_run(values)))
            for table, events in zip((STEPS, EPOCHS), figures, strict=True):
                if events:
                    connection.execute(sa.insert(table), [{"run": run_id, **seal.sealed(asdict(event))} for event in events])
            connection.execute(sa.insert(CHECKPOINTS).values(run=run_id, **asdict(checkpoint)))
            return from_row(connection.execute(sa.select(RUNS).where(RUNS.c.id == run_id)).mappings().one())

    # ---- inside --------------------------------------------------------------------------------------------------------------------

    def _set(self, run_ids: Sequence[str], where: sa.ColumnElement[bool] = _ANY, **values: float | None) -> list[str]:
        """Change those of the named runs for which the condition holds, all in one moment; returns their ids."""
        change = sa.update(RUNS).where(RUNS.c.id.in_(run_ids), where).values(**values).returning(RUNS.c.id)
        with self._database.writing() as connection:
            return list(connection.execute(change).scalars())

    def _inherit(self, connection: Connection, run_id: str, origin: str, start: Checkpoint) -> None:
        """Give a new run what its origin had at a checkpoint."""
        for table in (STEPS, EPOCHS):
            others = [column for column in table.c if column.name != "run"]
            rows = sa.select(sa.literal(run_id), *others).where(table.c.run == origin, table.c.step <= start.step)
            connection.execute(sa.insert(table).from_select(["run", *(column.name for column in others)], rows))
        connection.execute(sa.insert(CHECKPOINTS).values(run=run_id, **asdict(start)))
        for sitting in self._sittings(connection, origin):
            if sitting.step < start.step:
                values = {"run": run_id, "step": sitting.step, "environment": json.dumps(sitting.environment)}
                connection.execute(sa.insert(SITTINGS).values(**values))
        before = self._row(connection, origin)
        changes = [change for change in before.rate_changes if change[0] < start.step]
        reached = {"step": start.step, "epoch": start.epoch, "seconds": before.seconds, "continues": start.step}
        connection.execute(update(run_id, {**reached, "rate_changes": json.dumps(changes)}))

    def _check_stands_alone(self, connection: Connection, run_id: str) -> None:
        """Raises StoreError for a trial of a sweep on a cluster, whose trials live and pause with it."""
        run = self._row(connection, run_id)
        if run.sweep and run.placement.is_remote:
            raise StoreError("This is a trial of a sweep on a cluster, and goes with it: pause or resume the sweep.")

    def _has_weights_alone(self, connection: Connection, run_id: str) -> bool:
        """As an imported run has; one of a cluster has its states there."""
        if self._row(connection, run_id).placement.is_remote:
            return False
        states = list(connection.execute(sa.select(CHECKPOINTS.c.state).where(CHECKPOINTS.c.run == run_id)).scalars())
        return bool(states) and not any(states)
