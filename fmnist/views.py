"""What people draw and photograph, made from the dataset's own images: outlines, filled drawings, and garments as on a photo.

A network that has only seen product shots calls every photo a bag. So a share of the training images is shown otherwise: bent as people
lay and draw their clothes (sleeves spread, legs apart, shoes in pairs from above), and then drawn or photographed. All of it is batched, on
the device, and random by one generator.

Coordinates are those of `grid_sample`: (x, y) from -1 to 1 across the image, x to the right, y down.
"""

import math
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

SIDE = 28
FINE = 2 * SIDE  # views are made at twice the size and averaged down, so that lines are smooth
GARMENT = 14  # of 255: what is darker is background
FILL, LINE = 150.0, 255.0  # the tones of a filled drawing, as `fmnist.drawings` makes them of a person's
T_SHIRT, TROUSER, PULLOVER, DRESS, COAT, SANDAL, SHIRT, SNEAKER, BAG, BOOT = range(10)
NOTHING = -100  # the label of what is none of the classes; what `cross_entropy` ignores
TOPS, FOOTWEAR = (T_SHIRT, PULLOVER, COAT, SHIRT), (SANDAL, SNEAKER, BOOT)


def silhouettes(images: Tensor, labels: Tensor) -> Tensor:
    """Where the garment is: uint8 (N, 28, 28) -> uint8 (N, 28, 28), 0 or 255.

    What a garment encloses belongs to it (a white shirt has black parts), but not what a bag's handle or a sandal's straps enclose.
    """
    found = images >= GARMENT
    outside = ~found
    reached = torch.zeros_like(found)
    reached[:, [0, -1]], reached[:, :, [0, -1]] = outside[:, [0, -1]], outside[:, :, [0, -1]]
    for _ in range(2 * SIDE):  # the background grows inwards from the frame until it stands still
        grown = (F.max_pool2d(reached.float(), 3, 1, 1) > 0) & outside
        if torch.equal(grown, reached):
            break
        reached = grown
    open_work = (labels == BAG) | (labels == SANDAL)
    return torch.where(open_work[:, None, None], found, ~reached).to(torch.uint8) * 255


class Dice:
    """Random numbers for a batch, by one generator on its device."""

    def __init__(self, size: int, generator: torch.Generator) -> None:
        self.size, self.generator = size, generator

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(self.size, *shape, generator=self.generator, device=self.generator.device)

    def normal(self, spread: float, *shape: int) -> Tensor:
        return spread * torch.randn(self.size, *shape, generator=self.generator, device=self.generator.device)

    def chance(self, share: float) -> Tensor:
        """bool (B,)"""
        return self.uniform(0, 1) < share

    def clouds(self, cells: int, side: int = FINE) -> Tensor:
        """Smooth noise of mean 0 and spread about 1: float (B, side, side), as coarse as `cells` across."""
        return F.interpolate(self.normal(1, 1, cells, cells), size=(side, side), mode="bilinear", align_corners=True)[:, 0]


# ---- how a garment lies ------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pose:
    """How each garment of a batch is bent: one number each, shape (B,)."""

    turn: Tensor  # radians
    lean: Tensor  # shear
    width: Tensor  # factor; above 1 is wider
    mirror: Tensor  # -1 or 1
    body: Tensor  # half the width of a top's body: beyond it are the sleeves
    shoulder: Tensor  # height at which sleeves begin
    bare: Tensor  # bool: without its sleeves
    arms: Tensor  # radians by which sleeves are raised
    uneven: Tensor  # radians by which the right one is raised more
    legs: Tensor  # how far trousers' legs stand apart, and how far a dress is flared
    pair: Tensor  # bool: two shoes from above
    alone: Tensor  # bool: only one of them is seen
    apart: Tensor  # how far each of the two is from the middle, in half-widths
    toes_out: Tensor  # how much farther their toes are
    narrow: Tensor  # half the width of a shoe from above, its length being 2
    height: Tensor  # half the height of the garment in the image
    bend: Tensor  # (B, 2, n, n) displacements of a coarse net


def _pose(dice: Dice, mask: Tensor, labels: Tensor, drawing: bool) -> Pose:
    """Draw how garments lie. Args: mask: float (B, 28, 28); drawing: they are to be drawn, not photographed."""

    def of(*classes: int) -> Tensor:
        return torch.isin(labels, torch.tensor(classes, device=labels.device))

    tops, sleeves, shoes = of(*TOPS), of(PULLOVER, COAT, SHIRT), of(*FOOTWEAR)
    long = sleeves & (dice.uniform(0, 1) < 0.8)
    arms = torch.where(long, dice.uniform(-0.1, 1.15), dice.uniform(-0.35, 0.35)) * tops
    stretch = torch.where(of(TROUSER), dice.uniform(-0.1, 0.75), torch.where(of(DRESS), dice.uniform(-0.15, 0.5), dice.normal(0.16)))
    legs = torch.where(of(TROUSER), dice.uniform(-0.03, 0.4), 0.0) * dice.chance(0.8)
    single = of(SANDAL) & drawing
    above = torch.where(single, 0.6, 0.06) if drawing else 0.5
    return Pose(
        turn=dice.normal(0.13) + shoes * dice.normal(0.1 if drawing else 0.3),
        lean=dice.normal(0.1),
        width=stretch.exp(),
        mirror=torch.where(dice.chance(0.5), 1.0, -1.0),
        body=_body(mask) * dice.uniform(0.9, 1.1),
        shoulder=dice.uniform(-0.85, -0.6),
        bare=of(COAT) & dice.chance(0.0 if drawing else 0.15),
        arms=arms,
        uneven=dice.normal(0.12) * tops,
        legs=legs,
        pair=shoes & (dice.uniform(0, 1) < above),
        alone=dice.chance(0.3) | single & dice.chance(0.4),
        apart=dice.uniform(0.85, 1.25),
        toes_out=dice.normal(0.2),
        narrow=dice.uniform(0.26, 0.5),
        height=mask.gt(0.5).any(2).float().sum(1) / SIDE,
        bend=dice.uniform(0.02, 0.12)[:, None, None, None] * dice.normal(1, 2, 11, 11) if drawing else dice.normal(0.06, 2, 5, 5),
    )


def _body(mask: Tensor) -> Tensor:
    """Half the width of a top without its sleeves, guessed from its hem: float (B,), as a coordinate."""
    across = mask.gt(0.5).float().sum(2)  # (B, 28) pixels in each row
    widest = across.max(1).values
    rows = across.gt(0).float().cumsum(1)
    low = (rows / rows[:, -1:]).sub(0.85).abs().argmin(1)
    hem = across.gather(1, low[:, None])[:, 0]
    return torch.where(hem < 0.82 * widest, hem, 0.6 * widest) / SIDE


def _where(pose: Pose, points: Tensor) -> tuple[Tensor, Tensor]:
    """Where in the image the points of the bent garment come from.

    A garment is laid together from two parts: body and sleeves, or one shoe and the other.

    Args:
        points: float (B, H, W, 2).

    Returns:
        float (B, H, W, 2) twice; a point that is not of the part lies far outside.
    """

    def each(values: Tensor) -> Tensor:
        return values[:, None, None]

    bent = F.grid_sample(pose.bend, points / 2, align_corners=True, padding_mode="border").permute(0, 2, 3, 1)
    x, y = (points + bent).unbind(-1)
    cos, sin = each(pose.turn.cos()), each(pose.turn.sin())
    x, y = cos * x + sin * y, cos * y - sin * x
    x = (x + each(pose.lean) * y) * each(pose.mirror) / each(pose.width)
    side, off = x.sign(), x.abs()
    leg = off - each(pose.legs) * (y + 0.4).clamp(min=0)
    body = torch.where(off < each(pose.body), leg, leg + 9 * (each(pose.arms) != 0))
    body = torch.where((each(pose.legs) > 0) & (leg < 0), 9.0, body)
    # a sleeve is turned back around the shoulder
    right, down = off - each(pose.body), y - each(pose.shoulder)
    angle = each(pose.arms) + side * each(pose.uneven)
    cos, sin = angle.cos(), angle.sin()
    out = cos * right - sin * down
    sleeve_y = sin * right + cos * down + each(pose.shoulder)
    sleeve = torch.where((out >= 0) & (each(pose.arms) != 0) & ~each(pose.bare), out + each(pose.body), 9.0)
    one = torch.stack([side * body, y], -1)
    two = torch.stack([side * sleeve, sleeve_y], -1)
    # shoes from above stand upright beside each other, the second one mirrored
    across = (off - (each(pose.apart) - each(pose.toes_out) * y) * each(pose.narrow)) / each(pose.narrow)
    shoe = torch.stack([-y, across * each(pose.height)], -1)
    far = torch.full_like(shoe, 9.0)
    pair = each(pose.pair)[..., None]
    one = torch.where(pair, torch.where(side[..., None] > 0, shoe, far), one)
    two = torch.where(pair, torch.where((side[..., None] > 0) | each(pose.alone)[..., None], far, shoe), two)
    return one, two


def grid(side: int, device: torch.device) -> Tensor:
    """The centres of the pixels of a picture: float (1, side, side, 2)."""
    along = (torch.arange(side, device=device) * 2 + 1) / side - 1
    y, x = torch.meshgrid(along, along, indexing="ij")
    return torch.stack([x, y], -1)[None]


def _lay(source: Tensor, pose: Pose, points: Tensor) -> Tensor:
    """The bent garments at some points: float (B, C, 28, 28) -> (B, C, H, W)."""
    parts = [F.grid_sample(source, part, align_corners=False) for part in _where(pose, points)]
    return torch.maximum(*parts)


@dataclass(frozen=True)
class Laid:
    """Garments as they lie, filling the frame."""

    tone: Tensor  # float (B, 56, 56), 0-1
    mask: Tensor  # float (B, 56, 56), 0 or 1
    origin: Tensor  # float (B, 56, 56, 2): where in the image each point comes from
    scale: Tensor  # float (B,): half the side of the frame in the image's coordinates


def _bent(dice: Dice, source: Tensor, pose: Pose) -> Laid:
    """Garments bent, and cropped as tightly as a person's picture is: float (B, 2, 28, 28) -> (B, 56, 56)."""
    reach, coarse = 2.4, 48
    points = reach * grid(coarse, source.device)
    there = _lay(source[:, 1:], pose, points.expand(len(source), -1, -1, -1))[:, 0] > 0.5
    low_x, high_x = _extent(there.any(1))
    low_y, high_y = _extent(there.any(2))
    centre = torch.stack([low_x + high_x, low_y + high_y], -1) / 2
    half = (torch.maximum(high_x - low_x, high_y - low_y) / 2).clamp(min=2) * dice.uniform(1.0, 1.08)
    to_points = reach * 2 / coarse
    centre, half = (centre + 0.5) * to_points - reach, half * to_points
    fine = grid(FINE, source.device) * half[:, None, None, None] + centre[:, None, None]
    parts = _where(pose, fine)
    laid = torch.maximum(*(F.grid_sample(source, part, align_corners=False) for part in parts))
    origin = torch.where(parts[0].abs().amax(-1, keepdim=True) < 5, *parts)
    return Laid(laid[:, 0], (laid[:, 1] > 0.5).float(), origin, half)


def _extent(there: Tensor) -> tuple[Tensor, Tensor]:
    """The first and the last place that is true, half a place further out: bool (B, N) -> float (B,) twice."""
    places = torch.arange(there.shape[1], device=there.device, dtype=torch.float32)
    low = torch.where(there, places, 1e3).min(1).values - 0.5
    high = torch.where(there, places, -1e3).max(1).values + 0.5
    return low, torch.maximum(high, low)


def _with_soles(dice: Dice, laid: Laid, pose: Pose, which: Tensor) -> Laid:
    """Shoes from above as what one sees of them: a sole without holes, and now and then the opening at the heel. Args: which: bool (B,)."""
    along, across = laid.origin.unbind(-1)
    across = across / pose.height[:, None, None]
    sole = (along.abs() ** 3 + across.abs() ** 2.5 < 0.85) & which[:, None, None]
    tone = torch.where(sole & (laid.tone < 0.1), dice.uniform(0.2, 0.9)[:, None, None], laid.tone)
    opening = ((along + 0.4) / 0.4).square() + (across / 0.6).square() < 1
    dark = opening & sole & dice.chance(0.5)[:, None, None]
    return replace(laid, tone=torch.where(dark, 0.4 * tone, tone), mask=torch.maximum(laid.mask, sole.float()))


# ---- drawn -------------------------------------------------------------------------------------------------------------------------------


def _near(distance: Tensor, width: Tensor) -> Tensor:
    """float (B, 56, 56): 1 where a distance is below a width, (B,)."""
    return (distance.abs() < width[:, None, None]).float()


def _details(dice: Dice, laid: Laid, pose: Pose, labels: Tensor) -> Tensor:
    """Lines that people draw into a garment: zips, buttons, collars, pockets, hems, soles, straps: float (B, 56, 56), 0 or 1."""

    def of(*classes: int) -> Tensor:
        return torch.isin(labels, torch.tensor(classes, device=labels.device)).float()

    def some(share: float, *classes: int) -> Tensor:
        return (of(*classes) * dice.chance(share))[:, None, None]

    def at(low: float, high: float) -> Tensor:
        return dice.uniform(low, high)[:, None, None]

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
    front = torch.where(dice.chance(0.55)[:, None, None], zip_, open_)
    lines = some(0.95, COAT) * front + some(0.35, COAT) * collar + some(0.3, COAT) * pocket + some(0.2, COAT) * dots
    lines += some(0.2, SHIRT) * zip_ + some(0.85, SHIRT) * dots + some(0.8, SHIRT) * collar + some(0.12, SHIRT) * pocket
    lines += (
        some(0.35, PULLOVER, COAT) * hem
        + some(0.4, TROUSER) * waist
        + some(0.3, TROUSER) * zip_ * (y < -0.2)
        + some(0.3, DRESS, BAG) * across
    )
    lines += some(0.4, SNEAKER, BOOT) * _near(y - at(0.1, 0.45) * pose.height[:, None, None], pen)
    laces = _near(((x - y) / 0.2).frac().abs() - 0.5, pen / 0.2) * _near(
        torch.maximum((x - at(-0.2, 0.3)).abs() / 0.25, (y + at(-0.1, 0.2)).abs() / 0.2), pen / pen
    )
    lines += some(0.3, SNEAKER, BOOT) * laces
    # the straps of a flip-flop from above: from between the toes to both sides (along x, across y)
    toe = at(0.35, 0.65)
    strap = (
        _near(y.abs() / pose.height[:, None, None] - (toe - x).clamp(min=0) * at(0.8, 1.6), 1.5 * pen / pose.height)
        * (x < toe)
        * (x > toe - 1.0)
    )
    lines += some(0.8, SANDAL) * pose.pair[:, None, None] * strap
    return lines.clamp(max=1)


def _largest(values: Tensor, side: int) -> Tensor:
    """The largest value in a square around each pixel, `side` odd: float (B, H, W).

    By doubling windows along each direction, which on a CPU costs a tenth of `max_pool2d`.
    """
    found = F.pad(values, [side // 2] * 4, value=-math.inf)
    for direction in (1, 2):
        reach = 1
        while reach < side:
            step = min(reach, side - reach)
            length = found.shape[direction] - step
            found = torch.maximum(found.narrow(direction, 0, length), found.narrow(direction, step, length))
            reach += step
    return found


def _drawn(dice: Dice, laid: Laid, pose: Pose, labels: Tensor) -> Tensor:
    """Garments as lines, as filled lines and as flat shapes: float (B, 56, 56), 0-255."""

    def pick(share: float) -> Tensor:
        return dice.chance(share)[:, None, None].float()

    mask = laid.mask
    top = torch.isin(labels, torch.tensor((*TOPS, DRESS), device=labels.device))[:, None, None]
    x, y = laid.origin.unbind(-1)
    neck = (x / dice.uniform(0.15, 0.4)[:, None, None]) ** 2 + ((y + 0.95) / dice.uniform(0.1, 0.4)[:, None, None]) ** 2 < 1
    neck = (top & neck).float() * pick(0.5)
    grown, eroded = _largest(mask, 3), -_largest(-mask, 3)
    thin = mask - eroded
    edge = torch.maximum(thin, pick(0.6) * (grown - mask))
    rim = neck + _largest(-neck, 3)
    edge = torch.maximum(edge * (1 - neck), rim * mask)
    shape = mask * (1 - neck)
    slope = _slope(laid.tone)
    inner = (slope > dice.uniform(0.12, 0.35)[:, None, None]).float() * eroded * pick(0.4)
    stray = (dice.clouds(4).abs() < 0.06).float() * (dice.clouds(5) > 0.9).float() * pick(0.25)
    lines = torch.maximum(torch.maximum(edge, torch.maximum(inner, stray)), _details(dice, laid, pose, labels) * mask * pick(0.95)) * (
        1 - neck * (1 - rim)
    )
    thick = torch.maximum(lines, lines.roll((1, 1), (1, 2)))
    lines = torch.where(dice.chance(0.5)[:, None, None], thick, lines)
    filled = torch.maximum(shape * dice.uniform(FILL - 40, FILL + 40)[:, None, None], lines * LINE)
    whole = (dice.clouds(7) > -1.4).float()
    outline = lines * LINE * torch.maximum(whole, pick(0.5))
    flat = shape * dice.uniform(120, 255)[:, None, None]
    kind = dice.uniform(0, 1)[:, None, None]
    return torch.where(kind < 0.62, filled, torch.where(kind < 0.87, outline, flat))


def _slope(tone: Tensor) -> Tensor:
    """How steeply the tones change: float (B, 56, 56), per two pixels."""
    across = F.pad(tone[:, :, 2:] - tone[:, :, :-2], [1, 1])
    down = F.pad(tone[:, 2:] - tone[:, :-2], [0, 0, 1, 1])
    return torch.hypot(across, down)


# ---- photographed ------------------------------------------------------------------------------------------------------------------------


def _photographed(dice: Dice, laid: Laid, pose: Pose, labels: Tensor) -> Tensor:
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
    tone = tone + seams * _details(dice, laid, pose, labels)
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
    rough = (soft + dice.uniform(0, 0.22)[:, None, None] * dice.clouds(18) > 0.5).float()
    bites = (dice.clouds(6) > dice.uniform(0.9, 1.8)[:, None, None]).float() * dice.chance(0.3)[:, None, None]
    floor = (dice.clouds(5) > 1.5).float() * dice.chance(0.2)[:, None, None]
    return torch.maximum(rough * (1 - bites), floor)


def _stripes(dice: Dice) -> Tensor:
    """Stripes, or checks: float (B, 56, 56)."""
    x, y = grid(FINE, dice.generator.device)[0].unbind(-1)
    angle, often = dice.uniform(0, math.pi)[:, None, None], dice.uniform(6, 26)[:, None, None]
    one, two = torch.sin(often * (x * angle.cos() + y * angle.sin())), torch.sin(often * (y * angle.cos() - x * angle.sin()))
    return dice.uniform(0.05, 0.25)[:, None, None] * (one + two * dice.chance(0.4)[:, None, None])


def _print(dice: Dice, laid: Laid) -> Tensor:
    """A picture on the breast: float (B, 56, 56)."""
    x, y = laid.origin.unbind(-1)
    far = (x / dice.uniform(0.1, 0.4)[:, None, None]) ** 2 + (
        (y - dice.uniform(-0.5, 0.3)[:, None, None]) / dice.uniform(0.08, 0.4)[:, None, None]
    ) ** 2
    return (far < 1).float() * (dice.clouds(14) > 0).float() * dice.uniform(-0.7, 0.7)[:, None, None]


# ---- the views of a batch ----------------------------------------------------------------------------------------------------------------


def make(images: Tensor, masks: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
    """Every image as somebody may have drawn or photographed it: uint8 (B, 28, 28), its silhouettes and int64 (B,) -> uint8 (B, 28, 28)."""
    dice = Dice(len(images), generator)
    return show(torch.stack([images, masks], 1).float() / 255, labels, dice.chance(0.5), generator)


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
    pose = _pose(dice, source[:, 1], labels, drawing)
    laid = _bent(dice, source, pose)
    soles = (labels == SANDAL) if drawing else dice.chance(0.45)
    laid = _with_soles(dice, laid, pose, pose.pair & soles)
    return _drawn(dice, laid, pose, labels) if drawing else _photographed(dice, laid, pose, labels)
