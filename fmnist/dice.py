"""Random numbers for a batch of views, by one generator, on its device."""

import torch
import torch.nn.functional as F
from torch import Tensor


class Dice:
    """Draws one number, or one field of numbers, for each image of a batch: float32 (B, ...).

    Args:
        size: B.
        generator: what all of it is drawn from, and on whose device.
    """

    def __init__(self, size: int, generator: torch.Generator) -> None:
        self.size, self.generator = size, generator

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(self.size, *shape, generator=self.generator, device=self.generator.device)

    def normal(self, spread: float, *shape: int) -> Tensor:
        return spread * torch.randn(self.size, *shape, generator=self.generator, device=self.generator.device)

    def chance(self, share: float) -> Tensor:
        """bool (B,)"""
        return self.uniform(0, 1) < share

    def at(self, low: float, high: float) -> Tensor:
        """`uniform`, to be spread over an image: float32 (B, 1, 1)."""
        return self.uniform(low, high)[:, None, None]

    def maybe(self, share: float) -> Tensor:
        """`chance`, to be spread over an image: bool (B, 1, 1)."""
        return self.chance(share)[:, None, None]

    def clouds(self, cells: int, side: int = 56) -> Tensor:
        """Smooth noise of mean 0 and spread about 1: float (B, side, side), as coarse as `cells` across."""
        return F.interpolate(self.normal(1, 1, cells, cells), size=(side, side), mode="bilinear", align_corners=True)[:, 0]
