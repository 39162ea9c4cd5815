"""A run trained again: the command that does it, and whether the result is the same, bit for bit; if not, what differs."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from fmnist import checkpoint
from fmnist.config import PRESETS, TrainConfig, parse
from fmnist.errors import ReportError
from fmnist.run import Run
from fmnist.store import Store

FIGURES = ("train_loss", "train_accuracy", "loss", "accuracy")  # of an epoch; its seconds are never the same twice


def command(run: Run) -> str:
    """The shortest command that does what a run did, in the precision that it had.

    Raises:
        ReportError: its settings cannot be read.
    """
    config = exact(run)
    if run.rate_changes:  # by hand, while it was trained: no setting says so
        return repeat(run)
    starts = {"": TrainConfig()} | {name: preset for name, (_, preset) in PRESETS.items()}
    start = min(starts, key=lambda name: len(config.differences(starts[name])))
    words = ["python -m fmnist train", *([f"--preset {start}"] if start else [])]
    words += [f"--{name.replace('_', '-')} {_word(value)}" for name, (value, _) in config.differences(starts[start]).items()]
    return " ".join(words)


def repeat(run: Run) -> str:
    """The command that trains a run again and compares."""
    return f"python -m fmnist reproduce {run.id[:12]}"


def refusal(run: Run) -> str | None:
    """Why a run cannot be trained again from its settings; None if it can."""
    if run.continues:
        return f"{run.name} goes on from another run, from step {run.continues:,}, so its settings alone do not make it again."
    return None


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def exact(run: Run) -> TrainConfig:
    """The config of a run with the precision that "auto" became: the next time its test of a second may choose another one.

    Raises:
        ReportError: its settings cannot be read.
    """
    if run.config is None:
        raise ReportError(f"The settings of {run.name} cannot be read, so it cannot be trained again. {run.damage}")
    precision = run.environment.get("precision", run.config.precision)
    return parse({"precision": precision}, run.config)


@dataclass(frozen=True)
class Difference:
    """A figure that is not the same."""

    what: str  # "epoch 2, loss"
    first: float
    again: float


@dataclass(frozen=True)
class Comparison:
    """Two runs of the same settings."""

    step: int  # of the weights that are compared: the last that both have
    weights: float  # the largest difference of a number; 0 = the same bit for bit
    figures: tuple[Difference, ...]  # of epochs and of the test images; empty = the same bit for bit
    conditions: Mapping[str, tuple[Any, Any]]  # what was not the same when they were trained: version, threads...

    @property
    def same(self) -> bool:
        return not self.weights and not self.figures

    @property
    def words(self) -> str:
        """The verdict in a sentence or two."""
        if self.same:
            return "The result is the same, bit for bit: the weights and the figures of every epoch."
        largest = max(self.figures, key=lambda each: abs(each.again - each.first), default=None)
        said = [f"The result is not the same: weights differ by up to {self.weights:.2g} after step {self.step:,}"]
        said += [f", {largest.what} is {largest.again:.6g} instead of {largest.first:.6g}"] if largest else []
        changed = [f"{name} was {first}, is {again}" for name, (first, again) in self.conditions.items()]
        return "".join(said) + f". What differs: {'; '.join(changed) or 'nothing that is known'}."

    def as_json(self) -> dict[str, Any]:
        return {"same": self.same, **asdict(self)}


def check(store: Store, run: Run) -> None:
    """Whether there is something to compare with.

    Raises:
        ReportError: there is not.
    """
    exact(run)
    if sentence := refusal(run):
        raise ReportError(sentence)
    if not store.checkpoints(run.id):
        raise ReportError(f"{run.name} has no checkpoint, so there is nothing to compare with. Let it finish an epoch first.")


def compare(store: Store, first: Run, again: Run) -> Comparison:
    """Two runs of the same settings, at the last step for which both have weights.

    Raises:
        ReportError: there is no such step.
        CheckpointError: weights are damaged.
    """
    points = [{point.step: point for point in store.checkpoints(run.id)} for run in (first, again)]
    common = points[0].keys() & points[1].keys()
    if not common:
        raise ReportError(f"{first.name} and {again.name} have no checkpoint at the same step, so they cannot be compared.")
    step = max(common)
    one, other = (_weights(run, found[step]) for run, found in zip((first, again), points, strict=True))
    largest = max((float((one[name].double() - other[name].double()).abs().max()) for name in one), default=0.0)
    return Comparison(step, largest, tuple(_figures(store, first, again)), _conditions(first, again))


def _weights(run: Run, point: checkpoint.Checkpoint) -> dict[str, Any]:
    network, _ = checkpoint.load_weights(checkpoint.checkpoints_folder(run.id) / point.weights, point.weights_sha256)
    return network.state_dict()


def _figures(store: Store, first: Run, again: Run) -> list[Difference]:
    found = []
    for one, other in zip(store.epochs(first.id), store.epochs(again.id), strict=False):  # one of them may have been stopped
        pairs = ((name, getattr(one, name), getattr(other, name)) for name in FIGURES)
        found += [Difference(f"epoch {one.epoch}, {name}", mine, theirs) for name, mine, theirs in pairs if mine != theirs]
    if first.step == again.step:
        pairs = (("test accuracy", first.accuracy, again.accuracy), ("test loss", first.loss, again.loss))
        found += [Difference(name, mine, theirs) for name, mine, theirs in pairs if mine and theirs and mine != theirs]
    return found


def _conditions(first: Run, again: Run) -> dict[str, tuple[Any, Any]]:
    names = dict.fromkeys((*first.environment, *again.environment))
    reasons = {name for name in names if name.endswith("_reason")} | {"imported"}
    pairs = {name: (first.environment.get(name), again.environment.get(name)) for name in names if name not in reasons}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
