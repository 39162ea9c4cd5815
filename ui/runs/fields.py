"""Every setting and every figure of a run, under the short word by which the table of runs shows, filters, sorts and groups by it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

from fmnist import config
from fmnist.events import Epoch
from fmnist.run import Run
from ui import place
from ui.runs import run_rows

Kind = Literal["text", "prose", "tags", "number", "percent", "duration", "moment", "switch"]


class Entry(NamedTuple):
    """A run with what the table says of its epochs."""

    run: Run
    last: Epoch | None
    best: Epoch | None  # by accuracy on the monitor split


@dataclass(frozen=True)
class Field:
    """What can be known of a run.

    `value` is None where a run has none, 0-100 for a percentage, a tuple of texts for tags.
    """

    title: str
    kind: Kind
    value: Callable[[Entry], Any]
    help: str = ""
    format: str | None = None  # of numbers, as Streamlit's NumberColumn wants it
    most_first: bool = False  # what a person wants to see at the top


def entries(runs: Sequence[Run], last: Mapping[str, Epoch], best: Mapping[str, Epoch]) -> list[Entry]:
    return [Entry(run, last.get(run.id), best.get(run.id)) for run in runs]


def shown(field: Field, value: Any) -> str:
    """A value in words: "93.12 %", "yes", "–" for none."""
    if value is None or value == ():
        return "–"
    if field.kind == "tags":
        return ", ".join(value)
    if field.kind == "switch":
        return "yes" if value else "no"
    if field.kind == "percent":
        return f"{value:.4g}\N{NO-BREAK SPACE}%"
    if field.kind == "duration":
        return f"{value.total_seconds():g} s"
    if field.kind == "moment":
        return f"{value:%Y-%m-%d}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _setting(name: str) -> Field:
    """A field of TrainConfig."""
    info = config.FIELDS[name]
    kind: Kind = "switch" if info.annotation is bool else "text" if config.choices(name) else "number"

    def value(entry: Entry) -> Any:
        return getattr(entry.run.config, name) if entry.run.config else None

    return Field(info.title or name, kind, value, info.description or "", "localized" if info.annotation is int else "%g")


def _share(value: float | None) -> float | None:
    return None if value is None else 100 * value


def _duration(seconds: float) -> timedelta | None:
    return timedelta(seconds=round(seconds)) if seconds else None


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _speed(entry: Entry) -> float | None:
    return entry.run.images_per_second or (entry.last.images_per_second if entry.last else None)


_MONITOR = "on the validation images, or on the test images where nothing is held back: there it is a monitor and selects nothing."

FIELDS: dict[str, Field] = {
    "number": Field("Run", "number", lambda entry: entry.run.number, most_first=True),
    "name": Field("Name", "prose", lambda entry: entry.run.name),
    "status": Field("Status", "text", lambda entry: run_rows.look(entry.run).word),
    "tag": Field("Tags", "tags", lambda entry: entry.run.tags),
    "note": Field("Note", "prose", lambda entry: entry.run.note or None),
    "accuracy": Field(
        "Test accuracy",
        "percent",
        lambda entry: _share(entry.run.accuracy),
        "On the 10,000 test images, at the end of the run.",
        "%.2f %%",
        most_first=True,
    ),
    "loss": Field("Test loss", "number", lambda entry: entry.run.loss, "On the 10,000 test images, at the end of the run.", "%.4f"),
    "best": Field(
        "Best monitor accuracy",
        "percent",
        lambda entry: _share(entry.best and entry.best.accuracy),
        f"The highest after any epoch, {_MONITOR}",
        "%.2f %%",
        most_first=True,
    ),
    "best_epoch": Field("Best epoch", "number", lambda entry: entry.best and entry.best.epoch, "The epoch of the best monitor accuracy."),
    "last": Field(
        "Last monitor accuracy",
        "percent",
        lambda entry: _share(entry.last and entry.last.accuracy),
        f"After the last epoch, {_MONITOR}",
        "%.2f %%",
        most_first=True,
    ),
    "last_loss": Field(
        "Last monitor loss", "number", lambda entry: entry.last and entry.last.loss, f"After the last epoch, {_MONITOR}", "%.4f"
    ),
    "train_loss": Field("Last training loss", "number", lambda entry: entry.last and entry.last.train_loss, format="%.4f"),
    "monitor": Field(
        "Monitor",
        "text",
        lambda entry: entry.run.config and entry.run.config.monitor,
        "The images that are looked at after each epoch: validation where some are held back, test where none are.",
    ),
    "done": Field("Epochs done", "number", lambda entry: entry.run.epoch),
    **{name: _setting(name) for name in config.FIELDS},
    "place": Field(
        "Where", "text", lambda entry: place.in_words(entry.run.placement), "This machine, or a cluster, and in how many processes."
    ),
    "device": Field("Device", "text", lambda entry: entry.run.device, "Where it was, or will be, computed."),
    "time": Field(
        "Training time",
        "duration",
        lambda entry: _duration(entry.run.seconds),
        format="compact",
    ),
    "speed": Field("Images per second", "number", _speed, format="%.0f", most_first=True),
    "created": Field("Created", "moment", lambda entry: _moment(entry.run.created), most_first=True),
    "archived": Field("Archived", "moment", lambda entry: _moment(entry.run.archived), most_first=True),
    "binned": Field("Deleted", "moment", lambda entry: _moment(entry.run.binned), most_first=True),
    "sweep": Field("Sweep", "text", lambda entry: entry.run.sweep, "The search that it is a trial of."),
    "origin": Field("Made from", "text", lambda entry: entry.run.origin, "The id of the run that it was made from."),
}
