"""Things that are none of the ten classes, made without any picture of them: what a network is taught not to be sure about.

Three kinds: garments cut down (the upper part of trousers, the lower part of a dress), garments put together from two, and shapes of a few
discs, boxes and triangles. They are drawn and photographed as `fmnist.views` does it with garments.

Source: D. Hendrycks, M. Mazeika and T. Dietterich, Deep Anomaly Detection with Outlier Exposure, 2019.
"""

import math

import torch
from torch import Tensor

from fmnist import views
from fmnist.views import DRESS, SIDE, TROUSER, Dice

PARTS = 6  # of which a shape is made, at most


def make(images: Tensor, masks: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
    """One thing for each image, which it may be made from: uint8 (B, 28, 28), its silhouettes and int64 (B,) -> uint8 (B, 28, 28)."""
    dice = Dice(len(images), generator)
    source = torch.stack([images, masks], 1).float() / 255
    kind = dice.uniform(0, 1)
    cut = _cut(dice, source, labels)
    mixed = _mixed(dice, source)
    shapes = _shapes(dice)
    garment = torch.where((kind < 0.35)[:, None, None, None], cut, mixed)
    return views.show(torch.where((kind < 0.5)[:, None, None, None], garment, shapes), labels, dice, plain=kind >= 0.5)


def _cut(dice: Dice, source: Tensor, labels: Tensor) -> Tensor:
    """Only a part of each garment: the upper part of trousers, the lower one of a dress, the left or the right of the others."""
    along = torch.arange(SIDE, device=source.device) / SIDE
    upper, lower = along < dice.uniform(0.25, 0.5)[:, None], along > dice.uniform(0.45, 0.7)[:, None]
    everything = torch.ones_like(upper)
    rows = torch.where((labels == TROUSER)[:, None], upper, torch.where((labels == DRESS)[:, None], lower, everything))
    cut_up = ((labels == TROUSER) | (labels == DRESS))[:, None]
    columns = torch.where(cut_up, everything, dice.chance(0.5)[:, None] ^ (along < dice.uniform(0.4, 0.6)[:, None]))
    return source * rows[:, None, :, None] * columns[:, None, None]


def _mixed(dice: Dice, source: Tensor) -> Tensor:
    """The upper part of one garment on the lower part of another one, which may stand on its head."""
    other = source[torch.randperm(dice.size, generator=dice.generator, device=source.device)]
    other = torch.where(dice.chance(0.5)[:, None, None, None], other.transpose(2, 3), other.flip(2))
    rows = torch.arange(SIDE, device=source.device)
    upper = (rows < dice.uniform(8, 20)[:, None])[:, None, :, None]
    return torch.where(upper, source, other)


def _shapes(dice: Dice) -> Tensor:
    """Two to six discs, boxes and triangles in one heap, some of them holes: float (B, 2, 28, 28), tone and shape."""
    x, y = views.grid(SIDE, dice.generator.device)[0].unbind(-1)
    tone, shape = torch.zeros(dice.size, SIDE, SIDE, device=x.device), torch.zeros(dice.size, SIDE, SIDE, device=x.device)
    parts = dice.uniform(2, PARTS + 1)
    for number in range(PARTS):
        part = _part(dice, x, y, 1.0 if number else 1.6) * (parts > number)[:, None, None]
        tone = torch.where(part, dice.uniform(0.2, 1)[:, None, None], tone)
        hole = part & dice.chance(0.15 if number else 0)[:, None, None]
        shape = torch.where(hole, 0.0, torch.maximum(shape, part.float()))
    return torch.stack([tone, shape], 1)


def _part(dice: Dice, x: Tensor, y: Tensor, size: float) -> Tensor:
    """A disc, a box or a triangle somewhere: bool (B, 28, 28)."""
    angle = dice.normal(0.5)[:, None, None] + dice.chance(0.3)[:, None, None] * math.pi / 2
    across, down = x - dice.uniform(-0.6, 0.6)[:, None, None], y - dice.uniform(-0.6, 0.6)[:, None, None]
    across, down = angle.cos() * across + angle.sin() * down, angle.cos() * down - angle.sin() * across
    across, down = across / (size * dice.uniform(0.1, 0.55))[:, None, None], down / (size * dice.uniform(0.1, 0.55))[:, None, None]
    kind = dice.uniform(0, 1)[:, None, None]
    disc = across.square() + down.square() < 1
    dome = disc & (down < 0.2)
    box = torch.maximum(across.abs(), down.abs()) < 0.9
    triangle = (down.abs() < 1) & (across.abs() < (down + 1) / 2)
    return torch.where(kind < 0.35, disc, torch.where(kind < 0.5, dome, torch.where(kind < 0.75, box, triangle)))
