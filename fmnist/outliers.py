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
    shares = ((0.08, 0.34), (0.14, 0.42), (0.2, 0.66), (0.24, 0.84), (0.46, 0.92))
    cut, mixed, hat, skirt, heap = (torch.where(drawing, few, many) for few, many in shares)

    def each(limit: Tensor) -> Tensor:
        return (kind < limit)[:, None, None, None]

    made = torch.where(each(heap), _heaps(dice), _creatures(dice))
    made = torch.where(each(skirt), _skirts(dice), made)
    made = torch.where(each(hat), _hats(dice), made)
    made = torch.where(each(mixed), _mixed(dice, source), made)
    made = torch.where(each(cut), _cut(dice, source, labels), made)
    bends = (kind < mixed) & (labels <= COAT)  # what is cut off a shoe or a bag does not lie as one
    return views.show(made, torch.where(bends, labels, NOTHING), drawing, generator)


def textures(count: int, generator: torch.Generator) -> Tensor:
    """Noise, fine and coarse, over the whole frame, as a photo without a garment gives: uint8 (count, 28, 28)."""
    dice = Dice(count, generator)
    kind = dice.at(0, 1)
    pixels, clouds, blots = dice.normal(1, SIDE, SIDE), dice.clouds(9, SIDE), dice.clouds(4, SIDE)
    field = torch.where(kind < 0.35, pixels, torch.where(kind < 0.7, clouds, blots))
    shown = dice.at(40, 200) + dice.at(5, 90) * field
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
        tone = torch.where(part, dice.at(0.2, 1), tone)
        hole = part & dice.maybe(0.15 if number else 0)
        shape = torch.where(hole, 0.0, torch.maximum(shape, part.float()))
    return torch.stack([tone, shape], 1)


def _creatures(dice: Dice) -> Tensor:
    """A body with what animals, faces, cars and flowers have: a head, rows of the same small part, rays: float (B, 2, 28, 28)."""
    x, y = poses.grid(SIDE, dice.generator.device)[0].unbind(-1)
    at, maybe = dice.at, dice.maybe
    middle_x, middle_y, size, long = at(-0.15, 0.15), at(-0.15, 0.15), at(0.3, 0.65), at(-0.5, 0.7).exp()
    across, down = (x - middle_x) / long, (y - middle_y) * long
    angle = torch.atan2(down, across)
    bumps = at(0, 0.4) * torch.cos(at(2, 7).floor() * angle + at(0, 6.3)) + at(0, 0.15) * torch.cos(at(1, 4).floor() * angle + at(0, 6.3))
    shape = torch.hypot(across, down) < size * (1 + bumps)
    tone = shape * at(0.3, 1.0)
    # legs, whiskers, petals, spokes: rays of the same length, all around or in a fan
    count, fan = at(3, 9).floor(), torch.where(maybe(0.5), 2 * math.pi, at(0.8, 2.5))
    turn, away = (torch.atan2(y - middle_y, x - middle_x) - at(0, 2 * math.pi)) % (2 * math.pi), torch.hypot(x - middle_x, y - middle_y)
    step = fan / count
    aside = ((turn % step) - step / 2).abs() * away
    rays = (aside < at(0.04, 0.1)) & (turn < fan) & (away < size * at(1.2, 2.2)) & maybe(0.45)
    tone, shape = torch.where(rays & ~shape, at(0.3, 1.0), tone), shape | rays
    for share in (0.55, 0.3):  # a head, a tail, a roof
        side = at(0, 2 * math.pi)
        reach = size * at(0.8, 1.4)
        head_x, head_y = x - middle_x - reach * side.cos() * long, y - middle_y - reach * side.sin() / long
        head = ((head_x / (size * at(0.25, 0.8))) ** 2 + (head_y / (size * at(0.25, 0.8))) ** 2 < 1) & maybe(share)
        tone, shape = torch.where(head, at(0.3, 1.0), tone), shape | head
    for share in (0.6, 0.45):  # wheels, windows, eyes, legs: some of the same in a row
        number, gap = at(1, 5).floor(), at(0.25, 0.6)
        row_x, row_y = x - middle_x - at(-0.2, 0.2) + (number - 1) * gap / 2, y - middle_y - size * at(-1.2, 1.2)
        place = (row_x / gap).round().clamp(min=torch.zeros_like(number), max=number - 1)
        near_x, near_y = (row_x - place * gap) / (gap * at(0.2, 0.48)), row_y / at(0.06, 0.3)
        box = torch.maximum(near_x.abs(), near_y.abs()) < 0.9
        part = torch.where(maybe(0.5), near_x**2 + near_y**2 < 1, box) & maybe(share)
        tone = torch.where(part, at(0.0, 1.0), tone)
        shape = torch.where(part & maybe(0.15), False, shape | part)
    return torch.stack([tone * shape, shape.float()], 1)


def _skirts(dice: Dice) -> Tensor:
    """Narrow above, wide below, perhaps with a waistband and folds: float (B, 2, 28, 28), tone and shape."""
    x, y = poses.grid(SIDE, dice.generator.device)[0].unbind(-1)
    at = dice.at
    waist, length = at(0.25, 0.6), at(0.3, 0.9)
    down = (y + length) / (2 * length)  # 0 at the waist, 1 at the hem
    half = waist * (1 + at(0.0, 1.2) * down.clamp(0, 1) ** at(0.5, 1.5)) + at(0, 0.04) * torch.sin(at(5, 30) * y)
    hem = 1 - at(-0.15, 0.25) * (x / half.clamp(min=0.05)).square()
    shape = (x.abs() < half) & (down > 0) & (down < hem)
    folds = at(0, 0.3) * torch.sin(at(8, 30) * x / half.clamp(min=0.1) + at(0, 6)) * (down > 0.1)
    band = at(-0.4, 0.4) * (down < at(0.05, 0.2))
    return torch.stack([(at(0.3, 0.9) + folds + band).clamp(0.05, 1) * shape, shape.float()], 1)


def _hats(dice: Dice) -> Tensor:
    """A dome with a brim or a peak: float (B, 2, 28, 28), tone and shape."""
    x, y = poses.grid(SIDE, dice.generator.device)[0].unbind(-1)
    at = dice.at
    foot, wide = at(0.0, 0.4), at(0.35, 0.75)
    dome = (x / wide).square() + ((y - foot) / at(0.5, 1.3)).square() < 1
    dome = dome & (y < foot + at(0.0, 0.15))
    aside = torch.where(dice.maybe(0.6), at(-0.1, 0.1), at(-0.6, 0.6))  # seen from the front, or from the side
    brim = ((x - aside) / (wide * at(0.7, 1.7))).square() + ((y - foot) / at(0.08, 0.45)).square() < 1
    brim = brim & (y > foot - at(0.0, 0.3))
    shape = dome | brim & dice.maybe(0.8)
    tone = torch.where(brim, at(0.2, 1.0), at(0.2, 1.0)) - at(0.0, 0.4) * ((x / wide).abs() % at(0.2, 0.6) < 0.06)
    return torch.stack([tone * shape, shape.float()], 1)


def _part(dice: Dice, x: Tensor, y: Tensor, size: float) -> Tensor:
    """A disc, a box or a triangle somewhere: bool (B, 28, 28)."""
    angle = dice.normal(0.5)[:, None, None] + dice.maybe(0.3) * math.pi / 2
    across, down = x - dice.at(-0.6, 0.6), y - dice.at(-0.6, 0.6)
    across, down = angle.cos() * across + angle.sin() * down, angle.cos() * down - angle.sin() * across
    across, down = across / (size * dice.uniform(0.1, 0.55))[:, None, None], down / (size * dice.uniform(0.1, 0.55))[:, None, None]
    kind = dice.at(0, 1)
    disc = across.square() + down.square() < 1
    dome = disc & (down < 0.2)
    box = torch.maximum(across.abs(), down.abs()) < 0.9
    triangle = (down.abs() < 1) & (across.abs() < (down + 1) / 2)
    return torch.where(kind < 0.35, disc, torch.where(kind < 0.5, dome, torch.where(kind < 0.75, box, triangle)))
