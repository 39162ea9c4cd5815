"""Batch norm whose statistics are those of the whole batch, however many processes share it.

torch.nn.SyncBatchNorm is the same for GPUs and refuses tensors of a processor. With statistics of its part alone, a process would
train another network the more of them there are.
"""

from typing import Any

import torch
from torch import Tensor, nn

from fmnist import ranks
from fmnist.models import Classifier


class _Sum(torch.autograd.Function):
    """The sum of a tensor over all processes; its gradient is the sum of theirs, because each of them has added to all results."""

    @staticmethod
    def forward(ctx: Any, mine: Tensor) -> Tensor:
        total = mine.clone()
        ranks.add([total])
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone()
        ranks.add([total])
        return total


class SharedBatchNorm(nn.BatchNorm2d):
    """What nn.BatchNorm2d gives one process that sees the images of all, its gradient included.

    Source: Ioffe and Szegedy, arXiv 1502.03167; checked against nn.BatchNorm2d in test_ranks.py.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that torch gives it
        if not self.training:
            return super().forward(input)
        with torch.autocast(input.device.type, enabled=False):
            return self._normalised(input.to(torch.promote_types(input.dtype, torch.float32))).to(input.dtype)

    def _normalised(self, pictures: Tensor) -> Tensor:
        across = (0, 2, 3)
        here = pictures.new_full((1,), pictures.numel() / self.num_features)
        sums = _Sum.apply(torch.cat([pictures.sum(across), here]))  # (C + 1,)
        count = sums[-1].detach()
        centred = pictures - (sums[:-1] / count)[:, None, None]
        variance = _Sum.apply(centred.square().sum(across)) / count  # (C,)
        self._remember(sums[:-1].detach() / count, variance.detach() * count / (count - 1))
        scale = self.weight * (variance + self.eps).rsqrt()
        return centred * scale[:, None, None] + self.bias[:, None, None]

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        """Move the running statistics, which predict later, as torch does."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)
        self.num_batches_tracked += 1


def shared(model: Classifier) -> Classifier:
    """A fresh network as several processes train it: the same names, weights and shapes; itself where there is one process."""
    if ranks.world() == 1:
        return model
    for inner in list(model.modules()):
        for name, child in inner.named_children():
            if isinstance(child, nn.BatchNorm2d):
                norm = SharedBatchNorm(child.num_features, child.eps, child.momentum)
                norm.load_state_dict(child.state_dict())
                setattr(inner, name, norm)
    return model
