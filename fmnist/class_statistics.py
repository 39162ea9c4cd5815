"""What the images of each class look like together: mean, spread, brightness, ink."""

from dataclasses import dataclass

import torch
from torch import Tensor

from fmnist.data import CLASS_NAMES, Split

INK = 26  # a pixel from here on is part of the garment: a tenth of white, above the noise of the black ground
BRIGHTNESS_BINS = 16  # of the histogram: 16 grey values each


@dataclass(frozen=True)
class ClassStatistics:
    """The images of one class of a split; grey values are 0-255."""

    label: int  # 0-9
    count: int
    mean_image: Tensor  # float32 (28, 28)
    spread_image: Tensor  # float32 (28, 28): the standard deviation of each pixel
    mean: float  # of all pixels
    spread: float  # of all pixels
    ink: float  # share of the pixels that are not ground, 0-1
    brightness: tuple[float, ...]  # share of the pixels in each of BRIGHTNESS_BINS equal stretches of grey, sum 1

    @property
    def name(self) -> str:
        return CLASS_NAMES[self.label]


def describe(split: Split) -> list[ClassStatistics]:
    """The statistics of every class that has an image in a split, in the order of the classes; under a second for 60,000 images."""
    found = (split.images[split.labels == label] for label in range(len(CLASS_NAMES)))
    return [_describe(label, images) for label, images in enumerate(found) if len(images)]


def _describe(label: int, images: Tensor) -> ClassStatistics:
    """uint8 (N, 28, 28), N > 0. The squares are summed in float64: in float32 the spread would lose its last digits."""
    total = images.sum(0, dtype=torch.int64).double()
    squares = torch.stack([chunk.double().square().sum(0) for chunk in images.split(1000)]).sum(0)
    mean_image = total / len(images)
    variance = (squares / len(images) - mean_image.square()).clamp(min=0)
    counts = torch.bincount(images.flatten(), minlength=256).double()
    grey = torch.arange(256, dtype=torch.float64)
    share = counts / counts.sum()
    mean = float((share * grey).sum())
    return ClassStatistics(
        label=label,
        count=len(images),
        mean_image=mean_image.float(),
        spread_image=variance.sqrt().float(),
        mean=mean,
        spread=float((share * (grey - mean).square()).sum().sqrt()),
        ink=float(share[INK:].sum()),
        brightness=tuple(share.view(BRIGHTNESS_BINS, -1).sum(1).tolist()),
    )
