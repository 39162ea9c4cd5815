"""What the run store knows, for whoever reads it: runs found and listed, curves, figures, checkpoints and what befell a run."""

import re
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from fmnist import seal
from fmnist.database import CHECKPOINTS, EPOCHS, HAPPENINGS, RUNS, SITTINGS, STEPS, Database
from fmnist.errors import StoreError
from fmnist.events import Epoch, Step, Stretch
from fmnist.exactness import Sitting
from fmnist.home import database_url
from fmnist.run import Checkpoint, Happening, Run, Status, best_run, from_row, json_object

KEPT = RUNS.c.binned.is_(None)
WAITING = sa.and_(RUNS.c.status == Status.QUEUED, KEPT)


class Ledger:
    """All runs of one database, to be read from many processes and threads.

    Args:
        url: a SQLAlchemy URL; the database of FMNIST_DB or FMNIST_HOME if None.

    Raises:
        StoreError: from every method, when the database cannot be reached.
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

    # ---- finding ---------------------------------------------------------------------------------------------------------------

    def runs(self, *, archived: bool = True) -> list[Run]:
        """Every run that is not in the bin, the newest first; damaged ones among them.

        Args:
            archived: whether those that were put aside are wanted too.
        """
        wanted = KEPT if archived else sa.and_(KEPT, RUNS.c.archived.is_(None))
        return self._select(sa.select(RUNS).where(wanted).order_by(RUNS.c.number.desc()))

    def binned(self) -> list[Run]:
        """What lies in the bin, the last deletion first."""
        return self._select(sa.select(RUNS).where(~KEPT).order_by(RUNS.c.binned.desc(), RUNS.c.number.desc()))

    def ids(self) -> set[str]:
        """Of every run, those in the bin too."""
        with self._database.reading() as connection:
            return set(connection.execute(sa.select(RUNS.c.id)).scalars())

    def queue(self) -> list[Run]:
        """The waiting runs, the next one first."""
        return self._select(sa.select(RUNS).where(WAITING).order_by(RUNS.c.position))

    def running(self) -> list[Run]:
        return self._select(sa.select(RUNS).where(RUNS.c.status == Status.RUNNING).order_by(RUNS.c.number))

    def get(self, run_id: str) -> Run:
        """One run by its whole id.

        Raises:
            StoreError: there is no such run.
        """
        if not re.fullmatch(r"[0-9a-f]{32}", run_id):
            raise unknown(run_id)
        with self._database.reading() as connection:
            row = connection.execute(sa.select(RUNS).where(RUNS.c.id == run_id)).mappings().first()
        if row is None:
            raise unknown(run_id)
        return from_row(row)

    def find(self, word: str) -> Run:
        """One run as a person names it: its number, its id, a unique prefix of it, "latest" or "best" (highest test accuracy).

        Raises:
            StoreError: nothing fits, or several runs do, or it lies in the bin.
        """
        if re.fullmatch(r"[0-9a-f]{32}", word):
            run = self.get(word)
            if run.binned is not None:
                raise _in_the_bin(word)
            return run
        runs = self.runs()
        if word in ("latest", "best"):
            usable = [run for run in runs if run.accuracy is not None and run.archived is None]
            found = best_run(usable) if word == "best" else next(iter(usable), None)
            if found is None:
                raise StoreError(f"There is no {word} run yet: train one first, or use the model 'bundled'.")
            return found
        numbered = [run for run in runs if str(run.number) == word]
        if not numbered and any(word == str(run.number) for run in self.binned()):
            raise _in_the_bin(word)
        fitting = numbered or [run for run in runs if word and run.id.startswith(word.lower())]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            raise StoreError(
                f"{len(fitting)} runs begin with '{word}': {', '.join(run.id[:12] for run in fitting[:5])}. Write more letters."
            )
        raise StoreError(f"There is no run {word[:40]!r}. `python -m fmnist runs` lists all of them.")

    def find_token(self, token: str) -> Run | None:
        """The run that a token named when it was created or adopted."""
        with self._database.reading() as connection:
            return self._with_token(connection, token)

    # ---- figures ---------------------------------------------------------------------------------------------------------------

    def steps(self, run_id: str, after: int = 0) -> list[Step]:
        """The points of the curve behind a cursor, in order."""
        query = sa.select(*list(STEPS.c)[1:]).where(STEPS.c.run == run_id, STEPS.c.step > after).order_by(STEPS.c.step)
        with self._database.reading() as connection:
            return [Step(**values) for values in _whole(connection.execute(query).mappings().all(), "point of its curve")]

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
            return [Epoch(**values) for values in _whole(connection.execute(query).mappings().all(), "epoch")]

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

    def last_happening(self) -> float:
        """When something befell any run for the last time, wall clock; 0 if nothing ever did."""
        with self._database.reading() as connection:
            return connection.execute(sa.select(HAPPENINGS.c.at).order_by(HAPPENINGS.c.id.desc()).limit(1)).scalar() or 0.0

    def sittings(self, run_id: str) -> list[Sitting]:
        """Where and with what each process computed a run, the first one first; empty for a run of an earlier version."""
        with self._database.reading() as connection:
            return self._sittings(connection, run_id)

    # ---- inside ----------------------------------------------------------------------------------------------------------------

    def _sittings(self, connection: Connection, run_id: str) -> list[Sitting]:
        query = sa.select(SITTINGS.c.step, SITTINGS.c.environment).where(SITTINGS.c.run == run_id).order_by(SITTINGS.c.id)
        return [Sitting(row.step, json_object(row.environment) or {}) for row in connection.execute(query)]

    def _with_token(self, connection: Connection, token: str) -> Run | None:
        row = connection.execute(sa.select(RUNS).where(RUNS.c.token == token)).mappings().first()
        return from_row(row) if row else None

    def _select(self, query: sa.Select) -> list[Run]:
        with self._database.reading() as connection:
            return [from_row(row) for row in connection.execute(query).mappings()]

    def _epochs_by_run(self, query: sa.Select) -> dict[str, Epoch]:
        """Without rows that a bad disk has changed: SQLite takes words for numbers."""
        with self._database.reading() as connection:
            found = {row["run"]: epoch_of(row) for row in connection.execute(query).mappings() if not seal.is_broken(row)}
        return {run: epoch for run, epoch in found.items() if not any(isinstance(value, str) for value in vars(epoch).values())}


def epoch_of(row: Any) -> Epoch:
    """A row of the table of epochs."""
    return Epoch(**{name: row[name] for name in row if name not in ("run", seal.COLUMN)})


def _whole(rows: Sequence[Any], what: str) -> list[dict[str, Any]]:
    """Rows of figures as they were written.

    Raises:
        StoreError: one of them is not.
    """
    if broken := sum(map(seal.is_broken, rows)):
        raise StoreError(
            f"{broken:,} {what}{'s are' if broken > 1 else ' is'} not what was written: a bad disk or another program has changed the run "
            "store. Put a backup of it in its place; the weights of this run are not touched by that."
        )
    return [{name: row[name] for name in row if name != seal.COLUMN} for row in rows]


def _in_the_bin(word: str) -> StoreError:
    return StoreError(f"The run {word!r} is in the bin. Bring it back on the Runs page, at the foot of the table.")


def unknown(run_id: str) -> StoreError:
    return StoreError(f"There is no run {run_id[:40]!r}. It may have been deleted.")
