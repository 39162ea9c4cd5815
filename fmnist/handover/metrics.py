"""The figures of a run as one table: a row for each point of the curve and for each epoch, as CSV or Parquet, and back from CSV."""

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from fmnist.errors import ReportError, reason
from fmnist.events import Epoch, Step
from fmnist.run import Run

if TYPE_CHECKING:
    import pandas as pd

COLUMNS: tuple[str, ...] = (
    "kind",  # step: a point of the curve, means since the last one; epoch: the figures of a finished epoch
    "step",
    "epoch",
    "seconds",
    "train_loss",
    "train_accuracy",
    "monitor_loss",  # on the validation images, or on the test images where nothing was held back
    "monitor_accuracy",
    "learning_rate",
    "images_per_second",
    "silent_channels",  # the share of ReLU channels that are zero on every image that was looked at; empty where there are none
)
_NAMES = {  # field -> column
    "step": {"loss": "train_loss"},
    "epoch": {"loss": "monitor_loss", "accuracy": "monitor_accuracy", "silent": "silent_channels"},
}


def rows(steps: Sequence[Step], epochs: Sequence[Epoch]) -> list[dict[str, Any]]:
    """All points and epochs by step, an epoch after its last point; what a point does not have is not in its row."""
    found = [_row("step", step) for step in steps] + [_row("epoch", epoch) for epoch in epochs]
    return sorted(found, key=lambda row: row["step"])  # stable: points first


def _row(kind: str, event: Step | Epoch) -> dict[str, Any]:
    return {"kind": kind} | {_NAMES[kind].get(field.name, field.name): getattr(event, field.name) for field in fields(event)}


def write_csv(steps: Sequence[Step], epochs: Sequence[Epoch]) -> bytes:
    """The table as CSV; reading it gives every number back as it was."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows(steps, epochs))
    return text.getvalue().encode()


def write_parquet(steps: Sequence[Step], epochs: Sequence[Epoch]) -> bytes:
    """The table as Parquet."""
    file = io.BytesIO()
    frame(steps, epochs).to_parquet(file, index=False)
    return file.getvalue()


def frame(steps: Sequence[Step], epochs: Sequence[Epoch]) -> "pd.DataFrame":
    """The table for pandas."""
    import pandas as pd

    kinds = {name: "str" if name == "kind" else "int64" if name == "step" else "float64" for name in COLUMNS}
    return pd.DataFrame(rows(steps, epochs), columns=list(COLUMNS)).astype(kinds)


def read_csv(text: str) -> tuple[list[Step], list[Epoch]]:
    """The points and epochs of a table that `write_csv` made; whatever else the text is, one sentence.

    Raises:
        ReportError: it is not such a table, or a number in it cannot be.
    """
    steps, epochs = [], []
    for line, row in _lines(text):
        try:
            event = _event(row)
        except (ValueError, TypeError, KeyError, OverflowError) as error:
            raise ReportError(f"Line {line} of the table of metrics cannot be read. Export the run again.") from error
        (steps if isinstance(event, Step) else epochs).append(event)
    for name, found in (("point", steps), ("epoch", epochs)):
        order = [event.step for event in found]
        if order != sorted(set(order)):
            raise ReportError(f"The table of metrics has a {name} twice or in a wrong order. Export the run again.")
    return steps, epochs


def _lines(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise ReportError(f"The table of metrics needs the columns {', '.join(COLUMNS)}, in this order.")
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise ReportError(f"The table of metrics is not CSV: {reason(error)}. Export the run again.") from error


def _event(row: dict[str, str]) -> Step | Epoch:
    kind = {"step": Step, "epoch": Epoch}[row["kind"]]
    texts = {field.name: row[_NAMES[row["kind"]].get(field.name, field.name)] for field in fields(kind)}
    values: dict[str, Any] = {name: None if name == "silent" and not text else _number(text) for name, text in texts.items()}
    whole = ("step",) if kind is Step else ("step", "epoch")
    return kind(**values | {name: _whole(values[name]) for name in whole})


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number) or number < 0:
        raise ValueError(text)
    return number


def _whole(number: float) -> int:
    if number != int(number) or not 1 <= number < 2**31:
        raise ValueError(number)
    return int(number)


@dataclass(frozen=True)
class Scalar:
    """A figure at a moment, as programs that draw trainings take it."""

    name: str  # "train/loss"
    step: int
    seconds: float  # since the start of the training
    value: float


def scalars(steps: Sequence[Step], epochs: Sequence[Epoch], run: Run) -> list[Scalar]:
    """Every figure of a run by its name, in the order of steps."""
    monitor = run.config.monitor if run.config else "monitor"
    found = []
    for step in steps:
        named = {"train/loss": step.loss, "learning_rate": step.learning_rate, "images_per_second": step.images_per_second}
        found += [Scalar(name, step.step, step.seconds, value) for name, value in named.items()]
    for epoch in epochs:
        named = {"train/epoch_loss": epoch.train_loss, "train/epoch_accuracy": epoch.train_accuracy}
        named |= {f"{monitor}/loss": epoch.loss, f"{monitor}/accuracy": epoch.accuracy}
        named |= {} if epoch.silent is None else {"silent_channels": epoch.silent}
        found += [Scalar(name, epoch.step, epoch.seconds, value) for name, value in named.items()]
    if monitor != "test" and run.accuracy is not None and run.loss is not None:
        final = {"test/accuracy": run.accuracy, "test/loss": run.loss}
        found += [Scalar(name, run.step, run.seconds, value) for name, value in final.items()]
    return sorted(found, key=lambda scalar: scalar.step)
