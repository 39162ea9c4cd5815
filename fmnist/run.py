"""A run: what was asked for, how far it is, what came of it. Known to every part; where runs are kept is `fmnist.store`.

Life of a run:

    queued -> running -> finished
      ^         |  -> stopped    (by hand; the model is kept as it is)
      |         |  -> paused     (by hand; resume puts it at the head of the queue)
      |         |  -> cancelled, failed, diverged
      +---------+  requeued when its process was killed or the dashboard was shut down
"""

import json
import math
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

from fmnist import seal
from fmnist.config import TrainConfig, parse
from fmnist.errors import ConfigError, StoreError
from fmnist.home import run_folder
from fmnist.placement import Placement


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


class Kind(StrEnum):
    """What can happen to a run; the second half are the statuses in which a sitting ends."""

    QUEUED = "queued"
    STARTED = "started"  # a process has taken it
    REWOUND = "rewound"  # goes on from a checkpoint, behind which something was lost
    RATE = "rate"  # another learning rate from a step on
    INEXACT = "inexact"  # goes on under other conditions: see fmnist.exactness
    RESUMED = "resumed"
    INTERRUPTED = "interrupted"  # its process had to go, and kept it to the step
    CRASHED = "crashed"
    PAUSED = "paused"
    STOPPED = "stopped"
    CANCELLED = "cancelled"
    FINISHED = "finished"
    FAILED = "failed"
    DIVERGED = "diverged"


@dataclass(frozen=True)
class Happening:
    """One line in the life of a run."""

    at: float  # wall clock, seconds since the epoch
    kind: str  # a Kind, or what a newer version calls one
    step: int  # finished steps then
    words: str | None


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
    tags: tuple[str, ...]
    archived: float | None  # since when it is put aside: kept, but not in the way
    binned: float | None  # since when it lies in the bin: out of sight, and brought back by an undo
    origin: str | None  # the id of the run that this one was made from
    sweep: str | None  # the id of the sweep that it is a trial of
    continues: int | None  # the step of its origin from whose checkpoint it began; None: from fresh weights
    rate_changes: tuple[tuple[int, float], ...]  # (step, factor): from this step on (0 = the first) the schedule times the factor
    rate_request: float | None  # the factor that a person asked for, until a worker has taken it over
    inexact: str | None  # where and why it is not what it would have been without its interruptions; None: it is, bit for bit
    process: Process | None
    placement: Placement
    job: str | None  # its name on the cluster, since it was submitted there
    job_seen: int | None  # so many of the job's records are in the store

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


def best_run(runs: Iterable[Run]) -> Run | None:
    """The run of the highest test accuracy, the first of equal ones; a damaged one does not count. None if none was judged."""
    judged = [run for run in runs if run.accuracy is not None and not run.damage]
    return max(judged, key=lambda run: run.accuracy or 0.0, default=None)


def folder(run: Run | str) -> Path:
    """Where a run keeps its checkpoints and its log."""
    return run_folder(run if isinstance(run, str) else run.id)


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


def clean_tag(tag: str) -> str:
    """A tag: printable, in one line, at most 32 characters, without the commas and quotes that stand between and around tags.

    Raises:
        StoreError: nothing is left.
    """
    kept = "".join(letter if letter.isprintable() and letter not in ',"' else " " for letter in tag)
    kept = " ".join(kept.split())[:32].strip()
    if not kept:
        raise StoreError("A tag needs at least one letter, and has no commas or quotes.")
    return kept


_STATUSES = {status.value: status for status in Status}
_REQUESTS = {request.value: request for request in Request}
_NUMBERS = {  # what stands in the place of a number that is none
    **dict.fromkeys(("number", "position", "created", "epoch", "step", "seconds", "restarts"), 0),
    **dict.fromkeys(("started", "ended", "images_per_second", "accuracy", "loss", "archived", "binned")),
    **dict.fromkeys(("workers", "gpus_per_worker", "job_seen")),
}
_TEXTS = (
    *("name", "note", "config", "device", "message", "environment", "preview", "tags", "origin", "sweep", "inexact"),
    *("cluster", "job"),
)


def from_row(row: Any) -> Run:
    """A row as a Run; what cannot be read makes it a damaged one, never an exception."""
    values = {name: row[name] for name in row if name not in ("token", "crashes", "pid", "pid_started", "host", seal.COLUMN)}
    damage, config = _mend(values) or _broken_seal(row), None
    try:
        config = _parsed(values["config"])
    except ConfigError as error:
        damage = f"Its stored config cannot be read: {error}"
    status, request = _STATUSES.get(values["status"]), _REQUESTS.get(values["request"])
    if status is None or (request is None and values["request"] is not None):
        damage = f"Its stored status {values['status']!r} (asked: {values['request']!r}) is unknown; a newer version may have written it."
    place = take_placement(values)
    changes = _rate_changes(values["rate_changes"])
    if changes is None:
        damage = "Its stored changes of the learning rate cannot be read, so nobody knows how it was trained."
    return Run(
        **{
            **values,
            "status": status or Status.FAILED,
            "request": request,
            "config": config,
            "damage": damage,
            "environment": json_object(values["environment"]) or {},
            "preview": _preview(values["preview"]),
            "tags": _words(values["tags"]),
            "rate_changes": changes or (),
            "process": process_of(row),
            "placement": place,
        }
    )


@lru_cache(maxsize=4096)
def _parsed(config: str) -> TrainConfig:
    """Most of the time that a long list of runs takes, and the same every time: a stored config does not change."""
    return parse(config)


def _mend(values: dict[str, Any]) -> str | None:
    """Put something of the right kind where SQLite holds something else; returns what was wrong, None if nothing was."""
    wrong = [name for name in _NUMBERS if (value := values[name]) is not None and not _plausible(value)]
    values |= {name: _NUMBERS[name] for name in wrong}
    wrong += (texts := [name for name in _TEXTS if not isinstance(values[name], str | None)])
    values |= {name: str(values[name]) for name in texts}
    return f"What is stored as its {', '.join(wrong)} cannot be: it is of the wrong kind or out of all bounds." if wrong else None


def _broken_seal(row: Any) -> str | None:
    """What to say where the row is not what was written; a row of an earlier version has no seal."""
    if row[seal.COLUMN] is None or row[seal.COLUMN] == seal.of_run(row):
        return None
    return "What is stored of it (settings, device, result) is not what was written: a bad disk or another program has changed it."


def _plausible(value: Any) -> bool:
    """A number that can be a time or a count; none of them comes near a hundred billion."""
    return isinstance(value, int | float) and abs(value) < 1e11


def json_object(text: str | None) -> dict[str, Any] | None:
    """None for what is none."""
    try:
        value = json.loads(text) if text else None
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _words(text: str) -> tuple[str, ...]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return ()
    return tuple(word for word in value if isinstance(word, str)) if isinstance(value, list) else ()


def _rate_changes(text: str) -> tuple[tuple[int, float], ...] | None:
    """None for what is not a list of pairs of numbers."""
    try:
        changes = tuple((int(step), float(factor)) for step, factor in json.loads(text))
    except (ValueError, TypeError, OverflowError, RecursionError):
        return None
    return changes if all(math.isfinite(factor) for _, factor in changes) else None


def _preview(text: str | None) -> dict[str, Any] | None:
    """What a worker wrote of a handful of pictures; None for anything else."""
    if (found := json_object(text)) is None:
        return None
    try:
        classes = range(len(found["probabilities"][0]))
        rows = list(zip(found["images"], found["labels"], found["probabilities"], strict=True))
        sound = all(
            isinstance(image, int) and 0 <= image < 10_000 and label in classes and all(math.isfinite(share) for share in shares)
            for image, label, shares in rows
        )
    except (KeyError, IndexError, TypeError, ValueError):
        return None
    return found if sound and isinstance(found.get("split"), str) else None


def take_placement(values: dict[str, Any]) -> Placement:
    """Where a row of runs or of sweeps runs, taken out of its values; what cannot be counts as this machine."""
    cluster, workers, gpus = (values.pop(name) for name in ("cluster", "workers", "gpus_per_worker"))
    try:
        return Placement(cluster, workers or 1, gpus or 0.0)
    except ConfigError:
        return Placement(cluster)


def process_of(row: Any) -> Process | None:
    """Who trains the run of a row."""
    return Process(row["pid"], row["pid_started"], row["host"]) if row["pid"] is not None else None
