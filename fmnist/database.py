"""The database of the run store: its tables, and transactions that mean what they say, on SQLite and PostgreSQL.

`runs` (a line each: config, status, progress, result), `steps` (the curve inside the epochs), `epochs` (figures of each finished
epoch), `checkpoints` (the files in the run folder and their SHA-256), `happenings` (what befell a run, and when), `sittings` (where and
with what each process computed it), `sweeps` (searches, whose trials are runs) and `clusters` (other places to run). Why it is so:
docs/decisions/0005. A column that a later version adds may be NULL or has a `server_default`: databases of earlier versions get it when
they are opened.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import ArgumentError, DBAPIError

from fmnist import database_file, seal
from fmnist.errors import StoreError

_TURN = 7_240_601  # the name of PostgreSQL's advisory lock for writers that take turns

META = sa.MetaData()


def _of_placement() -> list[sa.Column]:
    """Where a run or a sweep runs; all NULL: on this machine, in one process."""
    return [
        sa.Column("cluster", sa.String(32)),
        sa.Column("workers", sa.Integer),
        sa.Column("gpus_per_worker", sa.Double),
        sa.Column("job", sa.String(80)),  # its name on the cluster, since it was submitted
        sa.Column("job_seen", sa.Integer),  # so many of the job's records are in this store
    ]


RUNS = sa.Table(
    "runs",
    META,
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
    sa.Column("tags", sa.Text, nullable=False, server_default="[]"),
    sa.Column("archived", sa.Double),
    sa.Column("binned", sa.Double),
    sa.Column("origin", sa.String(32)),
    sa.Column("sweep", sa.String(32)),
    sa.Column("continues", sa.Integer),
    sa.Column("rate_changes", sa.Text, nullable=False, server_default="[]"),  # JSON: [[step, factor], ...], see docs/decisions/0016
    sa.Column("rate_request", sa.Double),
    sa.Column(seal.COLUMN, sa.BigInteger),
    sa.Column("inexact", sa.Text),
    *_of_placement(),
)


def _of_run() -> sa.Column:
    return sa.Column("run", sa.String(32), sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)


STEPS = sa.Table(
    "steps",
    META,
    _of_run(),
    sa.Column("step", sa.Integer, primary_key=True),
    *(sa.Column(name, sa.Double, nullable=False) for name in ("epoch", "seconds", "loss", "learning_rate", "images_per_second")),
    sa.Column(seal.COLUMN, sa.BigInteger),
)
EPOCHS = sa.Table(
    "epochs",
    META,
    _of_run(),
    sa.Column("epoch", sa.Integer, primary_key=True),
    sa.Column("step", sa.Integer, nullable=False),
    *(
        sa.Column(name, sa.Double, nullable=False)
        for name in ("seconds", "train_loss", "train_accuracy", "loss", "accuracy", "learning_rate", "images_per_second")
    ),
    sa.Column("silent", sa.Double),
    sa.Column(seal.COLUMN, sa.BigInteger),
)
CHECKPOINTS = sa.Table(
    "checkpoints",
    META,
    _of_run(),
    sa.Column("step", sa.Integer, primary_key=True),
    sa.Column("epoch", sa.Integer, nullable=False),
    sa.Column("weights", sa.String(80), nullable=False),
    sa.Column("weights_sha256", sa.String(64), nullable=False),
    sa.Column("state", sa.String(80)),
    sa.Column("state_sha256", sa.String(64)),
    sa.Column("created", sa.Double, nullable=False),
)
HAPPENINGS = sa.Table(
    "happenings",
    META,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("run", sa.String(32), sa.ForeignKey("runs.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("step", sa.Integer, nullable=False),
    sa.Column("words", sa.Text),
)
SITTINGS = sa.Table(
    "sittings",
    META,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("run", sa.String(32), sa.ForeignKey("runs.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("step", sa.Integer, nullable=False),
    sa.Column("environment", sa.Text, nullable=False),
)
SWEEPS = sa.Table(
    "sweeps",
    META,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("number", sa.Integer, nullable=False, unique=True),
    sa.Column("token", sa.String(64), unique=True),  # one click = one sweep
    sa.Column("name", sa.String(80), nullable=False),
    sa.Column("spec", sa.Text, nullable=False),
    sa.Column("status", sa.String(16), nullable=False, index=True),
    sa.Column("device", sa.String(16), nullable=False),
    sa.Column("created", sa.Double, nullable=False),
    sa.Column("proposed", sa.Integer, nullable=False, default=0),
    sa.Column("resumed", sa.Integer, nullable=False, default=0),
    sa.Column("message", sa.Text),
    *_of_placement(),
)
CLUSTERS = sa.Table(
    "clusters",
    META,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("name", sa.String(80), nullable=False, unique=True),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("storage", sa.Text, nullable=False),
    sa.Column("token_file", sa.Text),  # a path: the token itself is never in the database
    sa.Column("created", sa.Double, nullable=False),
)


class Database:
    """A database with the tables of the run store; safe to use from many processes and threads.

    Raises:
        StoreError: from every method, when it cannot be reached or refuses (a full disk, a read-only folder).
    """

    def __init__(self, url: str) -> None:
        self._engine = _connect(url)
        if url.startswith("sqlite:///"):
            path = Path(url.removeprefix("sqlite:///"))
            database_file.prepare(path)
            database_file.guard(self._engine, path)
        self._make_tables()

    def close(self) -> None:
        self._engine.dispose()

    def check(self) -> None:
        """Look through a whole SQLite file: some seconds for a large one. What PostgreSQL keeps is its own to check.

        Raises:
            StoreError: a part of it cannot be read or contradicts another.
        """
        if self._engine.dialect.name == "sqlite":
            with self.reading() as connection:
                found = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar()
            if found != "ok":
                raise StoreError(f"The run store is damaged: {' '.join(str(found).split())}. {database_file.ADVICE}")

    def _make_tables(self) -> None:
        """The tables and columns that are missing: a store that has them all opens without writing, so on a full disk too."""
        with self.reading() as connection:
            if not _missing(connection):
                return
        with self.writing(in_turn=True) as connection:
            META.create_all(connection)
            for column in _missing(connection):
                kind = sa.schema.CreateColumn(column).compile(dialect=connection.dialect)
                connection.execute(sa.DDL(f"ALTER TABLE {column.table.name} ADD COLUMN {kind}"))

    @contextmanager
    def writing(self, *, in_turn: bool = False) -> Iterator[Connection]:
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
    def reading(self) -> Iterator[Connection]:
        """A connection to read with."""
        try:
            with self._engine.connect() as connection:
                yield connection
        except DBAPIError as error:
            raise StoreError(self._complaint(error)) from error

    def _complaint(self, error: DBAPIError) -> str:
        place, reason = self._engine.url.render_as_string(hide_password=True), " ".join(str(error.orig).split())
        for words, state in (("disk is full", "full"), ("readonly database", "read-only")):  # SQLite's
            if words in reason:
                return f"The disk is {state}: the run store at {place} could not be written. Mend that, then try again."
        on_disk = self._engine.dialect.name == "sqlite"
        if on_disk and (advice := database_file.advice(reason)):
            return f"The run store at {place} cannot be read: {reason}. {advice}"
        advice = "the disk has space and the folder can be written" if on_disk else "the server runs and FMNIST_DB names it"
        return f"The run store at {place} refused: {reason}. Check that {advice}."


def _missing(connection: Connection) -> list[sa.Column]:
    """The columns that a database does not have yet, because it is new or was made by an earlier version."""
    inspector = sa.inspect(connection)
    known = set(inspector.get_table_names()) & set(META.tables)
    there = {name: {column["name"] for column in inspector.get_columns(name)} for name in known}
    return [column for table in META.sorted_tables for column in table.columns if column.name not in there.get(table.name, ())]


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


def _legible(stored: bytes) -> str:
    """Text from SQLite; bytes that a bad disk has changed damage one run, not the whole list."""
    return stored.decode("utf-8", "replace")
