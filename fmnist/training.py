"""fit(): the training loop, as a generator of events. Nothing else trains.

The command line, the worker process and the tests all iterate over it. To stop a training, stop iterating; to keep it, save the
TrainState between two events (fmnist.checkpoint). The state is the caller's and is changed in place.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from fmnist import augment, device, ranks
from fmnist.activity import listening
from fmnist.config import TrainConfig
from fmnist.data import Split
from fmnist.errors import DivergedError
from fmnist.evaluation import logits, loss_and_accuracy
from fmnist.events import Done, Epoch, Step
from fmnist.pace import Lesson, Pace, choose, lesson, rates
from fmnist.schedule import learning_rate
from fmnist.train_state import TrainState

REPORT_SECONDS = 0.25  # a point of the live curve this often: reading a number makes a GPU wait, so not at each step


def fit(state: TrainState, train: Split, monitor: Split, pace: Pace | None = None) -> Iterator[Step | Epoch | Done]:
    """Train from where the state is to the last epoch.

    Args:
        state: changed in place; between two events it is consistent and may be saved, and its `rate_changes` may be replaced.
        train: the images to learn from, on the state's device.
        monitor: the images that each epoch is judged on, on the same device.
        pace: how steps are made; the fastest that this device can do if None.

    Yields:
        A Step about four times a second, an Epoch after each epoch, at last Done. No step is begun while nobody iterates. With a pace
        that is ahead, the state may be a few steps further than the Step that is told.
        Where several ranks train, all of them get the same events at the same steps, and have to answer them alike.

    Raises:
        DivergedError: the loss is not a finite number any more.
    """
    config, stock, pace = state.config, augment.stock(train, state.config), pace or choose(state)
    while state.step < config.total_steps:
        yield from _steps(state, lesson(state, stock), pace)
        yield _end_epoch(state, monitor)
    yield Done(state.step, state.seconds, _speed(config, state.step, state.seconds))


def _steps(state: TrainState, lesson: Lesson, pace: Pace) -> Iterator[Step]:
    """The steps that are left of an epoch, told in points."""
    steps = state.config.steps_per_epoch
    end = (state.epoch + 1) * steps
    state.model.train()
    curve, changes = _Curve(state), state.rate_changes
    while state.step < end:
        if state.rate_changes != changes:  # between two events somebody has changed the learning rate
            lesson, changes = replace(lesson, rates=rates(state)), state.rate_changes
        state.step += pace.advance(lesson, state.step % steps)
        if curve.is_asked:  # the device has its next steps: now the host may wait for a number, and the caller may work
            yield curve.tell()
        if state.step == end or curve.is_due:
            curve.ask()
            if state.step == end or not pace.ahead:
                yield curve.tell()
                curve.go_on()


class _Curve:
    """The points of the live curve inside an epoch. A point is asked for, and told when its number has come from the device."""

    def __init__(self, state: TrainState) -> None:
        self._state, self._first, self._last = state, state.step, state.step
        self._sum: Tensor | None = None  # float32 (), on its way to the host
        self._sent: torch.cuda.Event | None = None
        self._rhythm = 1  # steps to the next point: ranks count them, because their clocks would not agree
        state.recent_loss.zero_()
        self.go_on()

    def go_on(self) -> None:
        """The time from here on counts."""
        self._begun = time.perf_counter()
        self._due = self._state.step + ranks.agreed(self._rhythm) if ranks.world() > 1 else None

    @property
    def is_due(self) -> bool:
        return time.perf_counter() - self._begun >= REPORT_SECONDS if self._due is None else self._state.step >= self._due

    @property
    def is_asked(self) -> bool:
        return self._sum is not None

    def ask(self) -> None:
        """Send for the loss of the steps since the last point; a GPU goes on meanwhile."""
        recent, on_gpu = self._state.recent_loss, self._state.device.type == "cuda"
        self._sum = recent.to("cpu", non_blocking=on_gpu, copy=True)
        if on_gpu:
            self._sent = torch.cuda.Event()
            self._sent.record()
        recent.zero_()
        self._last = self._state.step

    def tell(self) -> Step:
        """The point that was asked for.

        Raises:
            DivergedError: its loss is not a finite number.
        """
        state, count = self._state, self._last - self._first
        assert self._sum is not None
        if self._sent:
            self._sent.synchronize()
        loss, self._sum = float(self._sum) / count, None
        seconds = time.perf_counter() - self._begun
        self._rhythm = max(1, round(count * REPORT_SECONDS / seconds))
        self.go_on()
        state.seconds += seconds
        images = _images(state.config, self._last) - _images(state.config, self._first)
        self._first, steps = self._last, state.config.steps_per_epoch
        if not math.isfinite(loss):
            raise DivergedError((self._last - 1) // steps + 1, self._last)
        rate = learning_rate(state.config, self._last - 1, state.rate_changes)
        return Step(self._last, self._last / steps, state.seconds, loss, rate, images / seconds)


def _end_epoch(state: TrainState, monitor: Split) -> Epoch:
    """Judge the model on the monitor split, and begin to count anew."""
    config = state.config
    with listening(state.evaluated) as heard:
        mine = logits(state.evaluated, monitor.images[ranks.part(len(monitor))])
    state.monitored = ranks.whole(mine, len(monitor))
    loss, accuracy = loss_and_accuracy(state.monitored, monitor.labels)
    train_loss = float(state.epoch_loss) / config.train_images
    if not math.isfinite(loss + train_loss):
        raise DivergedError(state.epoch, state.step)
    train_accuracy = int(state.epoch_right) / config.train_images
    state.epoch_loss.zero_()
    state.epoch_right.zero_()
    return Epoch(
        epoch=state.epoch,
        step=state.step,
        seconds=state.seconds,
        train_loss=train_loss,
        train_accuracy=train_accuracy,
        loss=loss,
        accuracy=accuracy,
        learning_rate=learning_rate(config, state.step - 1, state.rate_changes),
        images_per_second=_speed(config, state.step, state.seconds),
        silent=heard.silent,
    )


def _speed(config: TrainConfig, steps: int, seconds: float) -> float:
    """Images a second over `steps` steps from the start."""
    return _images(config, steps) / seconds if seconds else 0.0


def _images(config: TrainConfig, steps: int) -> int:
    """How many images the first steps of a training have; the last one of an epoch may have fewer."""
    epochs, rest = divmod(steps, config.steps_per_epoch)
    return epochs * config.train_images + rest * config.batch_size


def begin(config: TrainConfig, where: str) -> tuple[TrainState, device.Precision]:
    """A fresh training on a device, in the precision that suits it; and why that one."""
    device.prepare(where)
    precision = device.choose_precision(config.precision, config.network, config.batch_size, where)
    return TrainState(config, where, precision.name), precision
