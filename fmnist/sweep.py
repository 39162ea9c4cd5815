"""A sweep: a search over configs, whose trials are runs like any other. What it is, and where it is kept.

The table `sweeps` holds what was asked for and how many trials were proposed; all else is told by the runs themselves. What happens
next is decided in fmnist.sweeping, from these two alone.
"""

import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any, Literal, Self

import sqlalchemy as sa
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from fmnist import seal, search_space
from fmnist.config import FIELDS, TrainConfig, in_words
from fmnist.database import EPOCHS, RUNS, SWEEPS
from fmnist.errors import ConfigError, StoreError
from fmnist.events import Epoch
from fmnist.ledger import epoch_of
from fmnist.placement import HERE, Placement
from fmnist.run import Run, Status, clean_name, from_row, take_placement
from fmnist.search_space import Domain
from fmnist.store import Store

NAME_LENGTH = 48  # leaves room for the number of a trial in the name of a run


class Spec(BaseModel):
    """What a sweep searches, and for how long."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    base: TrainConfig
    space: dict[str, Domain]
    trials: int | None = Field(None, ge=1, le=10_000)
    minutes: float | None = Field(None, gt=0, le=100_000)  # of training time, over all trials
    sampler: Literal["random", "tpe"] = "random"
    halving: bool = True
    seed: int = Field(0, ge=0, le=2**31 - 1)

    @model_validator(mode="after")
    def _can_be_searched(self) -> Self:
        if not self.base.validation_size:
            raise ValueError(
                "A search chooses by validation images, and this config holds none back: set validation_size, for example to 5000. "
                "The test images never choose."
            )
        if not self.space:
            raise ValueError("Name at least one field to search, for example learning_rate=1e-4..1e-1:log.")
        if (self.trials is None) == (self.minutes is None):
            raise ValueError("Say how long to search: a number of trials or a number of minutes, one of the two.")
        for name, domain in self.space.items():
            search_space.check(name, domain)
        return self


def parse_spec(values: dict[str, Any]) -> Spec:
    """A checked spec.

    Raises:
        ConfigError: one sentence for what is wrong first.
    """
    try:
        return Spec.model_validate(values)
    except ValidationError as error:
        item = error.errors()[0]
        if reason := item.get("ctx", {}).get("error"):
            raise ConfigError(str(reason)) from None
        raise ConfigError(f"{item['loc'][0]}: {item['input']!r} is not allowed. {item['msg']}.") from None


class SweepStatus(StrEnum):
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"


@dataclass(frozen=True)
class Sweep:
    """One line of the table of sweeps."""

    id: str
    number: int  # 1, 2, 3... in the order of creation
    name: str
    spec: Spec | None  # None: what is stored cannot be read
    status: SweepStatus
    device: str
    created: float  # wall clock, seconds since the epoch
    proposed: int  # trials so far; those that were deleted since count too
    resumed: int  # as many there were when a person last let it go on
    message: str | None  # why it ended or waits
    placement: Placement  # of each trial
    job: str | None  # its name on the cluster, since it was submitted there
    job_seen: int | None  # so many of the job's records are in the store


@dataclass(frozen=True)
class Trial:
    """A run of a sweep, with its epochs."""

    number: int  # 1, 2, 3... in the order of proposal
    run: Run
    epochs: Sequence[Epoch]

    @cached_property
    def accuracy(self) -> float | None:
        """On the validation images, after its last epoch."""
        return self.epochs[-1].accuracy if self.epochs else None

    @property
    def complete(self) -> bool:
        return self.run.status == Status.FINISHED

    @property
    def stopped_early(self) -> bool:
        """By its sweep or by a person, with figures up to there."""
        return self.run.status == Status.STOPPED

    def accuracy_after(self, epoch: int) -> float | None:
        return next((each.accuracy for each in self.epochs if each.epoch == epoch), None)


def best(trials: Sequence[Trial]) -> Trial | None:
    """The one that is most often right on the validation images after all its epochs; of several, the one with the lowest loss."""
    complete = [trial for trial in trials if trial.complete and trial.epochs]
    return max(complete, key=lambda trial: (trial.epochs[-1].accuracy, -trial.epochs[-1].loss), default=None)


class Sweeps:
    """All sweeps of a store.

    Raises:
        StoreError: from every method, when the database cannot be reached or refuses.
    """

    def __init__(self, store: Store) -> None:
        self._database = store.database

    def create(self, spec: Spec, *, device: str, name: str | None = None, token: str | None = None, placement: Placement = HERE) -> Sweep:
        """Begin a search; a second call with the same token returns the sweep of the first."""
        with self._database.writing(in_turn=True) as connection:
            if token and (row := connection.execute(sa.select(SWEEPS).where(SWEEPS.c.token == token)).mappings().first()):
                return _from_row(row)
            number = connection.execute(sa.select(sa.func.coalesce(sa.func.max(SWEEPS.c.number), 0) + 1)).scalar_one()
            values = {
                "id": uuid.uuid4().hex,
                "number": number,
                "token": token,
                "name": clean_name(name)[:NAME_LENGTH].strip() if name else f"Sweep {number}",
                "spec": spec.model_dump_json(),
                "status": SweepStatus.RUNNING,
                "device": device,
                "created": time.time(),
                **asdict(placement),
            }
            return _from_row(connection.execute(sa.insert(SWEEPS).values(**values).returning(SWEEPS)).mappings().one())

    def all(self) -> list[Sweep]:
        """Every sweep, the newest first."""
        with self._database.reading() as connection:
            return [_from_row(row) for row in connection.execute(sa.select(SWEEPS).order_by(SWEEPS.c.number.desc())).mappings()]

    def running(self) -> list[Sweep]:
        query = sa.select(SWEEPS).where(SWEEPS.c.status == SweepStatus.RUNNING).order_by(SWEEPS.c.number)
        with self._database.reading() as connection:
            return [_from_row(row) for row in connection.execute(query).mappings()]

    def find(self, word: str) -> Sweep:
        """One sweep by its number, its id, or a unique beginning of it.

        Raises:
            StoreError: nothing fits, or several do.
        """
        sweeps = self.all()
        numbered = [sweep for sweep in sweeps if str(sweep.number) == word]
        fitting = numbered or [sweep for sweep in sweeps if word and sweep.id.startswith(word.lower())]
        if len(fitting) == 1:
            return fitting[0]
        known = ", ".join(f"{sweep.number} ({sweep.name})" for sweep in sweeps[:5]) or "none yet"
        raise StoreError(f"{'Several sweeps fit' if fitting else 'There is no sweep'} {word[:40]!r}. The newest: {known}.")

    def get(self, sweep_id: str) -> Sweep:
        """One sweep by its whole id.

        Raises:
            StoreError: there is no such sweep.
        """
        with self._database.reading() as connection:
            row = connection.execute(sa.select(SWEEPS).where(SWEEPS.c.id == sweep_id)).mappings().first()
        if row is None:
            raise StoreError(f"There is no sweep {sweep_id[:40]!r}. It may have been deleted.")
        return _from_row(row)

    def trials(self, sweep_id: str) -> list[Trial]:
        """Its trials that are still there, in the order in which they were proposed."""
        ours = RUNS.c.sweep == sweep_id
        with self._database.reading() as connection:
            rows = connection.execute(sa.select(RUNS).where(ours).order_by(RUNS.c.number)).mappings().all()
            figures = sa.select(EPOCHS).join(RUNS, RUNS.c.id == EPOCHS.c.run).where(ours).order_by(EPOCHS.c.epoch)
            epochs: dict[str, list[Epoch]] = {row["id"]: [] for row in rows}
            for row in connection.execute(figures).mappings():
                if not seal.is_broken(row):
                    epochs[row["run"]].append(epoch_of(row))
        return [Trial(number_of(row["token"]), from_row(row), tuple(epochs[row["id"]])) for row in rows]

    def change(self, sweep_id: str, **values: Any) -> Sweep:
        """Write columns of a sweep; returns it as it is then."""
        with self._database.writing() as connection:
            connection.execute(sa.update(SWEEPS).where(SWEEPS.c.id == sweep_id).values(**values))
        return self.get(sweep_id)

    def count(self, sweep_id: str, proposed: int) -> Sweep:
        """Write down that so many trials were proposed. It never goes back, whoever is late."""
        with self._database.writing() as connection:
            fewer = sa.and_(SWEEPS.c.id == sweep_id, SWEEPS.c.proposed < proposed)
            connection.execute(sa.update(SWEEPS).where(fewer).values(proposed=proposed))
        return self.get(sweep_id)

    def forget(self, sweep_id: str) -> None:
        """Remove a sweep; its trials stay as runs."""
        with self._database.writing() as connection:
            connection.execute(sa.delete(SWEEPS).where(SWEEPS.c.id == sweep_id))


def token_of(sweep_id: str, number: int) -> str:
    """What names a trial, so that a restart never makes it twice."""
    return f"{sweep_id}-{number}"


def number_of(token: str) -> int:
    return int(token.rpartition("-")[2])


def fields_in_words(config: TrainConfig, space: Iterable[str]) -> str:
    """The searched fields of a config: "learning rate 0.003, batch size 64"."""
    return ", ".join(f"{(FIELDS[name].title or name).lower()} {in_words(getattr(config, name))}" for name in space)


def _from_row(row: Any) -> Sweep:
    """A row as a Sweep; what cannot be read, because a newer version wrote it or a disk is bad, is one that has no spec."""
    values = {name: row[name] for name in row if name != "token"}
    try:
        spec, status = Spec.model_validate_json(values["spec"]), SweepStatus(values["status"])
    except ValueError:
        spec, status = None, SweepStatus.PAUSED
    place = take_placement(values)
    return Sweep(**{**values, "spec": spec, "status": status, "placement": place})
