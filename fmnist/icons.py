"""The plain shape that people draw for each class: a shirt of a body and two sleeves, a shoe like an L, a box with a handle.

A drawing is closer to such a sign than to a product shot. They are made by rule, from no picture, in the dataset's own pose (sleeves beside
the body, a shoe from the side), so that `fmnist.poses` bends and `fmnist.views` draws them like everything else.
"""

import torch
from torch import Tensor

from fmnist import poses
from fmnist.dice import Dice
from fmnist.poses import BAG, BOOT, COAT, DRESS, PULLOVER, SANDAL, SHIRT, SIDE, SNEAKER, T_SHIRT, TROUSER


def make(dice: Dice, labels: Tensor) -> Tensor:
    """One for each label: int64 (B,) -> float (B, 2, 28, 28), tone and silhouette, 0-1."""
    pen = _Pen(dice)
    long = pen.sleeved(pen.at(0.0, 0.85), pen.at(0.1, 0.4), pen.at(0.1, 0.22))
    shapes = {
        T_SHIRT: pen.sleeved(pen.at(-0.55, -0.3), pen.at(0.12, 0.38), pen.at(0.14, 0.24)),
        TROUSER: pen.trousers(),
        PULLOVER: long,
        DRESS: pen.dress(),
        COAT: long,
        SANDAL: pen.sandal(),
        SHIRT: long,
        SNEAKER: pen.shoe(pen.at(-0.35, 0.1)),
        BAG: pen.bag(),
        BOOT: pen.shoe(pen.at(-0.95, -0.35)),
    }
    shape = torch.stack([shapes[label] for label in range(len(shapes))], 1)
    mask = shape[torch.arange(len(labels), device=labels.device), labels].float()
    return torch.stack([mask * pen.at(0.4, 1.0), mask], 1)


class _Pen:
    """Draws the shapes of a batch: each method bool (B, 28, 28)."""

    def __init__(self, dice: Dice) -> None:
        self.at, self.maybe = dice.at, dice.maybe
        self._x, self._y = poses.grid(SIDE, dice.generator.device)[0].unbind(-1)

    def sleeved(self, cuff: Tensor, out: Tensor, thick: Tensor) -> Tensor:
        """A body and two sleeves, which end at the height `cuff`, by `out` farther outside than they begin."""
        x, y = self._x.abs(), self._y
        shoulder, hem, top, bottom = self.at(0.34, 0.5), self.at(0.34, 0.6), self.at(-0.95, -0.75), self.at(0.55, 0.95)
        down = ((y - top) / (bottom - top)).clamp(0, 1)
        body = (x < shoulder + (hem - shoulder) * down) & (y > top) & (y < bottom)
        return body | self._line(x, y, (shoulder - thick / 2, top + thick), (shoulder + out, cuff), thick)

    def trousers(self) -> Tensor:
        x, y = self._x.abs(), self._y
        waist, thick, crotch, hem = self.at(0.25, 0.5), self.at(0.13, 0.26), self.at(-0.55, -0.1), self.at(0.7, 0.98)
        hips = (x < waist) & (y > -0.95) & (y < crotch)
        return hips | self._line(x, y, (waist - thick, crotch - thick), (waist - thick + self.at(0, 0.3), hem - thick), thick) & (y < hem)

    def dress(self) -> Tensor:
        x, y = self._x.abs(), self._y
        chest, waist, hem, at_waist = self.at(0.2, 0.4), self.at(0.15, 0.35), self.at(0.35, 0.8), self.at(-0.35, 0.1)
        above = chest + (waist - chest) * ((y + 0.9) / (at_waist + 0.9)).clamp(0, 1)
        below = waist + (hem - waist) * ((y - at_waist) / (0.95 - at_waist)).clamp(0, 1)
        sleeve = self._line(x, y, (chest, -0.75), (chest + self.at(0.05, 0.35), self.at(-0.6, -0.3)), self.at(0.08, 0.16))
        return (x < torch.where(y < at_waist, above, below)) & (y.abs() < 0.93) | sleeve & self.maybe(0.4)

    def shoe(self, top: Tensor) -> Tensor:
        """From the side, the toe on the right, up to the height `top`; with a sole, and perhaps a heel."""
        x, y = self._x, self._y
        sole, thick, back, ankle = self.at(0.3, 0.6), self.at(0.0, 0.15), self.at(-0.95, -0.75), self.at(-0.4, 0.1)
        tall = self.at(0.2, 0.55)
        shaft = (x > back) & (x < ankle + self.at(0.0, 0.2) * (y - top)) & (y > top) & (y < sole)
        toe = ((x - 0.3) / 0.65).square() + ((y - sole) / tall).square() < 1
        instep = (y > sole - tall - (0.3 - x).clamp(0, 1) * self.at(0.1, 0.8)) & (x > back) & (x < 0.3)
        foot = (toe | instep) & (y < sole) & (y > top)
        heel = (x > back) & (x < back + self.at(0.2, 0.5)) & (y < sole + thick + self.at(0.1, 0.3)) & (y > sole - 0.1) & self.maybe(0.35)
        return shaft | foot | heel | (x > back) & (x < 0.96) & (y >= sole) & (y < sole + thick)

    def sandal(self) -> Tensor:
        """A sole that is seen from above, or from the side with straps over it."""
        x, y = self._x, self._y
        above = (x / 0.95).abs() ** 3 + (y / self.at(0.22, 0.4)).abs() ** 2.5 < 1
        sole, thick, slope = self.at(0.3, 0.55), self.at(0.1, 0.25), self.at(0.0, 0.5)
        floor = sole - slope * (-x).clamp(min=0)
        side = (x.abs() < 0.95) & (y > floor) & (y < floor + thick)
        straps = torch.zeros_like(side)
        for place in (self.at(0.3, 0.65), self.at(-0.2, 0.3), self.at(-0.75, -0.4)):
            ring = torch.hypot((x - place) / self.at(0.15, 0.35), (y - floor) / self.at(0.3, 0.7))
            straps = straps | (ring < 1) & (ring > self.at(0.5, 0.75)) & (y < floor) & self.maybe(0.75)
        return torch.where(self.maybe(0.5), above, side | straps)

    def bag(self) -> Tensor:
        """A box, wider above or below, with round corners, and a handle that one can see through."""
        x, y = self._x, self._y
        top, bottom, wide, lean = self.at(-0.4, 0.1), self.at(0.5, 0.95), self.at(0.5, 0.95), self.at(-0.3, 0.3)
        middle, high = (top + bottom) / 2, (bottom - top) / 2
        corner = self.at(2, 8)
        box = (x / (wide * (1 + lean * (y - middle)))).abs() ** corner + ((y - middle) / high).abs() ** corner < 1
        ring = torch.hypot(x / (wide * self.at(0.4, 1.0)), (y - top) / self.at(0.35, 0.95))
        return box | (ring < 1) & (ring > self.at(0.72, 0.85)) & (y < top + 0.05) & self.maybe(0.8)

    @staticmethod
    def _line(x: Tensor, y: Tensor, start: tuple[Tensor, Tensor | float], end: tuple[Tensor, Tensor], thick: Tensor) -> Tensor:
        """A line with round ends, `thick` to each side."""
        across, down = end[0] - start[0], end[1] - start[1]
        along = (((x - start[0]) * across + (y - start[1]) * down) / (across.square() + down.square())).clamp(0, 1)
        return torch.hypot(x - start[0] - along * across, y - start[1] - along * down) < thick
