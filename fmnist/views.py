"""What people draw and photograph, made from the dataset's own images: outlines, filled drawings, and garments as on a photo.

A network that has only seen product shots calls every photo a bag. So a share of the training images is shown otherwise: bent as people
lay and draw their clothes (`fmnist.poses`), and then drawn or photographed. Batched, on the device, and random by one generator.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from fmnist import icons
from fmnist.data import Split
from fmnist.dice import Dice
from fmnist.morphology import largest
from fmnist.poses import (
    BAG,
    BOOT,
    COAT,
    DRESS,
    FINE,
    NOTHING,
    PULLOVER,
    SANDAL,
    SHIRT,
    SNEAKER,
    TOPS,
    TROUSER,
    Laid,
    Pose,
    grid,
    lay,
    pose,
    silhouettes,
    with_soles,
)

SIGNS = 0.4  # of the drawings show the plain sign for a class
FILL, LINE = 150.0, 255.0  # the tones of a filled drawing, as `fmnist.drawings` makes them of a person's


def make(images: Tensor, masks: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
    """Every image as somebody may have drawn or photographed it: uint8 (B, 28, 28), its silhouettes and int64 (B,) -> uint8 (B, 28, 28)."""
    dice = Dice(len(images), generator)
    source, drawing = torch.stack([images, masks], 1).float() / 255, dice.chance(0.5)
    signs = drawing & dice.chance(SIGNS)
    return show(torch.where(signs[:, None, None, None], icons.make(dice, labels), source), labels, drawing, generator)


def of_split(split: Split, generator: torch.Generator) -> Tensor:
    """A view of each image of a split: uint8 (N, 28, 28)."""
    masks = silhouettes(split.images, split.labels)
    places = torch.arange(len(split)).split(500)
    return torch.cat([make(split.images[rows], masks[rows], split.labels[rows], generator) for rows in places])


def show(source: Tensor, labels: Tensor, drawing: Tensor, generator: torch.Generator) -> Tensor:
    """Draw some of a batch and photograph the others.

    Args:
        source: float (B, 2, 28, 28), tone and silhouette, 0-1.
        labels: int64 (B,): what bends how, and which details it has; `NOTHING` neither has sleeves nor details.
        drawing: bool (B,).

    Returns:
        uint8 (B, 28, 28).
    """
    shown = torch.empty_like(source[:, 0], dtype=torch.uint8)
    for chosen, drawn in ((drawing, True), (~drawing, False)):
        if len(rows := chosen.nonzero()[:, 0]):
            fine = _view(Dice(len(rows), generator), source[rows], labels[rows], drawn)
            shown[rows] = F.avg_pool2d(fine[:, None], 2)[:, 0].round().to(torch.uint8)
    return shown


def _view(dice: Dice, source: Tensor, labels: Tensor, drawing: bool) -> Tensor:
    """All of them drawn, or all of them photographed: float (B, 56, 56), 0-255."""
    lying = pose(dice, source[:, 1], labels, drawing)
    laid = lay(dice, source, lying)
    soles = (labels == SANDAL) if drawing else dice.chance(0.45)
    laid = with_soles(dice, laid, lying, lying.pair & soles)
    return _drawn(dice, laid, lying, labels) if drawing else _photographed(dice, laid, lying, labels)


# ---- drawn -------------------------------------------------------------------------------------------------------------------------------


def _near(distance: Tensor, width: Tensor) -> Tensor:
    """float (B, 56, 56): 1 where a distance is below a width, (B,)."""
    return (distance.abs() < width[:, None, None]).float()


def _details(dice: Dice, laid: Laid, lying: Pose, labels: Tensor) -> Tensor:
    """Lines that people draw into a garment: zips, buttons, collars, pockets, hems, soles, straps: float (B, 56, 56), 0 or 1."""

    def of(*classes: int) -> Tensor:
        return torch.isin(labels, torch.tensor(classes, device=labels.device)).float()

    def some(share: float, *classes: int) -> Tensor:
        return (of(*classes) * dice.chance(share))[:, None, None]

    at = dice.at
    x, y = laid.origin.unbind(-1)
    pen = laid.scale * dice.uniform(1.0, 2.2) / FINE  # half the width of a line
    x = x - at(-0.08, 0.08)
    gap = at(0.04, 0.16)
    zip_, open_ = _near(x, pen), _near(x.abs() - gap, pen)
    dots = _near(x, 1.6 * pen) * _near((y / 0.28 - at(0, 1)).frac().abs() - 0.5, 1.6 * pen / 0.28)
    collar = _near((y + at(0.35, 0.75)) + x.abs() * at(0.8, 2.0), 1.4 * pen) * (x.abs() < 0.4) * (y < 0)
    pocket_x, pocket_y = (x.abs() - at(0.2, 0.34)).abs(), (y - at(-0.2, 0.5)).abs()
    box = torch.maximum(pocket_x / 0.13, pocket_y / 0.16)
    pocket = _near(box - 1, pen / 0.14)
    across = _near(y - at(-0.9, 0.95), pen)
    hem = _near(y - at(0.72, 0.9), pen)
    waist = _near(y + at(0.65, 0.9), pen)
    # In a drawing only these part a coat (its front) and a shirt (buttons, a collar) from a pullover: so they nearly always have them.
    front = torch.where(dice.maybe(0.55), zip_, open_)
    lines = some(0.95, COAT) * front + some(0.5, COAT) * collar + some(0.3, COAT) * pocket + some(0.35, COAT) * dots
    lines += some(0.1, SHIRT) * zip_ + some(0.85, SHIRT) * dots + some(0.8, SHIRT) * collar + some(0.12, SHIRT) * pocket
    lines += (
        some(0.35, PULLOVER, COAT) * hem
        + some(0.4, TROUSER) * waist
        + some(0.3, TROUSER) * zip_ * (y < -0.2)
        + some(0.3, DRESS, BAG) * across
    )
    lines += some(0.4, SNEAKER, BOOT) * _near(y - at(0.1, 0.45) * lying.height[:, None, None], pen)
    laces = _near(((x - y) / 0.2).frac().abs() - 0.5, pen / 0.2) * _near(
        torch.maximum((x - at(-0.2, 0.3)).abs() / 0.25, (y + at(-0.1, 0.2)).abs() / 0.2), torch.ones_like(pen)
    )
    lines += some(0.5, SNEAKER, BOOT) * laces
    # the straps of a flip-flop from above: from between the toes to both sides (along x, across y)
    toe = at(0.35, 0.65)
    strap = (
        _near(y.abs() / lying.height[:, None, None] - (toe - x).clamp(min=0) * at(0.8, 1.6), 1.5 * pen / lying.height)
        * (x < toe)
        * (x > toe - 1.0)
    )
    lines += some(0.8, SANDAL) * lying.pair[:, None, None] * strap
    return lines.clamp(max=1)


def _drawn(dice: Dice, laid: Laid, lying: Pose, labels: Tensor) -> Tensor:
    """Garments as lines, as filled lines and as flat shapes: float (B, 56, 56), 0-255."""

    def pick(share: float) -> Tensor:
        return dice.maybe(share).float()

    mask = laid.mask
    top = torch.isin(labels, torch.tensor((*TOPS, DRESS), device=labels.device))[:, None, None]
    x, y = laid.origin.unbind(-1)
    neck = (x / dice.at(0.15, 0.4)) ** 2 + ((y + 0.95) / dice.at(0.1, 0.4)) ** 2 < 1
    neck = (top & neck).float() * pick(0.5)
    grown, eroded = largest(mask, 3), -largest(-mask, 3)
    thin = mask - eroded
    edge = torch.maximum(thin, pick(0.6) * (grown - mask))
    rim = neck + largest(-neck, 3)
    edge = torch.maximum(edge * (1 - neck), rim * mask)
    shape = mask * (1 - neck)
    slope = _slope(laid.tone)
    nothing = (labels == NOTHING)[:, None, None] & (dice.uniform(0, 1) < 0.85)[:, None, None]  # other things are drawn with their parts
    inner = (slope > dice.at(0.12, 0.35)).float() * eroded * torch.maximum(pick(0.4), nothing.float())
    stray = (dice.clouds(4).abs() < 0.06).float() * (dice.clouds(5) > 0.9).float() * pick(0.25)
    lines = torch.maximum(torch.maximum(edge, torch.maximum(inner, stray)), _details(dice, laid, lying, labels) * mask * pick(0.95)) * (
        1 - neck * (1 - rim)
    )
    thick = torch.maximum(lines, lines.roll((1, 1), (1, 2)))
    lines = torch.where(dice.maybe(0.5), thick, lines)
    filled = torch.maximum(shape * dice.at(FILL - 40, FILL + 40), lines * LINE)
    whole = (dice.clouds(7) > -1.4).float()
    outline = lines * LINE * torch.maximum(whole, pick(0.5))
    flat = shape * dice.at(120, 255)
    kind = dice.at(0, 1)
    return torch.where(kind < 0.62, filled, torch.where(kind < 0.87, outline, flat))


def _slope(tone: Tensor) -> Tensor:
    """How steeply the tones change: float (B, 56, 56), per two pixels."""
    across = F.pad(tone[:, :, 2:] - tone[:, :, :-2], [1, 1])
    down = F.pad(tone[:, 2:] - tone[:, :-2], [0, 0, 1, 1])
    return torch.hypot(across, down)


# ---- photographed ------------------------------------------------------------------------------------------------------------------------


def _photographed(dice: Dice, laid: Laid, lying: Pose, labels: Tensor) -> Tensor:
    """Garments of any tone and cloth, cut out as well as a program can: float (B, 56, 56), 0-255."""

    def per(values: Tensor) -> Tensor:
        return values[:, None, None]

    mask = _cut_out(dice, laid.mask)
    tone = laid.tone.clamp(1e-3, 1) ** per(dice.normal(0.5).exp())
    tone = torch.where(per(dice.chance(0.35)), 1 - tone, tone)
    tone = tone * per(dice.uniform(0.1, 1.0)) + per(dice.uniform(0, 0.5))
    cloth = (
        per(dice.uniform(0, 0.14)) * dice.clouds(28)
        + per(dice.uniform(0, 0.12)) * dice.clouds(12)
        + per(dice.uniform(0, 0.16)) * dice.clouds(5)
    )
    tone = tone + cloth + per(dice.chance(0.25)) * _stripes(dice) + per(dice.chance(0.25)) * _print(dice, laid)
    seams = per(dice.uniform(-0.4, 0.4) * dice.chance(0.6))
    tone = tone + seams * _details(dice, laid, lying, labels)
    blurred = F.avg_pool2d(tone[:, None], 3, 1, 1)[:, 0]
    tone = torch.where(per(dice.chance(0.5)), blurred, tone)
    inside = mask > 0
    low = torch.where(inside, tone, 9.0).flatten(1).amin(1)
    high = torch.where(inside, tone, -9.0).flatten(1).amax(1)
    floor, roof = dice.uniform(30, 90), dice.uniform(200, 255)
    stretched = per(floor) + (tone - per(low)) / per((high - low).clamp(min=0.05)) * per(roof - floor)
    return stretched.clamp(0, 255) * mask


def _cut_out(dice: Dice, mask: Tensor) -> Tensor:
    """The garment's shape with a rough edge, now and then a bite missing or a piece of the floor left: float (B, 56, 56), 0 or 1."""
    soft = F.avg_pool2d(mask[:, None], 5, 1, 2)[:, 0]
    rough = (soft + dice.at(0, 0.22) * dice.clouds(18) > 0.5).float()
    bites = (dice.clouds(6) > dice.at(0.9, 1.8)).float() * dice.maybe(0.3)
    floor = (dice.clouds(5) > 1.5).float() * dice.maybe(0.2)
    return torch.maximum(rough * (1 - bites), floor)


def _stripes(dice: Dice) -> Tensor:
    """Stripes, or checks: float (B, 56, 56)."""
    x, y = grid(FINE, dice.generator.device)[0].unbind(-1)
    angle, often = dice.at(0, math.pi), dice.at(6, 26)
    one, two = torch.sin(often * (x * angle.cos() + y * angle.sin())), torch.sin(often * (y * angle.cos() - x * angle.sin()))
    return dice.at(0.05, 0.25) * (one + two * dice.maybe(0.4))


def _print(dice: Dice, laid: Laid) -> Tensor:
    """A picture on the breast: float (B, 56, 56)."""
    x, y = laid.origin.unbind(-1)
    far = (x / dice.at(0.1, 0.4)) ** 2 + ((y - dice.at(-0.5, 0.3)) / dice.at(0.08, 0.4)) ** 2
    return (far < 1).float() * (dice.clouds(14) > 0).float() * dice.at(-0.7, 0.7)
