"""Several processes that make one training: which of them this one is, and what they tell each other.

They find each other by torchrun's environment alone (RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT), so whatever sets it can
start them. Outside of `joined` there is one process, and nothing here costs anything.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from fmnist import torchrun
from fmnist.config import TrainConfig
from fmnist.errors import ConfigError, RankLostError

T = TypeVar("T")


@contextmanager
def joined(device: str) -> Iterator[None]:
    """Be one of the processes that the environment speaks of, for the length of a `with` block; a group that is there is joined as it is.

    Args:
        device: cpu, where they talk by gloo, or cuda, where they do by NCCL, each with a GPU of its own.

    Raises:
        ConfigError: there are fewer GPUs than processes on this machine.
        RankLostError: not all of them came.
    """
    if torchrun.world() == 1 or dist.is_initialized():
        yield
        return
    if device == "cuda":
        _take_gpu(torch.cuda.device_count())
    with _talking():
        dist.init_process_group("nccl" if device == "cuda" else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def _take_gpu(there: int) -> None:
    if (wanted := torchrun.local_world()) > there:
        raise ConfigError(f"{wanted} processes want a GPU each, and this machine has {there}. Use at most {there} processes here.")
    torch.cuda.set_device(torchrun.local_rank())


def world() -> int:
    """How many processes make this training."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Which of them this is. The first, 0, is the only one that writes."""
    return dist.get_rank() if world() > 1 else 0


def check(config: TrainConfig, workers: int) -> None:
    """Can so many processes share each batch evenly?

    Raises:
        ConfigError: they cannot.
    """
    if config.batch_size % workers:
        fewer = config.batch_size // workers * workers
        fitting = f"{fewer:,} or {fewer + workers:,}" if fewer > 1 else f"{workers:,}"
        raise ConfigError(
            f"Batch size: {config.batch_size:,} images cannot be shared evenly by {workers} processes. "
            f"Make it {fitting}, or choose another number of processes."
        )


def part(count: int) -> slice:
    """The share of this process in so many images in a row."""
    return share(count, rank(), world())


def share(count: int, of: int, among: int) -> slice:
    """The share of one of several processes: disjoint from the others, together they are all, and they differ by one at most."""
    return slice(count * of // among, count * (of + 1) // among)


def agreed(value: T) -> T:
    """What the first process says, whatever this one does; all of them have to ask.

    Raises:
        RankLostError: one of them is gone; so from every function that talks.
    """
    if world() == 1:
        return value
    said: list[Any] = [value]
    with _talking():
        dist.broadcast_object_list(said, src=0)
    return said[0]


def add(tensors: Sequence[Tensor]) -> None:
    """Put the sum over all processes in the place of each tensor, by one message: the same bits in each process.

    Args:
        tensors: of one dtype, the same shapes everywhere.
    """
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
    with _talking():
        dist.all_reduce(flat)
    for tensor, total in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
        tensor.copy_(total.view(tensor.shape))


def whole(mine: Tensor, count: int) -> Tensor:
    """The rows of all processes in order, of which each has those of its `part`.

    Args:
        mine: (rows of this part, ...).
        count: rows of all.
    """
    if world() == 1:
        return mine
    rows = mine.new_zeros(count, *mine.shape[1:])
    rows[part(count)] = mine
    add([rows])
    return rows


@contextmanager
def _talking() -> Iterator[None]:
    """What a broken connection means; gloo has no exception of its own for it."""
    try:
        yield
    except RuntimeError as error:
        raise RankLostError(f"Another process of this training is gone or cannot be reached: {str(error).partition(chr(10))[0]}") from error
