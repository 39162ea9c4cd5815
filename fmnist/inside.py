"""What an image becomes on its way through a network: the stages that a person can look at, and the filters of the first one.

Nothing here changes the model or leaves a hook in it: the parts of the network are called one after the other, so the same model can be
looked into by several threads at once.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from fmnist.augment import normalised
from fmnist.models import Classifier, Residual

_RECTIFIED = (nn.Conv2d, Residual, nn.Linear)  # what a ReLU after it belongs to
_NAMES: tuple[tuple[type[nn.Module], str], ...] = (
    (Residual, "residual block"),
    (nn.Conv2d, "convolution"),
    (nn.MaxPool2d, "pool"),
    (nn.AdaptiveAvgPool2d, "average of each map"),
    (nn.Flatten, "flatten"),
    (nn.Linear, "linear layer"),
)


@dataclass(frozen=True)
class Place:
    """A place in the body of a network at which its numbers can be looked at: behind one of its parts."""

    name: str  # in plain words: "1st convolution"
    part: nn.Module  # what makes these numbers; a batch norm or ReLU may follow it
    index: int  # of the part of the body whose output is looked at


@dataclass(frozen=True)
class Stage:
    """What an image has become at one place of a network."""

    name: str  # in plain words: "1st convolution"
    what: str  # how these numbers come out of those of the stage before
    values: Tensor  # float32, (maps, H, W) or (numbers,)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.values.shape)


def parts(model: Classifier) -> list[nn.Module]:
    """The parts of a network's body in the order in which an image passes them.

    Raises:
        ValueError: the model is in training mode, in which looking at it would change it.
    """
    if model.training:
        raise ValueError("the model is in training mode: its batch norms would learn from being looked at; call model.eval() first")
    return list(model.body) if isinstance(model.body, nn.Sequential) else [model.body]


def places(model: Classifier) -> list[Place]:
    """Where to look into the body of a network: behind each convolution, residual block, pool, flatten and linear layer.

    A ReLU belongs to the convolution or linear layer before it, with or without a batch norm in between: what a filter found is what
    the ReLU lets through. A batch norm behind the ReLU, as in the reference, only shifts and scales each map; it is passed over.
    """
    found: list[Place] = []
    rectified = True
    for index, part in enumerate(parts(model)):
        if kind := next((name for known, name in _NAMES if isinstance(part, known)), None):
            found.append(Place(kind, part, index))
            rectified = not isinstance(part, _RECTIFIED)
        elif isinstance(part, nn.ReLU) and not rectified:
            found[-1] = Place(found[-1].name, found[-1].part, index)
            rectified = True
    return list(_numbered(found))


def _numbered(found: list[Place]) -> Iterator[Place]:
    """ "convolution" becomes "1st convolution" where there are several."""
    total, count = Counter(place.name for place in found), Counter[str]()
    for place in found:
        count[place.name] += 1
        name = f"{_ordinal(count[place.name])} {place.name}" if total[place.name] > 1 else place.name
        yield Place(name, place.part, place.index)


def _ordinal(number: int) -> str:
    return f"{number}{('st', 'nd', 'rd')[number - 1] if number <= 3 else 'th'}"  # no network has twenty-one of a kind


def run(steps: list[nn.Module], values: Tensor) -> Tensor:
    """The output of these parts after each other. What is handed in stays as it was, although some parts work in place."""
    values = values.clone()
    for step in steps:
        values = step(values)
    return values


@torch.inference_mode()
def activations(model: Classifier, image: Tensor) -> list[Stage]:
    """What an image is at each stage, from its pixels to the ten scores.

    Args:
        model: in evaluation mode, on the device of the image.
        image: uint8 (28, 28).

    Returns:
        The image itself first (float32 (1, 28, 28), pixels 0-1), the ten scores (logits) last; each of them on the CPU.
    """
    steps, values = parts(model), normalised(image[None])
    stages = [
        Stage(
            "image",
            "28 × 28 grey pixels; the network gets them shifted and scaled to mean 0 and spread 1",
            (image.float() / 255)[None].cpu(),
        )
    ]
    done = 0
    for place in places(model):
        passed = steps[done : place.index + 1]
        values = run(passed, values)
        done = place.index + 1
        stages.append(Stage(place.name, _what(place.part, passed), values[0].float().cpu()))
    scores = model.head(run(steps[done:], values))
    return [*stages, Stage("scores", f"a weighted sum of all {model.head.in_features:,} numbers for each class", scores[0].float().cpu())]


def _what(part: nn.Module, passed: list[nn.Module]) -> str:
    """What a part does, in a few words; `passed`: everything since the stage before, the part included."""
    cut = "; what is below zero becomes 0 (ReLU)" if isinstance(passed[-1], nn.ReLU) else ""
    shifted = ", after a batch norm has shifted and scaled each map" if isinstance(passed[0], nn.BatchNorm2d) else ""
    match part:
        case Residual():
            return f"two convolutions, added to what came in{cut}"
        case nn.Conv2d():
            maps = f"all {part.in_channels} maps" if part.in_channels > 1 else "the image"
            return f"{part.out_channels} filters of {part.kernel_size[0]} × {part.kernel_size[1]} slide over {maps}{shifted}{cut}"
        case nn.MaxPool2d():
            return f"the largest number of every {part.kernel_size} × {part.kernel_size} square{shifted}"
        case nn.AdaptiveAvgPool2d():
            return "the mean of each map: what is there counts, no longer where"
        case nn.Linear():
            return f"{part.out_features} weighted sums of all {part.in_features:,} numbers{cut}"
    return "the same numbers in one row"


def first_filters(model: Classifier) -> Tensor | None:
    """The filters that look at the pixels themselves: float32 (F, 3, 3), on the CPU; None for a network without a convolution."""
    first = next((part for part in parts(model) if isinstance(part, nn.Conv2d)), None)
    return None if first is None else first.weight.detach()[:, 0].float().cpu().clone()
