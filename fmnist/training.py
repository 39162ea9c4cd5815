"""fit(): the training loop, as a generator of events. Nothing else trains.

The command line, the worker process and the tests all iterate over it. To stop a training, stop iterating; to keep it, save the
TrainState between two events (fmnist.checkpoint). The state is the caller's and is changed in place.
"""

import math
import time
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from fmnist import augment, device
from fmnist.config import TrainConfig
from fmnist.data import Split
from fmnist.errors import DivergedError
from fmnist.evaluation import logits, loss_and_accuracy
from fmnist.events import Done, Epoch, Step
from fmnist.models import Classifier, build
from fmnist.poses import NOTHING
from fmnist.schedule import learning_rate

REPORT_SECONDS = 0.25  # a point of the live curve this often: reading a number makes a GPU wait, so not at each step


class TrainState:
    """Everything that a training has learnt so far, and where it is.

    Args:
        config: what to do.
        where: cpu, cuda or mps.
        precision: float32 or bfloat16 (`fmnist.device.choose_precision`).
    """

    def __init__(self, config: TrainConfig, where: str = "cpu", precision: str = "float32") -> None:
        torch.manual_seed(config.seed)
        self.config, self.device, self.precision = config, torch.device(where), precision
        self.model: Classifier = build(config.network).to(self.device)
        self.average: Classifier | None = deepcopy(self.model) if config.ema else None
        self.optimizer = _optimizer(config, self.model)
        self.step = 0  # finished
        self.seconds = 0.0  # in training steps, over all sittings
        self.epoch_loss = torch.zeros((), device=self.device)  # sum over the images of this epoch so far
        self.epoch_right = torch.zeros((), dtype=torch.int64, device=self.device)
        self.monitored: Tensor | None = None  # float32 (N, 10): the logits on the monitor split after the last epoch of this sitting

    @property
    def evaluated(self) -> Classifier:
        """The model to judge and to keep: the averaged weights where there are any."""
        return self.average or self.model

    @property
    def epoch(self) -> int:
        """Finished epochs."""
        return self.step // self.config.steps_per_epoch

    def tensors(self) -> dict[str, Tensor]:
        """All that a resumed training needs, beside `position`."""
        found = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        if self.average:
            found |= {f"average.{name}": value for name, value in self.average.state_dict().items()}
        for index, values in self.optimizer.state_dict()["state"].items():
            found |= {f"optimizer.{index}.{name}": value for name, value in values.items() if isinstance(value, Tensor)}
        found |= {"epoch.loss": self.epoch_loss, "epoch.right": self.epoch_right, "random.cpu": torch.get_rng_state()}
        if self.device.type == "cuda":
            found["random.cuda"] = torch.cuda.get_rng_state()
        return found

    def position(self) -> dict[str, Any]:
        """Where the training is, and how it computes; plain JSON."""
        return {"step": self.step, "seconds": self.seconds, "precision": self.precision, "device": self.device.type}

    def load(self, tensors: dict[str, Tensor], position: dict[str, Any]) -> None:
        """Take over what `tensors` and `position` gave.

        Raises:
            KeyError, RuntimeError: a tensor is missing or has another shape.
        """
        self.model.load_state_dict(_part(tensors, "model"))
        if self.average:
            self.average.load_state_dict(_part(tensors, "average"))
        self._load_optimizer(_part(tensors, "optimizer"))
        self.epoch_loss.copy_(tensors["epoch.loss"])
        self.epoch_right.copy_(tensors["epoch.right"])
        self.step, self.seconds = int(position["step"]), float(position["seconds"])
        torch.set_rng_state(tensors["random.cpu"])
        if self.device.type == "cuda" and "random.cuda" in tensors:
            torch.cuda.set_rng_state(tensors["random.cuda"])

    def _load_optimizer(self, tensors: dict[str, Tensor]) -> None:
        """Moments get the memory layout of their parameter: a fused optimizer walks over both at once."""
        parameters = list(self.model.parameters())
        values: dict[int, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            index, _, key = name.partition(".")
            like = parameters[int(index)]
            values.setdefault(int(index), {})[key] = torch.empty_like(like).copy_(tensor) if tensor.shape == like.shape else tensor
        self.optimizer.load_state_dict({"state": values, "param_groups": self.optimizer.state_dict()["param_groups"]})


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.partition(".")[2]: value for name, value in tensors.items() if name.startswith(prefix + ".")}


def _optimizer(config: TrainConfig, model: Classifier) -> torch.optim.Optimizer:
    fused = next(model.parameters()).device.type in ("cpu", "cuda")
    if config.optimizer == "sgd":
        return torch.optim.SGD(
            model.parameters(),
            lr=config.learning_rate,
            momentum=config.momentum,
            nesterov=config.momentum > 0,
            weight_decay=config.weight_decay,
            fused=fused,
        )
    kind = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
    return kind(model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=fused)


def fit(state: TrainState, train: Split, monitor: Split) -> Iterator[Step | Epoch | Done]:
    """Train from where the state is to the last epoch.

    Args:
        state: changed in place; between two events it is consistent and may be saved.
        train: the images to learn from, on the state's device.
        monitor: the images that each epoch is judged on, on the same device.

    Yields:
        A Step about four times a second, an Epoch after each epoch, at last Done. The work between two events is the caller's
        wait: nothing is computed while nobody iterates.

    Raises:
        DivergedError: the loss is not a finite number any more.
    """
    config = state.config
    stock = augment.stock(train, config)
    while state.step < config.total_steps:
        drawn = augment.plan(config, state.epoch, len(train), state.device)
        yield from _steps(state, stock, drawn)
        yield _end_epoch(state, monitor)
    yield Done(state.step, state.seconds, _speed(config, state.step, state.seconds))


def _steps(state: TrainState, stock: augment.Stock, drawn: augment.Plan) -> Iterator[Step]:
    """The steps that are left of an epoch, told in points."""
    config = state.config
    window = torch.zeros((), device=state.device)
    first, begun = state.step, time.perf_counter()
    state.model.train()
    for index in range(state.step % config.steps_per_epoch, config.steps_per_epoch):
        positions = slice(index * config.batch_size, (index + 1) * config.batch_size)
        pictures = augment.normalised(augment.batch(stock, config, drawn, positions))
        window += _train(state, pictures, augment.labels(stock, drawn, positions))
        state.step += 1
        if time.perf_counter() - begun >= REPORT_SECONDS or index == config.steps_per_epoch - 1:
            loss = float(window) / (state.step - first)  # waits for the device
            seconds = time.perf_counter() - begun
            state.seconds += seconds
            if not math.isfinite(loss):
                raise DivergedError((state.step - 1) // config.steps_per_epoch + 1, state.step)
            yield _point(state, loss, (state.step - first) * config.batch_size / seconds)
            window.zero_()
            first, begun = state.step, time.perf_counter()


def _train(state: TrainState, pictures: Tensor, labels: Tensor) -> Tensor:
    """One step: forward, backward, update. Returns the mean loss, still on the device."""
    config, kind = state.config, state.device.type
    for group in state.optimizer.param_groups:
        group["lr"] = learning_rate(config, state.step)
    with torch.autocast(kind, dtype=torch.bfloat16, enabled=state.precision == "bfloat16"):
        scores = state.model(pictures)
        loss = _loss(scores, labels, config)
    loss.backward()
    state.optimizer.step()
    state.optimizer.zero_grad(set_to_none=True)
    if state.average:
        _follow(state.average, state.model, min(config.ema, (1 + state.step) / (10 + state.step)))
    with torch.no_grad():
        state.epoch_loss += loss * len(labels)
        state.epoch_right += _right(scores, labels, config)
    return loss.detach().float()


def _loss(scores: Tensor, labels: Tensor, config: TrainConfig) -> Tensor:
    """Cross entropy, the mean over the batch; of what is none of the classes (`poses.NOTHING`), all ten shall be equally likely."""
    if not config.outliers:
        return F.cross_entropy(scores, labels, label_smoothing=config.label_smoothing)
    known = F.cross_entropy(scores, labels, label_smoothing=config.label_smoothing, ignore_index=NOTHING, reduction="sum")
    even = -scores.log_softmax(1).mean(1)
    return (known + even[labels == NOTHING].sum()) / len(labels)


def _right(scores: Tensor, labels: Tensor, config: TrainConfig) -> Tensor:
    """How many answers are right: int64 (). Of what is none of the classes, not to be sure is."""
    right = scores.argmax(1) == labels
    if config.outliers:
        right |= (labels == NOTHING) & (scores.softmax(1).amax(1) < 0.5)
    return right.sum()


@torch.no_grad()
def _follow(average: Classifier, model: Classifier, keep: float) -> None:
    """Move the average a little towards the model, batch-norm statistics included; counters are copied."""
    for mine, new in zip(average.state_dict().values(), model.state_dict().values(), strict=True):
        if mine.is_floating_point():
            mine.lerp_(new, 1 - keep)
        else:
            mine.copy_(new)


def _point(state: TrainState, loss: float, images_per_second: float) -> Step:
    return Step(
        step=state.step,
        epoch=state.step / state.config.steps_per_epoch,
        seconds=state.seconds,
        loss=loss,
        learning_rate=learning_rate(state.config, state.step - 1),
        images_per_second=images_per_second,
    )


def _end_epoch(state: TrainState, monitor: Split) -> Epoch:
    """Judge the model on the monitor split, and begin to count anew."""
    config = state.config
    state.monitored = logits(state.evaluated, monitor.images)
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
        learning_rate=learning_rate(config, state.step - 1),
        images_per_second=_speed(config, state.step, state.seconds),
    )


def _speed(config: TrainConfig, steps: int, seconds: float) -> float:
    """Images a second over `steps` steps."""
    return steps / config.steps_per_epoch * config.train_images / seconds if seconds else 0.0


def begin(config: TrainConfig, where: str) -> tuple[TrainState, device.Precision]:
    """A fresh training on a device, in the precision that suits it; and why that one."""
    device.prepare(where)
    precision = device.choose_precision(config.precision, config.network, config.batch_size, where)
    return TrainState(config, where, precision.name), precision
