"""Whether a network still uses what it has: ReLU channels that are zero whatever it sees."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

LISTENED = 500  # images at most: of a monitor split a tenth or less, which no clock notices


@dataclass
class Heard:
    """What came out of the ReLUs of a network so far."""

    images: dict[nn.Module, int] = field(default_factory=dict)  # how many each of them saw
    spoke: dict[nn.Module, Tensor] = field(default_factory=dict)  # bool (channels,): whether anything above zero came out

    @property
    def silent(self) -> float | None:
        """The share of ReLU channels (or units, behind a linear layer) that were zero everywhere on every image; None without a ReLU.

        A channel that is zero for all inputs has no gradient: it is dead, and stays so unless what comes before it changes. On a
        sample of images the share is at most too high by the channels that answer to something rare.

        Source: Maas, Hannun and Ng, Rectifier Nonlinearities Improve Neural Network Acoustic Models (2013), section 2, on units that
            are never active.
        """
        return 1 - float(torch.cat(list(self.spoke.values())).double().mean()) if self.spoke else None


@contextmanager
def listening(model: nn.Module, images: int = LISTENED) -> Iterator[Heard]:
    """While it lasts, hear what the ReLUs of a network say of the first images that go through it; it costs no pass of its own.

    Args:
        model: left as it was.
        images: after so many (rounded up to a batch) it listens no more.
    """
    heard = Heard()

    def listen(part: nn.Module, _: object, output: Tensor) -> None:
        if heard.images.get(part, 0) < images:
            spoke = (output > 0).transpose(0, 1).flatten(1).any(1)
            heard.spoke[part] = heard.spoke[part] | spoke if part in heard.spoke else spoke
            heard.images[part] = heard.images.get(part, 0) + len(output)

    hooks = [part.register_forward_hook(listen) for part in model.modules() if isinstance(part, nn.ReLU)]
    try:
        yield heard
    finally:
        for hook in hooks:
            hook.remove()
