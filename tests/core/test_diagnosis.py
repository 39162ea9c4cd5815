"""Every diagnosis on a training that was made to have it: real networks, real images, no figure written by hand."""

from dataclasses import dataclass

import pytest

from fmnist import data, diagnosis
from fmnist.config import PRESETS, TrainConfig, parse, preset
from fmnist.diagnosis import Finding, all_well, diagnose
from fmnist.errors import DivergedError
from fmnist.events import Epoch, Step
from fmnist.run import Status
from fmnist.train_state import TrainState
from fmnist.training import fit

FEW = {"train_size": 600, "validation_size": 100, "batch_size": 64, "precision": "float32"}
SOME = {"train_size": 4_000, "validation_size": 1_000, "batch_size": 64, "precision": "float32"}
MANY = {"train_size": 20_000, "validation_size": 4_000, "batch_size": 256, "precision": "float32"}


@dataclass
class Training:
    """All that a training said."""

    config: TrainConfig
    status: Status
    steps: list[Step]
    epochs: list[Epoch]

    def findings(self, upto: int | None = None) -> list[Finding]:
        """What the doctor says at the end, or while it was running after so many epochs."""
        if upto is None:
            return diagnose(self.config, self.status, self.steps, self.epochs)
        epochs = self.epochs[:upto]
        return diagnose(self.config, Status.RUNNING, [step for step in self.steps if step.step <= epochs[-1].step], epochs)


def train(**fields: object) -> Training:
    config = TrainConfig(**fields)  # type: ignore[arg-type]
    dataset = data.load()
    split, validation = data.hold_out(dataset.train, config)
    found = Training(config, Status.FINISHED, [], [])
    try:
        for event in fit(TrainState(config), split, validation if config.validation_size else dataset.test):
            if isinstance(event, Step):
                found.steps.append(event)
            elif isinstance(event, Epoch):
                found.epochs.append(event)
    except DivergedError:
        found.status = Status.DIVERGED
    return found


def kinds(found: list[Finding]) -> list[str]:
    return [finding.kind for finding in found]


def answered(training: Training, finding: Finding) -> TrainConfig:
    """The config of the next run that a finding asks for; it must be one."""
    return parse(finding.changes, training.config)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"network": "mlp", "optimizer": "sgd", "learning_rate": 10.0, "epochs": 2, **FEW}, "beyond every number"),
        ({"network": "linear", "learning_rate": 10.0, "epochs": 2, **FEW}, "guessing costs 2.30"),
    ],
    ids=["diverged", "exploded"],
)
def test_a_learning_rate_of_ten_is_too_high_and_a_tenth_is_the_answer(fields: dict[str, object], words: str) -> None:
    training = train(**fields)
    [found] = training.findings()
    assert found.kind == "rate too high"
    assert words in found.reason
    assert answered(training, found).learning_rate == 1.0


def test_a_loss_that_explodes_is_told_before_the_first_epoch_is_over() -> None:
    training = train(network="linear", learning_rate=10.0, epochs=1, **FEW)
    [found] = diagnose(training.config, Status.RUNNING, training.steps[:1], [])
    assert found.kind == "rate too high"


def test_a_rate_so_high_that_relus_die_says_both() -> None:
    training = train(network="mlp", learning_rate=0.03, epochs=3, **SOME)
    high, dead = training.findings()
    assert (high.kind, dead.kind) == ("rate too high", "dead")
    silent = training.epochs[-1].silent
    assert silent
    assert silent > 0.4
    assert f"{silent:.0%} of the ReLU channels" in dead.reason
    assert answered(training, dead).warmup == 0.1
    better = train(**answered(training, high).model_dump())
    assert (better.epochs[-1].silent or 0.0) < diagnosis.SILENT
    assert better.epochs[-1].accuracy > training.epochs[-1].accuracy


def test_a_rate_of_a_millionth_is_too_low_and_ten_times_it_learns_faster() -> None:
    training = train(network="linear", learning_rate=1e-6, epochs=3, **FEW)
    [found] = training.findings()
    assert found.kind == "rate too low"
    better = train(**answered(training, found).model_dump())
    assert better.epochs[-1].train_loss < training.epochs[-1].train_loss


def test_thirty_epochs_on_500_images_overfit_since_the_best_epoch_and_more_images_help() -> None:
    training = train(network="mlp", epochs=30, **FEW)
    [found] = training.findings()
    best = min(training.epochs, key=lambda epoch: epoch.loss)
    assert (found.kind, found.title) == ("overfitting", f"Overfitting since epoch {best.epoch}")
    assert f"epoch {best.epoch} ({best.loss:.3f})" in found.reason
    better = train(**(answered(training, found).model_dump() | {"epochs": 8}))
    assert better.epochs[-1].loss < training.epochs[-1].loss


def test_what_keeps_a_network_from_learning_by_heart_is_named_one_by_one() -> None:
    """On the figures of an overfitting run: all images, then augmentation, weight decay, and at last the best epoch."""
    training = train(network="mlp", epochs=30, **FEW)
    asked = []
    for _ in range(4):
        [found] = training.findings()
        asked.append(sorted(found.changes))
        training.config = answered(training, found) if "train_size" not in found.changes else parse({"train_size": 60_000}, training.config)
    assert asked == [["train_size"], ["flip", "shift"], ["optimizer", "weight_decay"], ["clean_epochs", "epochs"]]


def test_a_gap_between_training_and_validation_is_told_before_the_loss_rises() -> None:
    training = train(network="mlp", epochs=8, **SOME)
    [found] = training.findings()
    assert found.kind == "gap"
    assert f"{100 * (training.epochs[-1].train_accuracy - training.epochs[-1].accuracy):.1f} points" in found.reason
    assert answered(training, found).train_size == 16_000


def test_a_gap_that_few_validation_images_may_make_by_chance_is_none() -> None:
    training = train(network="mlp", epochs=8, **SOME)
    last = training.epochs[-1]
    assert kinds(diagnose(training.config, training.status, [], [last])) == ["gap"]
    few = training.config.model_copy(update={"validation_size": 50})  # two standard errors of 84 % on 50 images are 10 points
    assert diagnose(few, training.status, [], [last]) == []


def test_a_linear_network_on_many_images_underfits_and_a_stronger_one_does_better() -> None:
    training = train(network="linear", epochs=16, learning_rate=3e-3, **MANY)
    [found] = training.findings()
    assert found.kind == "underfitting"
    assert answered(training, found).network == "small"
    better = train(**(answered(training, found).model_dump() | {"epochs": 3}))
    assert better.epochs[-1].accuracy > training.epochs[-1].accuracy


def test_a_constant_rate_that_jitters_is_a_plateau_and_a_falling_one_gets_lower() -> None:
    fields = {**SOME, "train_size": 12_000, "validation_size": 2_000}
    training = train(network="linear", epochs=12, learning_rate=3e-3, optimizer="adamw", weight_decay=1.0, **fields)
    [found] = training.findings()
    assert found.kind == "plateau"
    better = train(**answered(training, found).model_dump())
    assert better.config.schedule == "cosine"
    assert better.epochs[-1].loss < training.epochs[-1].loss
    assert better.findings() == []


def test_a_training_that_ends_too_early_was_still_getting_better_and_gets_better() -> None:
    training = train(network="mlp", optimizer="sgd", learning_rate=2e-3, epochs=4, **SOME)
    [found] = training.findings()
    assert found.kind == "improving"
    assert training.findings(upto=4) == []  # as long as it runs that is just what it should do
    better = train(**answered(training, found).model_dump())
    assert better.config.epochs == 8
    assert better.epochs[-1].loss < training.epochs[-1].loss


def test_a_healthy_training_has_nothing_and_neither_had_it_after_any_epoch() -> None:
    training = train(
        **(preset("quick").model_dump() | {"train_size": 6_000, "validation_size": 1_000, "epochs": 4, "precision": "float32"})
    )
    assert training.findings() == []
    assert [training.findings(upto) for upto in range(1, 5)] == [[], [], [], []]
    words = all_well(training.config, training.epochs)
    assert f"{training.epochs[-1].accuracy:.1%} on validation images" in words


def test_nothing_is_said_of_a_training_that_has_not_begun() -> None:
    for name in PRESETS:
        assert diagnose(preset(name), Status.QUEUED, [], []) == []
    assert "two epochs are needed" in all_well(preset("quick"), [])


def test_at_the_longest_training_no_longer_one_is_asked_for() -> None:
    training = train(network="mlp", optimizer="sgd", learning_rate=2e-3, epochs=4, **SOME)
    assert diagnose(training.config.model_copy(update={"epochs": 1000}), training.status, training.steps, training.epochs) == []
