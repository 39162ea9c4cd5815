"""What a training takes of a device's memory, and which batch would fit, or is enough for a look."""

import resource
from functools import cache

import psutil
import torch
from torch import Tensor

from fmnist.config import TrainConfig
from fmnist.models import build

OVERHEAD = 2.0  # a step at its peak against what it keeps for the way back: gradients of activations, copies in another layout


def fitting_batch(config: TrainConfig, where: str) -> int | None:
    """A batch size that should fit into the memory that is free now: half of the config's, or a half of that, and so on.

    Args:
        config: of a training that did not fit, and is gone from the memory.

    Returns:
        2 or more; None when not even that fits.
    """
    room, size = free(where) - _weights(config), config.batch_size // 2
    while size >= 2 and OVERHEAD * size * kept_for_an_image(config.network) > room:
        size //= 2
    return size if size >= 2 else None


def within(megabytes: int, batch_size: int, network: str) -> int:
    """A batch for a look at a network: no more images than asked for, and no more than so many megabytes keep; at least 2."""
    return max(2, min(batch_size, int(megabytes * 2**20 / kept_for_an_image(network))))


def free(where: str) -> float:
    """Bytes that a process can still get here; of what its person has limited (ulimit -v), what is left."""
    if where == "cuda":
        return torch.cuda.mem_get_info()[0]
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    left = float("inf") if limit == resource.RLIM_INFINITY else limit - psutil.Process().memory_info().vms
    return min(psutil.virtual_memory().available, left)


def _weights(config: TrainConfig) -> int:
    """Bytes of the weights, their gradients, moments and averages."""
    weights = sum(parameter.nbytes for parameter in build(config.network).parameters())
    return weights * (5 if config.ema else 4)


@cache
def kept_for_an_image(network: str) -> float:
    """Bytes that a network in training keeps of an image for the way back, in float32.

    Source: counted while two pictures go through it; what is kept twice (as an output and as the next input) counts once.
    """
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.data_ptr()] = tensor.nbytes
        return tensor

    with torch.random.fork_rng(devices=[]):
        model, pictures = build(network).train(), torch.zeros(2, 1, 28, 28)
    weights = {parameter.data_ptr() for parameter in model.parameters()}
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model(pictures).sum()
    return sum(size for place, size in kept.items() if place not in weights) / len(pictures)
