"""Everything that a training has learnt so far, and where it is: what a checkpoint keeps.

Each tensor in it has one place in memory from the first moment to the last, and is changed there: a CUDA graph knows its operands by
their address.
"""

from copy import deepcopy
from typing import Any

import torch
from torch import Tensor

from fmnist.batch_norm import shared
from fmnist.config import TrainConfig
from fmnist.models import Classifier, build


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
        self.model: Classifier = shared(build(config.network)).to(self.device)
        self.average: Classifier | None = deepcopy(self.model) if config.ema else None
        # The learning rate of the next step: a fused optimizer reads it where the weights are on a GPU, and as a Python float elsewhere.
        self.rate = torch.zeros((), device="cuda") if where == "cuda" else torch.zeros((), dtype=torch.float64)
        self.optimizer = _optimizer(config, self.model, self.rate)
        self.step = 0  # finished
        self.rate_changes: tuple[tuple[int, float], ...] = ()  # of the learning rate, see fmnist.schedule; kept by the store
        self.seconds = 0.0  # in training steps, over all sittings
        self.epoch_loss = torch.zeros((), device=self.device)  # sum over the images of this epoch so far
        self.epoch_right = torch.zeros((), dtype=torch.int64, device=self.device)
        self.recent_loss = torch.zeros((), device=self.device)  # sum over the steps since the last point of the curve; not kept
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
        found |= self._moments()
        found |= {"epoch.loss": self.epoch_loss, "epoch.right": self.epoch_right, "random.cpu": torch.get_rng_state()}
        if self.device.type == "cuda":
            found["random.cuda"] = torch.cuda.get_rng_state()
        return found

    def position(self) -> dict[str, Any]:
        """Where the training is, and how it computes; plain JSON."""
        return {"step": self.step, "seconds": self.seconds, "precision": self.precision, "device": self.device.type}

    def load(self, tensors: dict[str, Tensor], position: dict[str, Any]) -> None:
        """Take over what `tensors` and `position` gave; every tensor stays where it is in memory.

        Raises:
            KeyError, RuntimeError: a tensor is missing or has another shape.
        """
        self.model.load_state_dict(_part(tensors, "model"))
        if self.average:
            self.average.load_state_dict(_part(tensors, "average"))
        for name, mine in self._moments().items():
            if mine.shape != tensors[name].shape:
                raise RuntimeError(f"{name} has the shape {tuple(tensors[name].shape)} instead of {tuple(mine.shape)}")
            mine.copy_(tensors[name])
        self.epoch_loss.copy_(tensors["epoch.loss"])
        self.epoch_right.copy_(tensors["epoch.right"])
        self.step, self.seconds = int(position["step"]), float(position["seconds"])
        torch.set_rng_state(tensors["random.cpu"])
        if self.device.type == "cuda" and "random.cuda" in tensors:
            torch.cuda.set_rng_state(tensors["random.cuda"])

    def _moments(self) -> dict[str, Tensor]:
        """What the optimizer remembers of each parameter."""
        return {
            f"optimizer.{index}.{name}": value
            for index, values in self.optimizer.state_dict()["state"].items()
            for name, value in values.items()
            if isinstance(value, Tensor)
        }


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.partition(".")[2]: value for name, value in tensors.items() if name.startswith(prefix + ".")}


def _optimizer(config: TrainConfig, model: Classifier, rate: Tensor) -> torch.optim.Optimizer:
    """The optimizer of a config, its learning rate in a tensor (so that a step needs no number from the host), its moments made."""
    where = next(model.parameters()).device.type
    fused = where in ("cpu", "cuda")
    if config.optimizer == "sgd":
        made: torch.optim.Optimizer = torch.optim.SGD(
            model.parameters(),
            lr=rate,
            momentum=config.momentum,
            nesterov=config.momentum > 0,
            weight_decay=config.weight_decay,
            fused=fused,
        )
    else:
        kind = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
        made = kind(model.parameters(), lr=rate, weight_decay=config.weight_decay, fused=fused, capturable=where == "cuda")
    _make_moments(made)
    return made


def _make_moments(optimizer: torch.optim.Optimizer) -> None:
    """Let an optimizer make its moments now: a step at a learning rate of zero, which changes no weight; then they are set to zero."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    for moments in optimizer.state.values():
        for value in moments.values():
            value.zero_()
