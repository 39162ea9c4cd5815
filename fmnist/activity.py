"""Whether a network still uses what it has: ReLU channels that are zero whatever it sees."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from fmnist.evaluation import logits


def silent_share(model: nn.Module, images: Tensor) -> float | None:
    """The share of ReLU channels (or units, behind a linear layer) that are zero everywhere on every image; None without a ReLU.

    A channel that is zero for all inputs has no gradient: it is dead, and stays so unless what comes before it changes. On a sample of
    images the share is at most too high by the channels that answer to something rare.

    Args:
        model: (B, 1, 28, 28) -> (B, 10); left as it was.
        images: uint8 (N, 28, 28), on the device of the model.

    Source: Maas, Hannun and Ng, Rectifier Nonlinearities Improve Neural Network Acoustic Models (2013), section 2, on units that are
        never active.
    """
    with _heard(model) as heard:
        logits(model, images)
    spoken = torch.cat(list(heard.values())) if heard else None
    return None if spoken is None else 1 - float(spoken.double().mean())


@contextmanager
def _heard(model: nn.Module) -> Iterator[dict[nn.Module, Tensor]]:
    """While it lasts, fills for each ReLU: bool (channels,), whether anything above zero came out of it."""
    heard: dict[nn.Module, Tensor] = {}

    def listen(part: nn.Module, _: object, output: Tensor) -> None:
        spoke = (output > 0).transpose(0, 1).flatten(1).any(1)
        heard[part] = heard[part] | spoke if part in heard else spoke

    hooks = [part.register_forward_hook(listen) for part in model.modules() if isinstance(part, nn.ReLU)]
    try:
        yield heard
    finally:
        for hook in hooks:
            hook.remove()
