"""The networks. Each takes (B, 1, 28, 28) normalised pictures and gives (B, 10) logits; `features` stops before the last layer."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

NUM_CLASSES = 10
MEAN, STD = 0.2860, 0.3530  # of the 60,000 training images, pixels as 0-1; checked in test_data.py


class InputConv(nn.Conv2d):
    """A first convolution that computes in float32 under autocast, and hands on what autocast works with.

    Its single input channel makes it 1 % of the work, and bfloat16 kernels for one channel have given wrong numbers
    (pytorch issue 163347), so nothing is won by risking it. Converting its output at once, instead of after the batch
    norm, saves 14 % of a step on a CPU.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that torch gives it
        kind = input.device.type
        with torch.autocast(kind, enabled=False):
            output = super().forward(input.float())
        return output.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else output


class Classifier(nn.Module):
    """A network as two parts: everything that makes features of a picture, and the linear layer that decides on them."""

    def __init__(self, body: nn.Module, feature_size: int) -> None:
        super().__init__()
        self.body = body
        self.head = nn.Linear(feature_size, NUM_CLASSES)

    def features(self, pictures: Tensor) -> Tensor:
        """(B, 1, 28, 28) -> (B, feature_size)"""
        return self.body(pictures)

    def forward(self, pictures: Tensor) -> Tensor:
        return self.head(self.features(pictures))


def _conv_block(channels_in: int, channels_out: int) -> list[nn.Module]:
    """[conv 3x3, ReLU, batch norm] twice, then 2x2 max pool; in this order, as the reference has it."""
    first = InputConv if channels_in == 1 else nn.Conv2d
    return [
        first(channels_in, channels_out, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.BatchNorm2d(channels_out),
        nn.Conv2d(channels_out, channels_out, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.BatchNorm2d(channels_out),
        nn.MaxPool2d(2),
    ]


def _reference() -> Classifier:
    """The network of the published 92.54 %: 1,676,650 parameters."""
    body = nn.Sequential(
        *_conv_block(1, 32),  # (B, 1, 28, 28) -> (B, 32, 14, 14)
        *_conv_block(32, 64),  # -> (B, 64, 7, 7)
        nn.Flatten(),  # -> (B, 3136)
        nn.Linear(64 * 7 * 7, 512),
        nn.ReLU(inplace=True),
    )
    return Classifier(body, 512)


def _linear() -> Classifier:
    """Softmax regression: one weight for each pixel and class."""
    return Classifier(nn.Flatten(), 28 * 28)


def _mlp() -> Classifier:
    return Classifier(
        nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 512), nn.ReLU(inplace=True), nn.Linear(512, 128), nn.ReLU(inplace=True)), 128
    )


def _small() -> Classifier:
    """One convolution a resolution, each followed by a pool: an eighth of the reference's work."""
    stages: list[nn.Module] = []
    for channels_in, channels_out in ((1, 16), (16, 32), (32, 64)):
        first = InputConv if channels_in == 1 else nn.Conv2d
        stages += [
            first(channels_in, channels_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
        ]
    return Classifier(nn.Sequential(*stages, nn.Flatten()), 64 * 3 * 3)


class Residual(nn.Module):
    """Two convolutions beside a shortcut: (B, in, H, W) -> (B, out, H / stride, W / stride)."""

    def __init__(self, channels_in: int, channels_out: int, stride: int = 1) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.BatchNorm2d(channels_in),
            nn.ReLU(inplace=False),
            nn.Conv2d(channels_in, channels_out, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False),
        )
        same = channels_in == channels_out and stride == 1
        self.shortcut = nn.Identity() if same else nn.Conv2d(channels_in, channels_out, 1, stride, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.shortcut(inputs) + self.branch(inputs)


RESNET_WIDTHS = {"resnet": 32, "wide-resnet": 64}  # channels of the first of three stages


def _resnet(width: int) -> Classifier:
    """A residual network of three stages with two blocks each (He et al., arXiv 1603.05027): `width`, twice and four times it wide."""
    stages: list[nn.Module] = [InputConv(1, width, 3, padding=1, bias=False)]
    for channels_in, channels_out, stride in ((width, width, 1), (width, 2 * width, 2), (2 * width, 4 * width, 2)):
        stages += [Residual(channels_in, channels_out, stride), Residual(channels_out, channels_out)]
    stages += [nn.BatchNorm2d(4 * width), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return Classifier(nn.Sequential(*stages), 4 * width)


NETWORKS: dict[str, Callable[[], Classifier]] = {
    "reference": _reference,
    "linear": _linear,
    "mlp": _mlp,
    "small": _small,
    **{name: partial(_resnet, width) for name, width in RESNET_WIDTHS.items()},
}


def build(network: str) -> Classifier:
    """A network with fresh weights, drawn from torch's global generator; float32, channels last, on the CPU.

    Args:
        network: a name from NETWORKS, as in TrainConfig.
    """
    return NETWORKS[network]().to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def count_parameters(network: str) -> int:
    """How many numbers a network learns."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in NETWORKS[network]().parameters())
