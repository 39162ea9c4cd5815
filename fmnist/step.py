"""One step of a training: what every loop, by hand or from a CUDA graph, does with a batch."""

import torch
import torch.nn.functional as F
from torch import Tensor

from fmnist import augment, ranks
from fmnist.config import TrainConfig
from fmnist.models import Classifier
from fmnist.poses import NOTHING
from fmnist.train_state import TrainState


def learn(state: TrainState, images: Tensor, labels: Tensor, rate: Tensor, share: Tensor, of: int | None = None) -> None:
    """Forward, backward, update, average, count: all in place.

    It neither takes a number from the host nor waits for one, and no shape depends on a value: so a CUDA graph can hold it.

    Args:
        images: uint8 (B, 28, 28).
        labels: int64 (B,).
        rate: (), the learning rate of this step, of the dtype and on the device of `state.rate`.
        share: float32 (), how far the averaged weights move towards the new ones.
        of: how many images this step has over all ranks, of which these are the part of this one; None: these are all.
    """
    config = state.config
    state.rate.copy_(rate)
    pictures = augment.normalised(images)
    # Each weight is cast once a step, so a cache of casts wins nothing, and in a graph it would keep those of the capture.
    with torch.autocast(state.device.type, torch.bfloat16, enabled=state.precision == "bfloat16", cache_enabled=False):
        scores = state.model(pictures)
        loss = _loss(scores, labels, config) if of is None else _part_of_loss(scores, labels, config, of)
    loss.backward()
    with torch.no_grad():
        right = _right(scores, labels, config)
        if of is not None:
            right = right.float()
            ranks.add([parameter.grad for parameter in state.model.parameters() if parameter.grad is not None] + [loss, right])
    state.optimizer.step()
    state.optimizer.zero_grad(set_to_none=True)
    with torch.no_grad():
        if state.average:
            _follow(state.average, state.model, share)
        state.recent_loss += loss
        state.epoch_loss += loss * (of or len(labels))
        state.epoch_right += right.long()


def _loss(scores: Tensor, labels: Tensor, config: TrainConfig) -> Tensor:
    """Cross entropy, the mean over the batch; of what is none of the classes (`poses.NOTHING`), all ten shall be equally likely."""
    if not config.outliers:
        return F.cross_entropy(scores, labels, label_smoothing=config.label_smoothing)
    known = F.cross_entropy(scores, labels, label_smoothing=config.label_smoothing, ignore_index=NOTHING, reduction="sum")
    even = -scores.log_softmax(1).mean(1)
    return (known + even.masked_fill(labels != NOTHING, 0).sum()) / len(labels)


def _part_of_loss(scores: Tensor, labels: Tensor, config: TrainConfig, of: int) -> Tensor:
    """What some of the images add to the mean over a batch of `of`; nothing, with a gradient of nothing, where there are none."""
    return _loss(scores, labels, config) * (len(labels) / of) if len(labels) else scores.sum()


def _right(scores: Tensor, labels: Tensor, config: TrainConfig) -> Tensor:
    """How many answers are right: int64 (). Of what is none of the classes, not to be sure is."""
    right = scores.argmax(1) == labels
    if config.outliers:
        right |= (labels == NOTHING) & (scores.softmax(1).amax(1) < 0.5)
    return right.sum()


def _follow(average: Classifier, model: Classifier, share: Tensor) -> None:
    """Move the average a little towards the model, batch-norm statistics included; counters are copied."""
    tensors = [*average.parameters(), *average.buffers()], [*model.parameters(), *model.buffers()]
    for mine, new in zip(*tensors, strict=True):
        if mine.is_floating_point():
            mine.lerp_(new, share)
        else:
            mine.copy_(new)
