"""Results that can be computed again, kept on the disk: what is missing, damaged or about something else is simply not there.

Kept as safetensors with a SHA-256 over the numbers, because safetensors itself has no checksum. No pickle.
"""

import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from fmnist.checkpoint import read_tensors, write_tensors
from fmnist.errors import CheckpointError

log = logging.getLogger(__name__)


def keep(path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, str]) -> None:
    """Write a result; a disk that refuses costs the cache, not the result.

    Args:
        tensors: name -> tensor on any device.
        about: what it was computed from (hashes, names, settings); only who asks for the same gets it back.
    """
    whole = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_tensors(path, whole, {**about, "sha256": _digest(whole)})
    except OSError as error:
        log.warning("%s is not kept for the next time: %s", path.name, error.strerror)


def find(path: Path, about: Mapping[str, str]) -> dict[str, Tensor] | None:
    """The tensors of a kept result, or None when it must be computed."""
    if not path.exists():
        return None
    try:
        tensors, said = read_tensors(path)
    except CheckpointError as error:
        log.warning("%s Computed again.", error)
        return None
    digest = said.pop("sha256", "")
    return tensors if said == dict(about) and digest == _digest(tensors) else None


def _digest(tensors: Mapping[str, Tensor]) -> str:
    total = hashlib.sha256()
    for name in sorted(tensors):
        total.update(f"{name} {tensors[name].dtype} {tuple(tensors[name].shape)}".encode())
        total.update(tensors[name].reshape(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()
