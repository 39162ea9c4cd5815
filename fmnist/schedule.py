"""The learning rate at each step, as pure arithmetic: the trainer, the preview on the Train page and the tests share it."""

import math
from collections.abc import Sequence

from fmnist.config import TrainConfig

ONE_CYCLE_START = 1 / 25  # of the peak, as torch's OneCycleLR has it
ONE_CYCLE_END = 1 / 1e4 / 25


def learning_rate(config: TrainConfig, step: int, changes: Sequence[tuple[int, float]] = ()) -> float:
    """The learning rate with which a step is made.

    Args:
        step: 0 to config.total_steps - 1, over all epochs.
        changes: (step, factor) by step: what a person changed while it trained. From that step on the schedule is multiplied by the
            factor, until the next change.

    Source: one-cycle from Smith and Topin (arXiv 1708.07120) in the cosine form of torch.optim.lr_scheduler.OneCycleLR, cosine from
        Loshchilov and Hutter (arXiv 1608.03983) without restarts, warm-up linear.
    """
    return _planned(config, step) * next((factor for first, factor in reversed(changes) if first <= step), 1.0)


def _planned(config: TrainConfig, step: int) -> float:
    """The learning rate as the config has it."""
    if config.schedule == "one-cycle":
        return config.learning_rate * _one_cycle(config, step)
    warm_steps = config.warmup * config.total_steps
    if step < warm_steps:
        return config.learning_rate * (step + 1) / (warm_steps + 1)
    if config.schedule == "constant":
        return config.learning_rate
    return config.learning_rate * _between(1.0, 0.0, (step - warm_steps) / max(1.0, config.total_steps - warm_steps))


def curve(config: TrainConfig, points: int = 200) -> list[tuple[int, float]]:
    """(step, learning rate) at evenly spread steps, the first and the last among them."""
    last = config.total_steps - 1
    steps = sorted({round(last * index / max(1, points - 1)) for index in range(points)})
    return [(step, learning_rate(config, step)) for step in steps]


def _one_cycle(config: TrainConfig, step: int) -> float:
    """The share of the peak: up by a cosine from 1/25, then down by a cosine to 1/250,000."""
    peak = config.warmup * config.total_steps - 1
    last = config.total_steps - 1
    if step <= peak:
        return _between(ONE_CYCLE_START, 1.0, step / peak if peak > 0 else 1.0)
    return _between(1.0, ONE_CYCLE_END, (step - peak) / max(1.0, last - peak))


def _between(start: float, end: float, share: float) -> float:
    """From start to end along half a cosine."""
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
