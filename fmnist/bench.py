"""How fast this machine trains: measured for a forecast before a training starts."""

import threading
import time
from dataclasses import dataclass
from functools import lru_cache

import torch

from fmnist import device, memory
from fmnist.config import TrainConfig
from fmnist.data import Split
from fmnist.events import Step
from fmnist.run import Run
from fmnist.store import Store
from fmnist.train_state import TrainState
from fmnist.training import fit

MEASURE_SECONDS = 1.0
MEASURE_IMAGES = 16_384  # at least two of the largest batches
MEASURE_MEGABYTES = 250  # that a step keeps: the dashboard measures in its own process, and an image takes as long in most batches
SPEED_FIELDS = ("network", "batch_size", "optimizer", "precision", "ema")  # what the time of an image depends on
EVALUATION_SHARE = 0.4  # an evaluated image costs this share of a trained one: forward only, in float32


@dataclass(frozen=True)
class Forecast:
    """How long a training will take here, and where that figure comes from."""

    seconds: float
    images_per_second: float
    basis: str


def forecast(config: TrainConfig, store: Store) -> Forecast:
    """The time a training will take on this machine: from a run like it, or from a second of measuring.

    Raises:
        ConfigError: this machine does not have the device.
    """
    where = device.resolve(config.device)
    for run in store.runs():
        if speed := _speed_of(run, config, where):
            return Forecast(_seconds(config, speed), speed, f"as fast as {run.name} was")
    speed = measure(tuple((name, getattr(config, name)) for name in SPEED_FIELDS), where)
    return Forecast(_seconds(config, speed), speed, "measured just now")


def _speed_of(run: Run, config: TrainConfig, where: str) -> float | None:
    """Images a second of a finished run that computed the same way on this machine."""
    if run.config is None or run.seconds < 5 or run.device != where or run.environment.get("name") != device.describe(where)["name"]:
        return None
    if any(getattr(run.config, name) != getattr(config, name) for name in SPEED_FIELDS):
        return None
    return run.step / run.config.steps_per_epoch * run.config.train_images / run.seconds


def _seconds(config: TrainConfig, images_per_second: float) -> float:
    judged = config.validation_size or 10_000
    images = config.epochs * (config.train_images + EVALUATION_SHARE * judged) + EVALUATION_SHARE * 10_000
    return images / images_per_second


_ONE_AT_A_TIME = threading.Lock()


@lru_cache(maxsize=64)
def measure(fields: tuple[tuple[str, object], ...], where: str) -> float:
    """Images a second of real training steps on random images, after a warm-up.

    Args:
        fields: (name, value) of SPEED_FIELDS.
    """
    asked = TrainConfig(**dict(fields), epochs=1000, train_size=MEASURE_IMAGES, validation_size=0)  # type: ignore[arg-type]
    config = asked.model_copy(update={"batch_size": memory.within(MEASURE_MEGABYTES, asked.batch_size, asked.network)})
    with _ONE_AT_A_TIME, torch.random.fork_rng(devices=[]):
        threads = torch.get_num_threads()
        device.prepare(where)
        try:
            precision = device.choose_precision(config.precision, config.network, config.batch_size, where)
            return _speed(TrainState(config, where, precision.name))
        finally:
            torch.set_num_threads(threads)


def _speed(state: TrainState) -> float:
    images = torch.randint(0, 256, (MEASURE_IMAGES, 28, 28), dtype=torch.uint8).to(state.device)
    split = Split(images, torch.arange(len(images), device=state.device) % 10)
    best, end = 0.0, time.monotonic() + MEASURE_SECONDS
    for event in fit(state, split, split):
        if not isinstance(event, Step):
            break
        best = max(best, event.images_per_second)
        if time.monotonic() > end:
            break
    return best
