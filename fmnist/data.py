"""Fashion-MNIST as tensors: found or fetched, verified at every load.

Sources, in this order: the data folder, the system's package, torchvision's mirrors, Debian's package fetched without root. The last
two are in `fmnist/sources.py`, the hashes and the reading in `fmnist/archives.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fmnist.archives import ARCHIVES, Say, Tell, read_folder
from fmnist.config import TRAIN_IMAGES, TrainConfig
from fmnist.errors import DataError
from fmnist.home import data_folder
from fmnist.sources import DEBIAN_PACKAGE, Fetch

CLASS_NAMES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
SYSTEM_FOLDER = Path("/usr/share/datasets/fashion-mnist")  # where Debian's package puts it
HOLD_OUT_SEED = 20170825  # every run is judged on the same validation images, whatever its own seed


@dataclass(frozen=True)
class Split:
    """Images and their labels, side by side on one device."""

    images: Tensor  # uint8 (N, 28, 28)
    labels: Tensor  # int64 (N,), 0-9

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: str | torch.device) -> "Split":
        return Split(self.images.to(device), self.labels.to(device))

    def take(self, indices: Tensor | list[int]) -> "Split":
        """The images at M indices (int64 if a tensor), in their order."""
        return Split(self.images[indices], self.labels[indices])


@dataclass(frozen=True)
class Dataset:
    """All 70,000 images, verified."""

    train: Split
    test: Split
    source: str  # the folder they were read from


def _ignore(*_: object) -> None:
    """Nobody listens."""


def load(say: Say = _ignore, progress: Tell = _ignore) -> Dataset:
    """Find or fetch the dataset, verify every byte of it, and decode it; half a second when it is there.

    Args:
        say: is told each step in words.
        progress: is told the share that is done, 0-1, and what is being done.

    Raises:
        DataError: no source has a whole copy.
    """
    folder, arrays = _locate(say, progress)
    splits = (
        Split(torch.from_numpy(arrays[f"{name} images"]), torch.from_numpy(arrays[f"{name} labels"]).long()) for name in ("train", "test")
    )
    return Dataset(*splits, source=str(folder))


def locate(say: Say = _ignore, progress: Tell = _ignore) -> Path:
    """The folder with a whole, verified copy; fetched if there is none. Arguments and errors as in `load`."""
    return _locate(say, progress)[0]


def _locate(say: Say, tell: Tell) -> tuple[Path, dict[str, np.ndarray]]:
    """The first folder that is whole, or becomes so by fetching what is missing in it, and its arrays."""
    mine = data_folder() / "fashion-mnist"
    arrays, complaints = read_folder(mine, tell)
    if not complaints:
        return _found(mine, say, tell), arrays
    if arrays or len(complaints) > 1:  # there is something of a copy, and a person should know of its damage
        say(" ".join(complaints))
    of_the_system, reasons = read_folder(SYSTEM_FOLDER, tell)
    if not reasons:
        return _found(SYSTEM_FOLDER, say, tell), of_the_system
    fetch = Fetch(mine, [what for what in ARCHIVES if what not in arrays], say, tell)
    fetch.run()
    if not fetch.missing:
        return _found(mine, say, tell), arrays | fetch.arrays
    raise DataError(
        f"The dataset cannot be had. {' '.join((*complaints, *reasons, *fetch.complaints))} "
        f"Connect to the internet, install Debian's package {DEBIAN_PACKAGE}, or put the four files "
        f"({', '.join(archive.name for archive in ARCHIVES.values())}) into {mine}."
    )


def _found(folder: Path, say: Say, tell: Tell) -> Path:
    tell(1.0, "The images are whole")
    say(f"The images in {folder} are whole: every hash is right.")
    return folder


def splits(config: TrainConfig, say: Say = _ignore) -> tuple[Split, Split]:
    """What a run trains on, and what each of its epochs is judged on; arguments and errors as in `load`."""
    dataset = load(say)
    train, validation = hold_out(dataset.train, config)
    return train, validation if config.monitor == "validation" else dataset.test


def hold_out(train: Split, config: TrainConfig) -> tuple[Split, Split]:
    """What a run trains on, and what it is judged on: no image is in both.

    The order that both are taken from is the same for every seed, so all runs with as many validation images share them.

    Args:
        train: the whole training split, 60,000 images.
    """
    order = _order(len(train))
    return train.take(order[config.validation_size : config.train_size]), train.take(order[: config.validation_size])


def validation_indices(config: TrainConfig) -> Tensor:
    """Where the images that a run was judged on stand in the training split: int64 (validation_size,)."""
    return _order(TRAIN_IMAGES)[: config.validation_size]


def _order(count: int) -> Tensor:
    return torch.randperm(count, generator=torch.Generator().manual_seed(HOLD_OUT_SEED))


def describe(dataset: Dataset) -> Mapping[str, Any]:
    """What `fmnist data` says: sizes, images a class, mean and spread of the pixels (0-1), hashes, source."""
    return {
        "source": dataset.source,
        "classes": list(CLASS_NAMES),
        "splits": {name: _describe(split) for name, split in (("train", dataset.train), ("test", dataset.test))},
        "sha256": {what: archive.sha256 for what, archive in ARCHIVES.items()},
    }


def _describe(split: Split) -> dict[str, Any]:
    values = torch.arange(256) / 255.0  # what a byte means as a pixel
    counts = torch.bincount(split.images.flatten(), minlength=256).double()
    mean = float((counts * values).sum() / counts.sum())
    return {
        "images": len(split),
        "per_class": torch.bincount(split.labels, minlength=len(CLASS_NAMES)).tolist(),
        "mean": round(mean, 4),
        "std": round(float((counts * (values - mean) ** 2).sum() / counts.sum()) ** 0.5, 4),
    }
