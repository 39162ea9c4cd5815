"""Things that are none of the ten classes, made without any picture of them: what a network is taught not to be sure about.

Garments cut down (the upper part of trousers, the lower part of a dress), garments put together from two, hats, and heaps of discs, boxes
and triangles. They are drawn and photographed as `fmnist.views` does it with garments.

Source: D. Hendrycks, M. Mazeika and T. Dietterich, Deep Anomaly Detection with Outlier Exposure, 2019.
"""

import math

import torch
from torch import Tensor

from fmnist import poses, views
from fmnist.dice import Dice
from fmnist.poses import COAT, DRESS, NOTHING, SIDE, TROUSER

PARTS = 6  # of which a shape is made, at most


def make(images: Tensor, masks: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
    """One thing for each image, which it may be made from: uint8 (B, 28, 28), its silhouettes and int64 (B,) -> uint8 (B, 28, 28)."""
    dice = Dice(len(images), generator)
    source = torch.stack([images, masks], 1).float() / 255
    drawing, kind = dice.chance(0.5), dice.uniform(0, 1)
    # on photos mostly what else people wear, in drawings mostly what else people draw
    cut, mixed, hat = (torch.where(drawing, few, many) for few, many in ((0.12, 0.5), (0.22, 0.6), (0.3, 0.85)))

    def each(limit: Tensor) -> Tensor:
        return (kind < limit)[:, None, None, None]

    made = torch.where(each(hat), _hats(dice), _heaps(dice))
    made = torch.where(each(mixed), _mixed(dice, source), made)
    made = torch.where(each(cut), _cut(dice, source, labels), made)
    bends = (kind < mixed) & (labels <= COAT)  # what is cut off a shoe or a bag does not lie as one
    return views.show(made, torch.where(bends, labels, NOTHING), drawing, generator)


def textures(count: int, generator: torch.Generator) -> Tensor:
    """Noise, fine and coarse, over the whole frame, as a photo without a garment gives: uint8 (count, 28, 28)."""
    dice = Dice(count, generator)
    kind = dice.uniform(0, 1)[:, None, None]
    pixels, clouds, blots = dice.normal(1, SIDE, SIDE), dice.clouds(9, SIDE), dice.clouds(4, SIDE)
    field = torch.where(kind < 0.35, pixels, torch.where(kind < 0.7, clouds, blots))
    shown = dice.uniform(40, 200)[:, None, None] + dice.uniform(5, 90)[:, None, None] * field
    return shown.clamp(0, 255).round().to(torch.uint8)


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


def _heaps(dice: Dice) -> Tensor:
    """Two to six discs, boxes and triangles in one heap, some of them holes: float (B, 2, 28, 28), tone and shape."""
    x, y = poses.grid(SIDE, dice.generator.device)[0].unbind(-1)
    tone, shape = torch.zeros(dice.size, SIDE, SIDE, device=x.device), torch.zeros(dice.size, SIDE, SIDE, device=x.device)
    parts = dice.uniform(2, PARTS + 1)
    for number in range(PARTS):
        part = _part(dice, x, y, 1.0 if number else 1.6) * (parts > number)[:, None, None]
        tone = torch.where(part, dice.uniform(0.2, 1)[:, None, None], tone)
        hole = part & dice.chance(0.15 if number else 0)[:, None, None]
        shape = torch.where(hole, 0.0, torch.maximum(shape, part.float()))
    return torch.stack([tone, shape], 1)


def _hats(dice: Dice) -> Tensor:
    """A dome with a brim or a peak: float (B, 2, 28, 28), tone and shape."""
    x, y = poses.grid(SIDE, dice.generator.device)[0].unbind(-1)

    def at(low: float, high: float) -> Tensor:
        return dice.uniform(low, high)[:, None, None]

    foot, wide = at(0.0, 0.4), at(0.4, 0.8)
    dome = (x / wide).square() + ((y - foot) / at(0.4, 0.95)).square() < 1
    dome = dome & (y < foot + at(0.0, 0.15))
    brim = ((x - at(-0.6, 0.6)) / at(0.4, 0.9)).square() + ((y - foot) / at(0.08, 0.3)).square() < 1
    shape = dome | brim & dice.chance(0.8)[:, None, None]
    tone = torch.where(brim, at(0.2, 1.0), at(0.2, 1.0)) - at(0.0, 0.4) * ((x / wide).abs() % at(0.2, 0.6) < 0.06)
    return torch.stack([tone * shape, shape.float()], 1)


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
