"""What several steps in a row learn from, in tensors that never move, so that a step needs no word from the host.

A CUDA graph can hold such a step: it knows its operands by their address.
"""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from fmnist.augment import SIDE
from fmnist.train_state import TrainState


@dataclass(frozen=True)
class Reel:
    """L batches, and which of them is next."""

    images: Tensor  # uint8 (L, B, 28, 28)
    labels: Tensor  # int64 (L, B)
    rates: Tensor  # (L,): learning rates, of the kind of `TrainState.rate`
    shares: Tensor  # float32 (L,): how far the averaged weights move
    place: Tensor  # int64 (1,)

    @classmethod
    def empty(cls, state: TrainState, length: int) -> Self:
        """Room for so many batches of a training."""
        size, where = state.config.batch_size, state.device
        return cls(
            torch.zeros(length, size, SIDE, SIDE, dtype=torch.uint8, device=where),
            torch.zeros(length, size, dtype=torch.int64, device=where),
            torch.zeros(length, dtype=state.rate.dtype, device=state.rate.device),
            torch.zeros(length, device=where),
            torch.zeros(1, dtype=torch.int64, device=where),
        )

    def __len__(self) -> int:
        return len(self.images)
