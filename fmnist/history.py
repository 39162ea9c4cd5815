"""What a network said of the same images after each epoch: recorded while it trains, so that nobody has to compute it again.

A small file an epoch in the run's folder, two bytes an image. A file that is missing or damaged costs that epoch of the history
and nothing else.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from fmnist import cache, files
from fmnist.checkpoint import MOST_BYTES
from fmnist.home import run_folder

LEVELS = 255  # of a confidence that is kept in one byte


@dataclass(frozen=True)
class History:
    """E epochs of N images of the monitor split (validation, or test where nothing was held back), in the split's order."""

    epochs: tuple[int, ...]  # 1 = the first; those that were recorded and can be read
    guesses: Tensor  # uint8 (E, N): classes
    confidences: Tensor  # uint8 (E, N): probability of the guess, 255 = 1


def record(run_id: str, epoch: int, logits: Tensor) -> None:
    """Keep what was said after an epoch.

    Args:
        epoch: 1 = the first.
        logits: float32 (N, 10) on any device.
    """
    confidences, guesses = logits.softmax(1).max(1)
    tensors = {"guesses": guesses.to(torch.uint8), "confidences": (confidences * LEVELS).round().to(torch.uint8)}
    cache.keep(_path(run_id, epoch), tensors, {"epoch": str(epoch)})


def read(run_id: str, epochs: Iterable[int]) -> History | None:
    """What was recorded of a run; None if nothing was.

    Args:
        epochs: those that the store knows as finished: a file of an epoch that was trained again is not of this run any more.
    """
    found = {epoch: tensors for epoch in epochs if (tensors := cache.find(_path(run_id, epoch), {"epoch": str(epoch)}))}
    if not found:
        return None
    size = max(len(tensors["guesses"]) for tensors in found.values())
    whole = {epoch: tensors for epoch, tensors in found.items() if len(tensors["guesses"]) == size}
    return History(
        tuple(whole),
        torch.stack([tensors["guesses"] for tensors in whole.values()]),
        torch.stack([tensors["confidences"] for tensors in whole.values()]),
    )


def take_along(run_id: str, new: str) -> None:
    """Give another run what was recorded of this one; what cannot be read any more stays behind.

    Raises:
        OSError: the disk refuses.
    """
    for path in sorted(_path(run_id, 0).parent.glob("epoch-*.safetensors")):
        try:
            content = files.read(path, MOST_BYTES)
        except OSError:
            continue
        target = _path(new, 0).with_name(path.name)
        target.parent.mkdir(parents=True, exist_ok=True)
        files.write_bytes(target, content)


def learnt(guesses: Tensor, truth: Tensor) -> Tensor:
    """The epoch from which on an image was right to the end: int64 (N,), 1 = the first row; 0 = wrong at the end.

    Args:
        guesses: uint8 (E, N), a row an epoch.
        truth: int64 (N,).
    """
    right = guesses == truth
    streak = right.flip(0).long().cumprod(0).sum(0)  # right answers in a row, counted from the end
    return torch.where(streak > 0, len(guesses) - streak + 1, 0)


def forgotten(guesses: Tensor, truth: Tensor) -> Tensor:
    """How often an image was right and then wrong at the next epoch: int64 (N,).

    Source: Toneva et al., An Empirical Study of Example Forgetting (arXiv 1812.05159), definition of a forgetting event.
    """
    right = guesses == truth
    return (right[:-1] & ~right[1:]).sum(0)


def folder(run_id: str) -> Path:
    return run_folder(run_id) / "history"


def _path(run_id: str, epoch: int) -> Path:
    return folder(run_id) / f"epoch-{epoch:04d}.safetensors"
