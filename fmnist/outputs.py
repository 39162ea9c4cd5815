"""What a model says of a whole split: logits and features, computed once and kept in the model's folder."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import torch
from torch import Tensor

from fmnist import cache
from fmnist.archives import ARCHIVES
from fmnist.augment import normalised
from fmnist.data import Dataset, Split, validation_indices
from fmnist.errors import ConfigError
from fmnist.evaluation import BATCH
from fmnist.prediction import Model

SplitName = Literal["test", "validation", "train"]


@dataclass(frozen=True)
class Outputs:
    """What a model says of each image of a split; N images, F features."""

    split: SplitName
    indices: Tensor  # int64 (N,): where each image stands in the dataset's own split (train for train and validation)
    labels: Tensor  # int64 (N,)
    logits: Tensor  # float32 (N, 10)
    features: Tensor  # float16 (N, F): what the last layer decides on

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def probabilities(self) -> Tensor:
        """float32 (N, 10), rows sum to 1."""
        return self.logits.softmax(1)

    @property
    def guesses(self) -> Tensor:
        """int64 (N,)"""
        return self.logits.argmax(1)


def available(model: Model) -> tuple[SplitName, ...]:
    """The splits that a model can be judged on: validation only if images were held back from it."""
    held_back = model.config is not None and model.config.validation_size > 0
    return tuple(name for name in get_args(SplitName) if name != "validation" or held_back)


def check(name: SplitName, model: Model) -> None:
    """Whether a model can be judged on a split.

    Raises:
        ConfigError: nothing was held back from this model, so it has no validation images.
    """
    if name not in available(model):
        raise ConfigError(f"{model.name} was trained on every image, so it has no {name} images. Choose the test images.")


def images_of(name: SplitName, dataset: Dataset, model: Model) -> tuple[Split, Tensor]:
    """The images of a split, and their int64 (N,) places in the dataset's own split.

    Raises:
        ConfigError: nothing was held back from this model.
    """
    check(name, model)
    if name == "validation":
        assert model.config is not None
        indices = validation_indices(model.config)
        return dataset.train.take(indices), indices
    split = dataset.test if name == "test" else dataset.train
    return split, torch.arange(len(split))


def get(model: Model, name: SplitName, dataset: Dataset, progress: Callable[[float], None] = lambda share: None) -> Outputs:
    """What a model says of a split: from its folder, or computed (some seconds for 10,000 images on a CPU) and kept there.

    Args:
        progress: is told the share that is done, 0-1.

    Raises:
        ConfigError: nothing was held back from this model, and its validation images are asked for.
    """
    split, indices = images_of(name, dataset, model)
    path, origin = kept_in(model, name), about(model, name)
    found = cache.find(path, origin)
    if found is None or found["logits"].shape[0] != len(split):
        logits, features = compute(model, split.images, progress)
        found = {"logits": logits, "features": features}
        cache.keep(path, found, origin)
    return Outputs(name, indices, split.labels, found["logits"], found["features"])


def kept_in(model: Model, name: SplitName) -> Path:
    """The file that holds what a model says of a split, once that is known."""
    return model.folder / f"{model.sha256[:16]}-{name}.safetensors"


def compute(model: Model, images: Tensor, progress: Callable[[float], None] = lambda share: None) -> tuple[Tensor, Tensor]:
    """Logits, float32 (N, 10), and features, float16 (N, F), of uint8 (N, 28, 28) images on the CPU."""
    found = list(_batches(model, images, progress))
    return torch.cat([logits for logits, _ in found]), torch.cat([features for _, features in found])


@torch.inference_mode()
def _batches(model: Model, images: Tensor, progress: Callable[[float], None]) -> Iterator[tuple[Tensor, Tensor]]:
    for start in range(0, len(images), BATCH):
        features = model.network.features(normalised(images[start : start + BATCH]))
        yield model.network.head(features).float(), features.half()
        progress(min(1.0, (start + BATCH) / len(images)))


def about(model: Model, name: SplitName) -> dict[str, str]:
    """What a result belongs to: these weights, and these images."""
    held_back = str(model.config.validation_size) if name == "validation" and model.config else ""
    images = ARCHIVES["test images" if name == "test" else "train images"].sha256
    return {"model": model.sha256, "split": name, "held_back": held_back, "images": images}
