"""The run store: what was asked for, how far it is, and every figure. The truth for all processes, in one database.

Four tables: `runs` (a line each: config, status, progress, result), `steps` (the curve inside the epochs), `epochs` (figures of
each finished epoch) and `checkpoints` (the files in the run folder and their SHA-256). SQLite by default, PostgreSQL by URL.
Life of a run:

    queued -> running -> finished
      ^         |  -> stopped    (by hand; the model is kept as it is)
      |         |  -> paused     (by hand; resume puts it at the head of the queue)
      |         |  -> cancelled, failed, diverged
      +---------+  requeued when its process was killed or the dashboard was shut down
"""

import json
import re
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import ArgumentError, DBAPIError

from fmnist.config import TrainConfig, parse
from fmnist.errors import ConfigError, StoreError
from fmnist.events import Epoch, Step
from fmnist.home import database_url, run_folder

_TURN = 7_240_601  # the name of PostgreSQL's advisory lock for writers that take turns
RESTART_LIMIT = 3  # crashes in a row without a new checkpoint, after which a run is given up


class Status(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    CANCELLED = "cancelled"
    FINISHED = "finished"
    FAILED = "failed"
    DIVERGED = "diverged"

    @property
    def ended(self) -> bool:
        """Nothing more happens by itself, and nothing is waiting for a person."""
        return self not in (Status.QUEUED, Status.RUNNING, Status.PAUSED)


class Request(StrEnum):
    """What a person asked a running training to do; its worker reads it every quarter of a second."""

    PAUSE = "pause"
    STOP = "stop"
    CANCEL = "cancel"


@dataclass(frozen=True)
class Process:
    """Who trains a run: a pid alone may have been given to somebody else since, so its start time belongs to it."""

    pid: int
    started: float  # seconds since the epoch, as the kernel says
    host: str = ""  # the machine and data folder it belongs to: only there can anybody tell whether it lives


@dataclass(frozen=True)
class Run:
    """One line of the table of runs."""

    id: str
    number: int  # 1, 2, 3... in the order of creation
    name: str
    note: str
    status: Status
    request: Request | None
    config: TrainConfig | None  # None: damaged, see `damage`
    damage: str | None  # why the stored config cannot be read
    device: str  # cpu, cuda or mps: the queue it stands in
    position: float  # order in the queue
    created: float  # wall clock, seconds since the epoch: a label, never used for arithmetic
    started: float | None
    ended: float | None
    epoch: int  # finished epochs
    step: int  # finished steps over all epochs
    seconds: float  # time spent in training steps, over all sittings
    images_per_second: float | None  # now
    message: str | None  # why it failed, or what it does right now
    environment: dict[str, Any]  # versions, device name, threads, precision
    preview: dict[str, Any] | None  # how a handful of pictures is classified right now
    accuracy: float | None  # on the test split, at the end, 0-1
    loss: float | None
    restarts: int  # how often it was started again; a reader that sees this change reads its curve anew
    process: Process | None

    @property
    def total_steps(self) -> int:
        return self.config.total_steps if self.config else 0

    @property
    def progress(self) -> float:
        """0 to 1."""
        return min(1.0, self.step / self.total_steps) if self.total_steps else 0.0

    @property
    def seconds_left(self) -> float | None:
        """From the training time of this run so far; None before there is any."""
        if not self.step or not self.total_steps:
            return None
        return (self.total_steps - self.step) * self.seconds / self.step


@dataclass(frozen=True)
class Checkpoint:
    """Two files in the run folder: weights to predict with, and the state that a resumed training needs."""

    step: int
    epoch: int  # finished epochs; a checkpoint inside an epoch has more steps than these make
    weights: str  # file name
    weights_sha256: str
    state: str | None  # None: cleared away, only the newest are kept
    state_sha256: str | None
    created: float = field(default_factory=time.time)


_META = sa.MetaData()
_RUNS = sa.Table(
    "runs",
    _META,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("number", sa.Integer, nullable=False, unique=True),
    sa.Column("token", sa.String(64), unique=True),  # one click = one run
    sa.Column("name", sa.String(80), nullable=False),
    sa.Column("note", sa.Text, nullable=False, default=""),
    sa.Column("status", sa.String(16), nullable=False, index=True),
    sa.Column("request", sa.String(16)),
    sa.Column("config", sa.Text, nullable=False),
    sa.Column("device", sa.String(16), nullable=False),
    sa.Column("position", sa.Double, nullable=False),
    sa.Column("created", sa.Double, nullable=False),
    sa.Column("started", sa.Double),
    sa.Column("ended", sa.Double),
    sa.Column("epoch", sa.Integer, nullable=False, default=0),
    sa.Column("step", sa.Integer, nullable=False, default=0),
    sa.Column("seconds", sa.Double, nullable=False, default=0.0),
    sa.Column("images_per_second", sa.Double),
    sa.Column("message", sa.Text),
    sa.Column("environment", sa.Text, nullable=False, default="{}"),
    sa.Column("preview", sa.Text),
    sa.Column("accuracy", sa.Double),
    sa.Column("loss", sa.Double),
    sa.Column("restarts", sa.Integer, nullable=False, default=0),
    sa.Column("crashes", sa.Integer, nullable=False, default=0),  # since the last new checkpoint
    sa.Column("pid", sa.Integer),
    sa.Column("pid_started", sa.Double),
    sa.Column("host", sa.String(255)),
)


def _of_run() -> sa.Column:
    return sa.Column("run", sa.String(32), sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)


_STEPS = sa.Table(
    "steps",
    _META,
    _of_run(),
    sa.Column("step", sa.Integer, primary_key=True),
    *(sa.Column(name, sa.Double, nullable=False) for name in ("epoch", "seconds", "loss", "learning_rate", "images_per_second")),
)
_EPOCHS = sa.Table(
    "epochs",
    _META,
    _of_run(),
    sa.Column("epoch", sa.Integer, primary_key=True),
    sa.Column("step", sa.Integer, nullable=False),
    *(
        sa.Column(name, sa.Double, nullable=False)
        for name in ("seconds", "train_loss", "train_accuracy", "loss", "accuracy", "learning_rate", "images_per_second")
    ),
)
_CHECKPOINTS = sa.Table(
    "checkpoints",
    _META,
    _of_run(),
    sa.Column("step", sa.Integer, primary_key=True),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("weights", sa.String(80), nullable=False),
    sa.Column("weights_sha256", sa.String(64), nullable=False),
    sa.Column("state", sa.String(80)),
    sa.Column("state_sha256", sa.String(64)),
    sa.Column("created", sa.Double, nullable=False),
)


def _connect(url: str) -> Engine:
    """An engine whose writing transactions take SQLite's write lock at their begin.

    SQLAlchemy's default starts them as readers; two of those that turn into writers lost 418 of 600 increments.
    """
    try:
        engine = sa.create_engine(
            url, connect_args={"timeout": 30} if url.startswith("sqlite") else {}, pool_pre_ping=not url.startswith("sqlite")
        )
    except ImportError as error:
        raise StoreError(f"The driver of the database is not installed ({error}). For PostgreSQL: pip install 'psycopg[binary]'") from error
    except ArgumentError as error:
        raise StoreError("FMNIST_DB is not the address of a database, such as postgresql+psycopg://name:password@host/database.") from error
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def _settings(connection: Any, _: Any) -> None:
            connection.isolation_level = None  # this module says BEGIN itself
            connection.text_factory = _legible
            for pragma in ("foreign_keys=ON", "journal_mode=TRUNCATE", "synchronous=FULL"):
                connection.execute(f"PRAGMA {pragma}")

        @event.listens_for(engine, "begin")
        def _begin(connection: Connection) -> None:
            writing = connection.get_execution_options().get("writing", False)
            connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine


class Store:
    """All runs of one database; safe to use from many processes and threads.

    Args:
        url: a SQLAlchemy URL; the database of FMNIST_DB or FMNIST_HOME if None.

    Raises:
        StoreError: from every method, when the database cannot be reached or refuses (a full disk, a read-only folder).
    """

    def __init__(self, url: str | None = None) -> None:
        self.url = url or database_url()
        self._engine = _connect(self.url)
        if self.url.startswith("sqlite:///"):
            _make_folder(Path(self.url.removeprefix("sqlite:///")).parent)
        self._make_tables()

    def close(self) -> None:
        self._engine.dispose()

    def _make_tables(self) -> None:
        """The tables, where they are missing: a store that has them opens without writing, so on a full disk too."""
        with self._reading() as connection:
            if sa.inspect(connection).has_table(_RUNS.name):  # all of them were made in one transaction
                return
        with self._writing(in_turn=True) as connection:
            _META.create_all(connection)

    @contextmanager
    def _writing(self, *, in_turn: bool = False) -> Iterator[Connection]:
        """A transaction: all of it happens, or nothing.

        Args:
            in_turn: one such writer at a time, for what reads the whole table before it writes (numbers, the order of the queue).
                SQLite has only one writer anyway.
        """
        try:
            with self._engine.connect().execution_options(writing=True) as connection, connection.begin():
                if in_turn and self._engine.dialect.name == "postgresql":
                    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_TURN)))
                yield connection
        except DBAPIError as error:
            raise StoreError(self._complaint(error)) from error

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection:
                yield connection
        except DBAPIError as error:
            raise StoreError(self._complaint(error)) from error

    def _complaint(self, error: DBAPIError) -> str:
        place, reason = self._engine.url.render_as_string(hide_password=True), " ".join(str(error.orig).split())
        on_disk = self._engine.dialect.name == "sqlite"
        advice = "the disk has space and the folder can be written" if on_disk else "the server runs and FMNIST_DB names it"
        return f"The run store at {place} refused: {reason}. Check that {advice}."

    # ---- creating and finding ----------------------------------------------------------------------------------------------------

    def create(self, config: TrainConfig, *, device: str, name: str | None = None, token: str | None = None) -> Run:
        """Put a training at the end of the queue.

        Args:
            device: where it will run: cpu, cuda or mps (`fmnist.device.resolve` turns "auto" into one).
            name: what the person calls it; "Run 7" if None.
            token: names one click; a second call with the same token returns the run of the first.
        """
        with self._writing(in_turn=True) as connection:
            if token and (row := connection.execute(sa.select(_RUNS).where(_RUNS.c.token == token)).mappings().first()):
                return _run(row)
            number, position = connection.execute(
                sa.select(sa.func.coalesce(sa.func.max(_RUNS.c.number), 0) + 1, sa.func.coalesce(sa.func.max(_RUNS.c.position), 0) + 1)
            ).one()
            row = connection.execute(
                sa.insert(_RUNS)
                .values(
                    id=uuid.uuid4().hex,
                    number=number,
                    token=token,
                    name=clean_name(name) if name else f"Run {number}",
                    status=Status.QUEUED,
                    config=config.model_dump_json(),
                    device=device,
                    position=position,
                    created=time.time(),
                )
                .returning(_RUNS)
            )
            return _run(row.mappings().one())

    def runs(self) -> list[Run]:
        """Every run, the newest first; damaged ones among them."""
        with self._reading() as connection:
            return [_run(row) for row in connection.execute(sa.select(_RUNS).order_by(_RUNS.c.number.desc())).mappings()]

    def queue(self) -> list[Run]:
        """The waiting runs, the next one first."""
        query = sa.select(_RUNS).where(_RUNS.c.status == Status.QUEUED).order_by(_RUNS.c.position)
        with self._reading() as connection:
            return [_run(row) for row in connection.execute(query).mappings()]

    def running(self) -> list[Run]:
        query = sa.select(_RUNS).where(_RUNS.c.status == Status.RUNNING).order_by(_RUNS.c.number)
        with self._reading() as connection:
            return [_run(row) for row in connection.execute(query).mappings()]

    def get(self, run_id: str) -> Run:
        """One run by its whole id.

        Raises:
            StoreError: there is no such run.
        """
        if not re.fullmatch(r"[0-9a-f]{32}", run_id):
            raise _unknown(run_id)
        with self._reading() as connection:
            row = connection.execute(sa.select(_RUNS).where(_RUNS.c.id == run_id)).mappings().first()
        if row is None:
            raise _unknown(run_id)
        return _run(row)

    def find(self, word: str) -> Run:
        """One run as a person names it: its number, its id, a unique prefix of it, "latest" or "best" (highest test accuracy).

        Raises:
            StoreError: nothing fits, or several runs do.
        """
        runs = self.runs()
        if word in ("latest", "best"):
            usable = [run for run in runs if run.accuracy is not None]
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
        raise StoreError(f"There is no run {word[:40]!r}. `python -m fmnist runs` lists all of them.")

    # ---- what a person does --------------------------------------------------------------------------------------------------------

    def ask(self, run_id: str, request: Request) -> Run:
        """Ask for a pause, a stop or a cancellation. A waiting run obeys at once, a running one when its worker reads it.

        Raises:
            StoreError: the run is over already.
        """
        with self._writing() as connection:
            status, _ = self._lock(connection, run_id)
            if status == Status.RUNNING:
                change: dict[str, Any] = {"request": request}
            elif status == Status.QUEUED or (status == Status.PAUSED and request != Request.PAUSE):
                change = self._obey(connection, run_id, request)
            else:
                raise StoreError(f"This run is {status.value}, so there is nothing to {request.value}.")
            return _run(connection.execute(_update(run_id, change)).mappings().one())

    def resume(self, run_id: str) -> Run:
        """Put a paused, stopped, failed, diverged or cancelled run at the head of the queue; it goes on from its last checkpoint."""
        with self._writing(in_turn=True) as connection:
            status, _ = self._lock(connection, run_id)
            if status in (Status.QUEUED, Status.RUNNING, Status.FINISHED):
                raise StoreError(f"This run is {status.value}, so there is nothing to resume.")
            head = sa.select(sa.func.coalesce(sa.func.min(_RUNS.c.position), 0) - 1).scalar_subquery()
            change = {"status": Status.QUEUED, "position": head, "request": None, "message": None, "ended": None, "crashes": 0}
            return _run(connection.execute(_update(run_id, change)).mappings().one())

    def move(self, run_id: str, places: int) -> None:
        """Move a waiting run: -1 is one place nearer to the head of the queue."""
        with self._writing(in_turn=True) as connection:
            rows = connection.execute(
                sa.select(_RUNS.c.id, _RUNS.c.position).where(_RUNS.c.status == Status.QUEUED).order_by(_RUNS.c.position)
            ).all()
            order = [row.id for row in rows]
            if run_id not in order:
                raise StoreError("This run is not waiting any more.")
            index = order.index(run_id)
            order.insert(max(0, index + places), order.pop(index))
            for moved, row in zip(order, rows, strict=True):
                connection.execute(sa.update(_RUNS).where(_RUNS.c.id == moved).values(position=row.position))

    def rename(self, run_id: str, name: str) -> None:
        self._change(run_id, name=clean_name(name))

    def annotate(self, run_id: str, note: str) -> None:
        self._change(run_id, note=note[:10_000])

    def delete(self, run_id: str) -> None:
        """Forget a run; its folder is the caller's to remove (`fmnist.checkpoint.remove_run`).

        Raises:
            StoreError: it is being trained.
        """
        with self._writing() as connection:
            if self._lock(connection, run_id)[0] == Status.RUNNING:
                raise StoreError("This run is being trained. Stop or cancel it first, then delete it.")
            connection.execute(sa.delete(_RUNS).where(_RUNS.c.id == run_id))

    # ---- what a worker does --------------------------------------------------------------------------------------------------------

    def claim(self, device: str, process: Process, run_id: str | None = None) -> Run | None:
        """Take the next waiting run of a device (or that one run), each by exactly one caller; None when nothing waits."""
        waiting = sa.select(_RUNS.c.id).where(_RUNS.c.status == Status.QUEUED, _RUNS.c.device == device)
        if run_id:
            waiting = waiting.where(_RUNS.c.id == run_id)
        waiting = waiting.order_by(_RUNS.c.position).limit(1).with_for_update(skip_locked=True)
        with self._writing() as connection:
            row = connection.execute(
                sa.update(_RUNS)
                .where(_RUNS.c.id == waiting.scalar_subquery(), _RUNS.c.status == Status.QUEUED)
                .values(
                    status=Status.RUNNING,
                    request=None,
                    message=None,
                    pid=process.pid,
                    pid_started=process.started,
                    host=process.host,
                    restarts=_RUNS.c.restarts + 1,
                    started=sa.func.coalesce(_RUNS.c.started, time.time()),
                )
                .returning(_RUNS)
            )
            found = row.mappings().first()
            return _run(found) if found else None

    def record(self, run_id: str, steps: Sequence[Step], *, preview: dict[str, Any] | None = None) -> Request | None:
        """Write points of the curve; returns what a person has asked for since.

        Raises:
            StoreError: the run was deleted, or is not running any more.
        """
        change: dict[str, Any] = {}
        if preview is not None:
            change["preview"] = json.dumps(preview, allow_nan=False)
        if steps:
            last = steps[-1]
            change |= {"step": last.step, "seconds": last.seconds, "images_per_second": last.images_per_second}
        with self._writing() as connection:
            status, request = self._lock(connection, run_id)
            if status != Status.RUNNING:
                raise StoreError(f"This run was taken away from its worker: it is {status.value} now.")
            if steps:
                connection.execute(sa.insert(_STEPS), [{"run": run_id, **asdict(step)} for step in steps])
            if change:
                connection.execute(sa.update(_RUNS).where(_RUNS.c.id == run_id).values(**change))
        return request

    def commit(self, run_id: str, checkpoint: Checkpoint, epoch: Epoch | None = None, seconds: float | None = None) -> None:
        """Make a checkpoint, whose files are on the disk already, the one that the run goes on from; with it an epoch's figures."""
        with self._writing() as connection:
            connection.execute(sa.delete(_CHECKPOINTS).where(_CHECKPOINTS.c.run == run_id, _CHECKPOINTS.c.step == checkpoint.step))
            connection.execute(sa.insert(_CHECKPOINTS).values(run=run_id, **asdict(checkpoint)))
            change: dict[str, Any] = {"step": checkpoint.step, "epoch": checkpoint.epoch, "crashes": 0}
            if seconds is not None:
                change["seconds"] = seconds
            if epoch:
                connection.execute(sa.insert(_EPOCHS).values(run=run_id, **asdict(epoch)))
                change |= {"seconds": epoch.seconds, "images_per_second": epoch.images_per_second}
            connection.execute(sa.update(_RUNS).where(_RUNS.c.id == run_id).values(**change))

    def drop_states(self, run_id: str, before: int) -> list[str]:
        """Forget the resume states of checkpoints before a step, keeping their weights; returns the file names to remove."""
        old = sa.and_(_CHECKPOINTS.c.run == run_id, _CHECKPOINTS.c.step < before, _CHECKPOINTS.c.state.is_not(None))
        with self._writing() as connection:
            names = list(connection.execute(sa.select(_CHECKPOINTS.c.state).where(old)).scalars())
            connection.execute(sa.update(_CHECKPOINTS).where(old).values(state=None, state_sha256=None))
        return names

    def rewind(self, run_id: str, step: int, epoch: int, seconds: float) -> None:
        """Forget every point and epoch after a checkpoint, before training goes on from it."""
        with self._writing() as connection:
            connection.execute(sa.delete(_STEPS).where(_STEPS.c.run == run_id, _STEPS.c.step > step))
            connection.execute(sa.delete(_EPOCHS).where(_EPOCHS.c.run == run_id, _EPOCHS.c.step > step))
            connection.execute(sa.delete(_CHECKPOINTS).where(_CHECKPOINTS.c.run == run_id, _CHECKPOINTS.c.step > step))
            change = {"step": step, "epoch": epoch, "seconds": seconds, "restarts": _RUNS.c.restarts + 1}
            connection.execute(sa.update(_RUNS).where(_RUNS.c.id == run_id).values(**change))

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
        with self._writing() as connection:
            _, request = self._lock(connection, run_id)
            change = {"message": _storable(message), **_NO_SITTING, **_in_status(status)}
            if request and not status.ended:
                change |= self._obey(connection, run_id, request)
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
        with self._writing(in_turn=True) as connection:
            row = connection.execute(sa.select(_RUNS).where(_RUNS.c.id == run_id).with_for_update()).mappings().first()
            if row is None or row["status"] != Status.RUNNING or _process(row) != process:
                return _run(row).status if row else Status.CANCELLED
            change: dict[str, Any] = {**_NO_SITTING, "crashes": row["crashes"] + 1}
            if request := _run(row).request:
                change |= self._obey(connection, run_id, request)
            elif row["crashes"] + 1 >= RESTART_LIMIT:
                change |= _in_status(Status.FAILED) | {
                    "message": f"Its process was killed {RESTART_LIMIT} times without getting further, perhaps for lack of memory. "
                    "Try a smaller batch size, or resume it.",
                }
            else:
                head = sa.select(sa.func.min(_RUNS.c.position) - 1).scalar_subquery()
                change |= _in_status(Status.QUEUED) | {
                    "position": head,
                    "message": "Its process was killed; it goes on from its last checkpoint.",
                }
            connection.execute(_update(run_id, change))
            return change["status"]

    # ---- figures -------------------------------------------------------------------------------------------------------------------

    def steps(self, run_id: str, after: int = 0) -> list[Step]:
        """The points of the curve behind a cursor, in order."""
        query = sa.select(*list(_STEPS.c)[1:]).where(_STEPS.c.run == run_id, _STEPS.c.step > after).order_by(_STEPS.c.step)
        with self._reading() as connection:
            return [Step(**row) for row in connection.execute(query).mappings()]

    def epochs(self, run_id: str) -> list[Epoch]:
        query = sa.select(*list(_EPOCHS.c)[1:]).where(_EPOCHS.c.run == run_id).order_by(_EPOCHS.c.epoch)
        with self._reading() as connection:
            return [Epoch(**row) for row in connection.execute(query).mappings()]

    def last_epochs(self) -> dict[str, Epoch]:
        """The newest epoch of every run that has one, by run id; one query for the whole table of runs."""
        newest = sa.select(_EPOCHS.c.run, sa.func.max(_EPOCHS.c.epoch).label("epoch")).group_by(_EPOCHS.c.run).subquery()
        query = sa.select(_EPOCHS).join(newest, sa.and_(_EPOCHS.c.run == newest.c.run, _EPOCHS.c.epoch == newest.c.epoch))
        with self._reading() as connection:
            rows = [dict(row) for row in connection.execute(query).mappings()]
        return {row.pop("run"): Epoch(**row) for row in rows}

    def checkpoints(self, run_id: str) -> list[Checkpoint]:
        """The newest first."""
        query = sa.select(*list(_CHECKPOINTS.c)[1:]).where(_CHECKPOINTS.c.run == run_id).order_by(_CHECKPOINTS.c.step.desc())
        with self._reading() as connection:
            return [Checkpoint(**row) for row in connection.execute(query).mappings()]

    # ---- inside --------------------------------------------------------------------------------------------------------------------

    def _lock(self, connection: Connection, run_id: str) -> tuple[Status, Request | None]:
        """Status and open request of a run, which nobody else changes before the transaction is over."""
        row = connection.execute(sa.select(_RUNS).where(_RUNS.c.id == run_id).with_for_update()).mappings().first()
        if row is None:
            raise _unknown(run_id)
        run = _run(row)
        return run.status, run.request

    def _obey(self, connection: Connection, run_id: str, request: Request) -> dict[str, Any]:
        """What obeying changes in a run that nobody trains. Stopping keeps the model; without one it is a cancellation."""
        saved = connection.execute(sa.select(_CHECKPOINTS.c.step).where(_CHECKPOINTS.c.run == run_id).limit(1)).first()
        stopped = Status.STOPPED if saved else Status.CANCELLED
        return _in_status({Request.PAUSE: Status.PAUSED, Request.STOP: stopped, Request.CANCEL: Status.CANCELLED}[request])

    def _change(self, run_id: str, **values: Any) -> None:
        storable = {name: _storable(value) if isinstance(value, str) else value for name, value in values.items()}
        with self._writing() as connection:
            if not connection.execute(sa.update(_RUNS).where(_RUNS.c.id == run_id).values(**storable)).rowcount:
                raise _unknown(run_id)


_NO_SITTING: dict[str, Any] = {"pid": None, "pid_started": None, "host": None, "images_per_second": None}


def _in_status(status: Status) -> dict[str, Any]:
    """The columns that change with the status of a run that nobody trains."""
    return {"status": status, "request": None, "ended": time.time() if status.ended else None}


def _unknown(run_id: str) -> StoreError:
    return StoreError(f"There is no run {run_id[:40]!r}. It may have been deleted.")


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"The folder {path} for the run store cannot be made: {error.strerror}. FMNIST_HOME names another one.") from error


def _storable(text: str | None) -> str | None:
    """Text without what a database refuses: NUL, and halves of characters from broken file names."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8") if text else text


def _legible(stored: bytes) -> str:
    """Text from SQLite; bytes that a bad disk has changed damage one run, not the whole list."""
    return stored.decode("utf-8", "replace")


def clean_name(name: str) -> str:
    """A run's name: printable, in one line, at most 64 characters.

    Raises:
        StoreError: nothing is left.
    """
    kept = "".join(letter if letter.isprintable() else " " for letter in name)
    kept = " ".join(kept.split())[:64].strip()
    if not kept:
        raise StoreError("Give the run a name of at least one letter.")
    return kept


def folder(run: Run | str) -> Path:
    """Where a run keeps its checkpoints and its log."""
    return run_folder(run if isinstance(run, str) else run.id)


def _update(run_id: str, values: dict[str, Any]) -> Any:
    return sa.update(_RUNS).where(_RUNS.c.id == run_id).values(**values).returning(_RUNS)


def _process(row: Any) -> Process | None:
    return Process(row["pid"], row["pid_started"], row["host"]) if row["pid"] is not None else None


def _run(row: Any) -> Run:
    """A row as a Run; what cannot be read makes it a damaged one, never an exception."""
    values = {name: row[name] for name in row if name not in ("token", "crashes", "pid", "pid_started", "host")}
    config, damage = None, None
    try:
        config = parse(values["config"])
    except ConfigError as error:
        damage = f"Its stored config cannot be read: {error}"
    if values["status"] not in set(Status) or values["request"] not in {None, *Request}:
        damage = f"Its stored status {values['status']!r} (asked: {values['request']!r}) is unknown; a newer version may have written it."
    return Run(
        **{
            **values,
            "status": Status(values["status"]) if values["status"] in set(Status) else Status.FAILED,
            "request": Request(values["request"]) if values["request"] in set(Request) else None,
            "config": config,
            "damage": damage,
            "environment": _json(values["environment"]) or {},
            "preview": _json(values["preview"]),
            "process": _process(row),
        }
    )


def _json(text: str | None) -> dict[str, Any] | None:
    try:
        value = json.loads(text) if text else None
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
