"""What a training says while it goes on. The trainer yields these, the store keeps them, the screens draw them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """A point of the curve inside an epoch: means over the steps since the last point."""

    step: int  # 1 = the first step of the run
    epoch: float  # 1.5 = half of the second epoch is done
    seconds: float  # training time since the start of the run
    loss: float
    learning_rate: float
    images_per_second: float


@dataclass(frozen=True)
class Stretch:
    """The points of some steps in one: their means, and the lowest and the highest loss, so that no peak is lost."""

    step: float
    epoch: float
    seconds: float
    loss: float
    low: float
    high: float


@dataclass(frozen=True)
class Epoch:
    """The figures of a finished epoch.

    `loss` and `accuracy` are of the monitor split: validation, or test where nothing is held back. The training figures are
    means over the epoch while the network was changing, on augmented images. `silent` is of the first pictures of the monitor split.
    """

    epoch: int
    step: int
    seconds: float
    train_loss: float
    train_accuracy: float
    loss: float
    accuracy: float
    learning_rate: float
    images_per_second: float
    silent: float | None = None  # the share of ReLU channels that are zero on every picture that was looked at, 0-1; None: no ReLU


@dataclass(frozen=True)
class Done:
    """Every epoch is done."""

    step: int
    seconds: float  # training time, evaluation not counted
    images_per_second: float  # over the whole run
