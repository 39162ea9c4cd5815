"""How much a network computes for an image: counted by torch while it does so, not written down by hand."""

import torch
from torch.utils.flop_counter import FlopCounterMode

from fmnist.models import build


def training_flop(network: str) -> dict[str, float]:
    """Floating-point operations a training image, forward and backward, by the name of the operation in torch: "aten.convolution": 36.6e6.

    Convolutions and matrix products are counted, nothing else.
    """
    pictures = torch.zeros(2, 1, 28, 28)  # two: a batch norm cannot learn from one
    with FlopCounterMode(display=False) as counter:
        build(network)(pictures).sum().backward()
    return {str(operation): flop / len(pictures) for operation, flop in counter.get_flop_counts()["Global"].items()}


def forward_macs(network: str) -> int:
    """Multiplications (each with its addition) to classify one image."""
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        build(network).eval()(torch.zeros(1, 1, 28, 28))
    return counter.get_total_flops() // 2
