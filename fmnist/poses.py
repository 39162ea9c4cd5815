"""How people lay and draw their clothes: sleeves spread, legs apart, shoes in pairs from above; made from the dataset's own images.

The dataset shows a pullover with its sleeves beside the body, trousers with their legs together, a shoe from the side. A person does not,
so a network that shall know a person's picture must have seen them bent. All of it is batched, on the device, and random by one generator.

Coordinates are those of `grid_sample`: (x, y) from -1 to 1 across the image, x to the right, y down.
"""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from fmnist.dice import Dice
from fmnist.morphology import largest

SIDE = 28
FINE = 2 * SIDE  # garments are laid at twice the size of an image and averaged down at last, so that lines are smooth
GARMENT = 14  # of 255: what is darker is background
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
        grown = (largest(reached.float(), 3) > 0) & outside
        if torch.equal(grown, reached):
            break
        reached = grown
    open_work = (labels == BAG) | (labels == SANDAL)
    return torch.where(open_work[:, None, None], found, ~reached).to(torch.uint8) * 255


@dataclass(frozen=True)
class Pose:
    """How each garment of a batch is bent: one number each, shape (B,)."""

    turn: Tensor  # radians
    lean: Tensor  # shear
    width: Tensor  # factor; above 1 is wider
    taper: Tensor  # how much wider it is above than below
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
    behind: Tensor  # bool: two shoes from the side, one behind the other
    offset: Tensor  # (B, 2): where that one stands
    height: Tensor  # half the height of the garment in the image
    bend: Tensor  # (B, 2, n, n) displacements of a coarse net


def pose(dice: Dice, mask: Tensor, labels: Tensor, drawing: bool) -> Pose:
    """How garments lie, at random.

    Args:
        mask: float (B, 28, 28), the silhouettes, 0-1.
        labels: int64 (B,): what bends how.
        drawing: they are to be drawn, not photographed.
    """

    def of(*classes: int) -> Tensor:
        return torch.isin(labels, torch.tensor(classes, device=labels.device))

    tops, sleeves, shoes = of(*TOPS), of(PULLOVER, COAT, SHIRT), of(*FOOTWEAR)
    long = sleeves & (dice.uniform(0, 1) < 0.8)
    arms = torch.where(long, dice.uniform(-0.1, 1.15), dice.uniform(-0.35, 0.35)) * tops
    flat = dice.uniform(-0.65, 0.15) if drawing else dice.uniform(-0.4, 0.25)  # people draw shoes higher than they are
    stretch = torch.where(shoes, flat, dice.normal(0.16))
    stretch = torch.where(of(TROUSER), dice.uniform(-0.1, 0.75), torch.where(of(DRESS), dice.uniform(-0.2, 0.35), stretch))
    legs = torch.where(of(TROUSER), dice.uniform(-0.03, 0.4), 0.0) * dice.chance(0.8)
    single = of(SANDAL) & drawing
    above = torch.where(single, 0.6, 0.06) if drawing else 0.45
    seen = dice.uniform(0, 1)
    pair = shoes & (seen < above)
    return Pose(
        turn=dice.normal(0.13) + shoes * dice.normal(0.1 if drawing else 0.4),
        lean=dice.normal(0.1),
        width=stretch.exp(),
        taper=dice.normal(0.12) * ~shoes,
        mirror=torch.where(dice.chance(0.5), 1.0, -1.0),
        body=_body(mask) * dice.uniform(0.9, 1.1),
        shoulder=dice.uniform(-0.85, -0.6),
        bare=of(COAT) & dice.chance(0.0 if drawing else 0.15),
        arms=arms,
        uneven=dice.normal(0.12) * tops,
        legs=legs,
        pair=pair,
        alone=dice.chance(0.3) | single & dice.chance(0.4),
        apart=dice.uniform(0.85, 1.25),
        toes_out=dice.normal(0.2),
        narrow=dice.uniform(0.26, 0.5),
        behind=shoes & ~pair & (seen > (0.95 if drawing else 0.7)),
        offset=torch.stack([dice.normal(0.35), -dice.uniform(0.1, 0.7)], 1),
        height=mask.gt(0.5).any(2).float().sum(1) / SIDE,
        bend=_bend(dice, drawing),
    )


def _bend(dice: Dice, drawing: bool) -> Tensor:
    """Displacements: a hand's wobble on a drawing, cloth that lies unevenly on a photo: float (B, 2, n, n)."""
    if not drawing:
        return dice.normal(0.06, 2, 5, 5)
    wide = F.interpolate(dice.normal(0.07, 2, 4, 4), size=(11, 11), mode="bilinear", align_corners=True)
    return wide + dice.uniform(0, 0.1)[:, None, None, None] * dice.normal(1, 2, 11, 11)


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
    x = (x + each(pose.lean) * y) * each(pose.mirror) / (each(pose.width) * (1 - each(pose.taper) * y).clamp(min=0.3))
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
    behind = each(pose.behind)[..., None]
    beside = torch.stack([x, y], -1)
    one = torch.where(behind, beside, one)
    two = torch.where(behind, beside - pose.offset[:, None, None], two)
    return one, two


def grid(side: int, device: torch.device) -> Tensor:
    """The centres of the pixels of a picture: float (1, side, side, 2)."""
    along = (torch.arange(side, device=device) * 2 + 1) / side - 1
    y, x = torch.meshgrid(along, along, indexing="ij")
    return torch.stack([x, y], -1)[None]


def _sampled(source: Tensor, pose: Pose, points: Tensor) -> Tensor:
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


def lay(dice: Dice, source: Tensor, pose: Pose) -> Laid:
    """Garments bent, and cropped as tightly as a person's picture is: float (B, 2, 28, 28) -> (B, 56, 56)."""
    reach, coarse = 2.4, 48
    points = reach * grid(coarse, source.device)
    there = _sampled(source[:, 1:], pose, points.expand(len(source), -1, -1, -1))[:, 0] > 0.5
    low_x, high_x = _extent(there.any(1))
    low_y, high_y = _extent(there.any(2))
    centre = torch.stack([low_x + high_x, low_y + high_y], -1) / 2
    half = (torch.maximum(high_x - low_x, high_y - low_y) / 2).clamp(min=2) * dice.uniform(1.0, 1.08)
    to_points = reach * 2 / coarse
    centre, half = (centre + 0.5) * to_points - reach, half * to_points
    fine = grid(FINE, source.device) * half[:, None, None, None] + centre[:, None, None]
    parts = _where(pose, fine)
    front, back = (F.grid_sample(source, part, align_corners=False) for part in parts)
    laid = torch.where(front[:, 1:] > 0.5, front, torch.maximum(front, back))
    origin = torch.where(parts[0].abs().amax(-1, keepdim=True) < 5, *parts)
    return Laid(laid[:, 0], (laid[:, 1] > 0.5).float(), origin, half)


def _extent(there: Tensor) -> tuple[Tensor, Tensor]:
    """The first and the last place that is true, half a place further out: bool (B, N) -> float (B,) twice."""
    places = torch.arange(there.shape[1], device=there.device, dtype=torch.float32)
    low = torch.where(there, places, 1e3).min(1).values - 0.5
    high = torch.where(there, places, -1e3).max(1).values + 0.5
    return low, torch.maximum(high, low)


def with_soles(dice: Dice, laid: Laid, pose: Pose, which: Tensor) -> Laid:
    """Shoes from above as what one sees of them: a sole without holes, and now and then the opening at the heel.

    Args:
        which: bool (B,), of which to show the sole.
    """
    along, across = laid.origin.unbind(-1)
    across = across / pose.height[:, None, None]
    sole = (along.abs() ** 3 + across.abs() ** 2.5 < 0.85) & which[:, None, None]
    tone = torch.where(sole & (laid.tone < 0.1), dice.uniform(0.2, 0.9)[:, None, None], laid.tone)
    opening = ((along + 0.4) / 0.4).square() + (across / 0.6).square() < 1
    dark = opening & sole & dice.chance(0.5)[:, None, None]
    return replace(laid, tone=torch.where(dark, 0.4 * tone, tone), mask=torch.maximum(laid.mask, sole.float()))
