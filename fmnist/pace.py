"""How the steps of an epoch are made: one by one by the host, or from a reel on the device that a CUDA graph reads.

Both ways do `fmnist.step.learn` with the same numbers, so they give the same weights: bit for bit where the kernels are the same.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from fmnist import augment, fused, ranks
from fmnist.config import TrainConfig
from fmnist.graphs import Graphs
from fmnist.reel import Reel
from fmnist.schedule import learning_rate
from fmnist.step import learn
from fmnist.train_state import TrainState

REEL_IMAGES = 4096  # on a reel: some ten milliseconds of a large GPU


@dataclass(frozen=True)
class Lesson:
    """All that the steps of an epoch need, drawn and computed at its start, on the device."""

    config: TrainConfig
    stock: augment.Stock
    plan: augment.Plan
    rates: Tensor  # (steps,): learning rates, of the kind of `TrainState.rate`
    shares: Tensor  # float32 (steps,): how far the averaged weights move

    def batch(self, first: int, steps: int) -> tuple[Tensor, Tensor]:
        """What some steps in a row learn from: uint8 (B * steps, 28, 28) and int64 (B * steps,), fewer at the end of the epoch."""
        positions = slice(first * self.config.batch_size, (first + steps) * self.config.batch_size)
        return augment.batch(self.stock, self.config, self.plan, positions), augment.labels(self.stock, self.plan, positions)


def lesson(state: TrainState, stock: augment.Stock) -> Lesson:
    """The epoch that a training is in."""
    config = state.config
    shares = torch.tensor([1 - min(config.ema, (1 + step) / (10 + step)) for step in _steps(state)], device=state.device)
    return Lesson(config, stock, augment.plan(config, state.epoch, len(stock.split), state.device), rates(state), shares)


def rates(state: TrainState) -> Tensor:
    """The learning rates of the epoch that a training is in: (steps,), of the kind of `TrainState.rate`."""
    found = [learning_rate(state.config, step, state.rate_changes) for step in _steps(state)]
    return torch.tensor(found, dtype=state.rate.dtype, device=state.rate.device)


def _steps(state: TrainState) -> range:
    return range(state.epoch * state.config.steps_per_epoch, (state.epoch + 1) * state.config.steps_per_epoch)


class Pace(Protocol):
    """A way to make steps."""

    name: str
    reason: str
    ahead: bool  # steps are still being made when `advance` returns, so the next ones shall be enqueued before the host waits for a number

    def advance(self, lesson: Lesson, first: int) -> int:
        """Make one step or more of an epoch, `first` being the next; returns how many."""
        ...


class Eager:
    """One step at a time, launched by the host."""

    name, ahead = "eager", False

    def __init__(self, state: TrainState, reason: str) -> None:
        self._state, self.reason = state, reason

    def advance(self, lesson: Lesson, first: int) -> int:
        learn(self._state, *lesson.batch(first, 1), lesson.rates[first], lesson.shares[first])
        return 1


class Shared:
    """One step at a time, made by all ranks together, each with its part of the batch.

    Every rank makes the whole batch, which is a few gathers of bytes, and then takes its part: so what is drawn for an image does not
    depend on how many ranks there are.
    """

    name, ahead = "shared", False

    def __init__(self, state: TrainState, reason: str) -> None:
        self._state, self.reason = state, reason

    def advance(self, lesson: Lesson, first: int) -> int:
        images, labels = lesson.batch(first, 1)
        mine = ranks.part(len(labels))
        learn(self._state, images[mine], labels[mine], lesson.rates[first], lesson.shares[first], of=len(labels))
        return 1


class ReelStep(Protocol):
    """One step of a training at the reel's counter, which it moves on; it takes no number from the host and waits for nothing."""

    def __call__(self) -> None: ...

    def refresh(self) -> None:
        """Something else may have changed the weights."""
        ...


class PlainStep:
    """`fmnist.step.learn`, whatever the network is."""

    def __init__(self, state: TrainState, reel: Reel) -> None:
        self._state, self._reel = state, reel

    def refresh(self) -> None:
        """It keeps no copy of anything."""

    def __call__(self) -> None:
        reel = self._reel
        images, labels, rate, share = (
            tensor.index_select(0, reel.place)[0] for tensor in (reel.images, reel.labels, reel.rates, reel.shares)
        )
        learn(self._state, images, labels, rate, share)
        reel.place.add_(1)


Record = Callable[[TrainState, Callable[[], None], Callable[[], None]], Callable[[int], None]]  # (state, rewind, step) -> play(count)


class Reeled:
    """Several steps at a time from a reel.

    Args:
        record: makes of a step something that does it several times over (`fmnist.graphs.Graphs`).
        step: what is done at each place of the reel.

    Raises:
        RuntimeError: from `record` or `step`.
    """

    name, ahead = "graphed", True

    def __init__(self, state: TrainState, reason: str, record: Record, step: Callable[[TrainState, Reel], ReelStep] = PlainStep) -> None:
        config = state.config
        self._whole = config.train_images // config.batch_size  # the steps of an epoch with a full batch
        self._reel = Reel.empty(state, max(1, min(self._whole, REEL_IMAGES // config.batch_size)))
        self._step = step(state, self._reel)
        self._last, self.reason = Eager(state, reason), reason
        state.model.train()
        self._play = record(state, self._rewind, self._step)

    def advance(self, lesson: Lesson, first: int) -> int:
        reel, count = self._reel, min(len(self._reel), self._whole - first)
        if count < 1:  # the last batch of an epoch is smaller
            return self._last.advance(lesson, first)
        images, labels = lesson.batch(first, count)
        reel.images[:count] = images.view_as(reel.images[:count])
        reel.labels[:count] = labels.view_as(reel.labels[:count])
        reel.rates[:count] = lesson.rates[first : first + count]
        reel.shares[:count] = lesson.shares[first : first + count]
        self._rewind()
        self._play(count)
        return count

    def _rewind(self) -> None:
        self._reel.place.zero_()
        self._step.refresh()


def choose(state: TrainState) -> Pace:
    """CUDA graphs where they can be had, and why not where not; shared steps where several processes train."""
    if ranks.world() > 1:
        return Shared(state, f"{ranks.world()} processes add their gradients between the way back and the update: no CUDA graph")
    if state.device.type != "cuda":
        return Eager(state, f"CUDA graphs are for NVIDIA's GPUs, this is {state.device.type}")
    why = fused.why_not(state) or ""
    for step in (PlainStep,) if why else (fused.FusedStep, PlainStep):
        what = f"here ({why})" if step is PlainStep else "of kernels made for this network"
        try:
            return Reeled(state, f"a step is a CUDA graph {what}", Graphs, step)
        except RuntimeError as error:
            why = f"no CUDA graph could be made: {str(error).partition(chr(10))[0]}"
        torch.cuda.empty_cache()  # outside of the handler, which keeps the memory of the attempt alive
    return Eager(state, why)
