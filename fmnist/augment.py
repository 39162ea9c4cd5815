"""Which images an epoch shows in which order, and how it changes them: batched, on the device.

All randomness of an epoch is drawn at its start from (seed, epoch) alone. So a training that goes on in the middle of an epoch
sees what it would have seen, and the order of images does not depend on the device.
"""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from fmnist import outliers, poses, views
from fmnist.config import TrainConfig
from fmnist.data import Split
from fmnist.models import MEAN, STD

SIDE = 28


@dataclass(frozen=True)
class Plan:
    """The randomness of one epoch; position p of each tensor belongs to the p-th image shown."""

    order: Tensor  # int64 (N,): indices into the split
    flip: Tensor | None  # bool (N,)
    shift: Tensor | None  # int64 (N, 2): rows and columns, 0 to 2 * config.shift
    erase: Tensor | None  # int64 (N, 4): first and end row, first and end column of what is covered
    view: Tensor | None  # bool (N,): shown as somebody may have drawn or photographed it
    outlier: Tensor | None  # bool (N,): something else is shown in its place
    seed: int  # what the views of a batch are drawn from, with its place in the epoch


@dataclass(frozen=True)
class Stock:
    """The images of a split as batches are cut from them; never copied, so that a split may be larger than the memory."""

    split: Split
    silhouettes: Tensor | None  # uint8 (N, 28, 28), for views and outliers


def stock(split: Split, config: TrainConfig) -> Stock:
    """A split, ready for batches. Takes a few seconds where there are views or outliers, otherwise nothing."""
    return Stock(split, poses.silhouettes(split.images, split.labels) if config.views or config.outliers else None)


def plan(config: TrainConfig, epoch: int, images: int, device: str | torch.device = "cpu") -> Plan:
    """Draw an epoch.

    Args:
        epoch: 0 is the first.
        images: how many the training split has.
    """
    seed = config.seed * 1_000_003 + epoch
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(images, generator=generator)
    clean = epoch >= config.epochs - config.clean_epochs
    flip = torch.rand(images, generator=generator) < 0.5 if config.flip and not clean else None
    shift = torch.randint(0, 2 * config.shift + 1, (images, 2), generator=generator) if config.shift and not clean else None
    erase = _draw_erasing(config.erase, images, generator) if config.erase and not clean else None
    view = torch.rand(images, generator=generator) < config.views if config.views and not clean else None
    outlier = torch.rand(images, generator=generator) < config.outliers if config.outliers and not clean else None
    drawn = [None if numbers is None else numbers.to(device) for numbers in (order, flip, shift, erase, view, outlier)]
    return Plan(*drawn, seed=seed)  # type: ignore[arg-type]


def _draw_erasing(share: float, images: int, generator: torch.Generator) -> Tensor:
    """Rectangles of 5 to 14 pixels a side for a share of the images, empty ones for the others: int64 (N, 4)."""
    sides = torch.randint(5, 15, (images, 2), generator=generator)
    sides *= (torch.rand(images, 1, generator=generator) < share).long()
    starts = (torch.rand(images, 2, generator=generator) * (SIDE - sides + 1)).long()
    ends = starts + sides
    return torch.stack([starts[:, 0], ends[:, 0], starts[:, 1], ends[:, 1]], dim=1)


def batch(stock: Stock, config: TrainConfig, plan: Plan, positions: slice) -> Tensor:
    """The images of a step, or of several in a row, changed as the plan says.

    Args:
        stock: on the device of the plan.
        positions: of the epoch's order.

    Returns:
        uint8 (B, 28, 28). What is drawn at random in a step depends on its place in the epoch alone.
    """
    index = plan.order[positions]
    shown = stock.split.images[index]
    if plan.shift is not None:
        shown = _shifted(shown, plan.shift[positions], config.shift)
    if plan.flip is not None:
        shown = torch.where(plan.flip[positions, None, None], shown.flip(2), shown)
    if stock.silhouettes is not None:
        for first in range(positions.start, min(positions.stop, len(plan.order)), config.batch_size):
            rows = slice(first - positions.start, first - positions.start + config.batch_size)
            shown[rows] = _otherwise(shown[rows], stock, plan, slice(first, min(first + config.batch_size, positions.stop)))
    return shown if plan.erase is None else _erased(shown, plan.erase[positions])


def _otherwise(shown: Tensor, stock: Stock, plan: Plan, positions: slice) -> Tensor:
    """The images of one step, with views and outliers in the places that the plan names."""
    index = plan.order[positions]
    generator = torch.Generator(index.device).manual_seed(plan.seed * 100_003 + positions.start)
    assert stock.silhouettes is not None
    for which, make in ((plan.view, views.make), (plan.outlier, outliers.make)):
        if which is not None and len(chosen := which[positions].nonzero()[:, 0]):
            rows = index[chosen]
            made = make(stock.split.images[rows], stock.silhouettes[rows], stock.split.labels[rows], generator)
            shown = shown.index_copy(0, chosen, made)
    return shown


def labels(stock: Stock, plan: Plan, positions: slice) -> Tensor:
    """What a step's images are: int64 (B,), `poses.NOTHING` for what is none of the classes."""
    found = stock.split.labels[plan.order[positions]]
    return found if plan.outlier is None else found.masked_fill(plan.outlier[positions], poses.NOTHING)


def _shifted(images: Tensor, shift: Tensor, most: int) -> Tensor:
    """Each image as it is seen through a window of its own size, after black of `most` pixels was laid around it.

    Args:
        shift: int64 (B, 2): the window's row and column, 0 to 2 * most.
    """
    windows = F.pad(images, [most] * 4).unfold(1, SIDE, 1).unfold(2, SIDE, 1)  # a view: (B, 2 * most + 1, 2 * most + 1, 28, 28)
    return windows[torch.arange(len(images), device=images.device), shift[:, 0], shift[:, 1]]


def _erased(images: Tensor, box: Tensor) -> Tensor:
    """Black where the box of each image is."""
    along = torch.arange(SIDE, device=images.device)
    rows = (along >= box[:, :1]) & (along < box[:, 1:2])  # (B, 28)
    columns = (along >= box[:, 2:3]) & (along < box[:, 3:])
    return images.masked_fill(rows[:, :, None] & columns[:, None, :], 0)


def normalised(images: Tensor) -> Tensor:
    """What a network takes: uint8 (B, 28, 28) -> float32 (B, 1, 28, 28), channels last, mean 0 and spread 1 over the training set."""
    pictures = (images.to(torch.float32) - 255 * MEAN) / (255 * STD)
    return pictures.unsqueeze(1).to(memory_format=torch.channels_last)


def first_batch(config: TrainConfig, train: Split) -> tuple[Tensor, Tensor]:
    """The first step's images as the network will see them, augmentation included: uint8 (B, 28, 28) and int64 (B,)."""
    drawn = plan(config, 0, len(train))
    positions = slice(0, config.batch_size)
    first = train.take(drawn.order[positions].tolist())
    in_order = replace(drawn, order=torch.arange(len(first), device=drawn.order.device))
    return batch(stock(first, config), config, in_order, positions), first.labels
