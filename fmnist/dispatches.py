"""What a job on a cluster says of its trainings, as lines of text that a relay at home reads.

A job prints a line about four times a second: all that its trainings have said since the last one, with the number of the line. So a
reader that knows how many lines it has worked up can begin anew at any time. A line without a word says that the job lives.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from fmnist.config import TrainConfig, parse
from fmnist.events import Epoch, Step
from fmnist.run import Checkpoint, Status

MARK = "@fmnist "  # what a line begins with; everything else that a job prints is for its log


@dataclass(frozen=True)
class Proposed:
    """A trial of a sweep, before its first step."""

    config: TrainConfig


@dataclass(frozen=True)
class Begun:
    """A training goes on from here; what was said of later steps is made again."""

    step: int
    epoch: int
    seconds: float
    environment: dict[str, Any]
    epochs: tuple[Epoch, ...] = ()  # the figures up to here, should they have been lost on the way


@dataclass(frozen=True)
class Kept:
    """A checkpoint lies in the storage."""

    checkpoint: Checkpoint


@dataclass(frozen=True)
class Crashed:
    """The process of a training is gone; the cluster starts it again."""

    words: str


@dataclass(frozen=True)
class Ended:
    """A training is over; without a training's key: the whole job is."""

    status: Status
    message: str | None = None
    accuracy: float | None = None  # on the test split, 0-1
    loss: float | None = None


Event = Step | Epoch | Proposed | Begun | Kept | Crashed | Ended
_KINDS = {kind.__name__.lower(): kind for kind in (Step, Epoch, Proposed, Begun, Kept, Crashed, Ended)}


@dataclass(frozen=True)
class Dispatch:
    """Something that a training says."""

    key: str  # of the trial (`key_of`); "" for a run of its own, and for the job itself
    event: Event


@dataclass(frozen=True)
class Batch:
    """A line: what was said in a quarter of a second."""

    number: int  # 1, 2, 3...; a line without a word repeats the last one
    said: Sequence[Dispatch] = field(default=())


def key_of(config: TrainConfig) -> str:
    """What names a trial: its config, of which a sweep has no two alike."""
    return hashlib.sha256(config.model_dump_json().encode()).hexdigest()[:12]


def encode(batch: Batch) -> str:
    """A batch as one line."""
    said = [[dispatch.key, type(dispatch.event).__name__.lower(), _values(dispatch.event)] for dispatch in batch.said]
    return MARK + json.dumps({"n": batch.number, "said": said}, separators=(",", ":"))


def decode(line: str) -> Batch | None:
    """The batch in a line of a job's output; None for a line that is none of ours, or was torn."""
    if not line.startswith(MARK):
        return None
    try:
        found = json.loads(line.removeprefix(MARK))
        return Batch(found["n"], tuple(Dispatch(key, _event(kind, values)) for key, kind, values in found["said"]))
    except (ValueError, TypeError, KeyError):
        return None


def _values(event: Event) -> dict[str, Any]:
    return {"config": event.config.model_dump()} if isinstance(event, Proposed) else asdict(event)


def _event(kind: str, values: dict[str, Any]) -> Event:
    if kind == "proposed":
        return Proposed(parse(values["config"]))
    if kind == "begun":
        return Begun(**{**values, "epochs": tuple(Epoch(**epoch) for epoch in values["epochs"])})
    if kind == "kept":
        return Kept(Checkpoint(**values["checkpoint"]))
    if kind == "ended":
        return Ended(**{**values, "status": Status(values["status"])})
    return _KINDS[kind](**values)


class Thinner:
    """The points of a curve, thinned at the source: one in half a second at most, so that hundreds of trainings drown nobody."""

    SECONDS = 0.5

    def __init__(self, first: int) -> None:
        self._from, self._points = first, list[Step]()  # steps that are told; points since then

    def add(self, point: Step) -> Step | None:
        """A point that stands for all since the last one, when it is time."""
        self._points.append(point)
        return self.flush() if point.seconds - self._points[0].seconds >= self.SECONDS else None

    def flush(self) -> Step | None:
        """What is left, as one point: means over the steps."""
        if not self._points:
            return None
        points, last = self._points, self._points[-1]
        starts = [self._from, *(point.step for point in points[:-1])]
        steps = [point.step - start for point, start in zip(points, starts, strict=True)]
        loss, speed = (
            sum(getattr(point, name) * count for point, count in zip(points, steps, strict=True)) / sum(steps)
            for name in ("loss", "images_per_second")
        )
        self._from, self._points = last.step, []
        return Step(last.step, last.epoch, last.seconds, loss, last.learning_rate, speed)
