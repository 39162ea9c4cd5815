"""What a model says of pictures: probabilities, the class in words, and whether it should be believed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fmnist import pictures
from fmnist.checkpoint import checkpoints_folder, load_weights
from fmnist.config import TrainConfig
from fmnist.data import CLASS_NAMES
from fmnist.errors import CheckpointError
from fmnist.evaluation import logits
from fmnist.models import Classifier
from fmnist.store import Store

BUNDLED = Path(__file__).parent / "assets" / "bundled.safetensors"
HESITANT = 0.5  # a best guess below this is said to be unsure


@dataclass(frozen=True)
class Model:
    """A network ready to predict, on the CPU, and where it comes from."""

    name: str  # what a person calls it
    network: Classifier
    config: TrainConfig | None


@dataclass(frozen=True)
class Prediction:
    """What a model says of one picture."""

    index: int  # of the class, 0-9
    probabilities: tuple[float, ...]  # of the ten classes, sum 1
    familiar: bool  # whether the picture is of a kind that the model can know
    reason: str | None  # why not

    @property
    def label(self) -> str:
        return CLASS_NAMES[self.index]

    @property
    def confidence(self) -> float:
        return self.probabilities[self.index]


def load(word: str, store: Store) -> Model:
    """The model that a person names: a run's id or a prefix of it, best, latest, bundled, or a .safetensors file.

    Raises:
        StoreError: no run fits.
        CheckpointError: it has no weights yet, or they are damaged.
    """
    if word == "bundled":
        if not BUNDLED.exists():
            raise CheckpointError("No model is bundled with this version. Train one: `python -m fmnist train --preset reference`.")
        return Model("bundled", *load_weights(BUNDLED))
    if word.endswith(".safetensors"):
        return Model(Path(word).name, *load_weights(Path(word)))
    run = store.find(word)
    checkpoints = store.checkpoints(run.id)
    if not checkpoints:
        raise CheckpointError(f"{run.name} has no checkpoint yet. Let it finish an epoch, or choose another model.")
    network, config = load_weights(checkpoints_folder(run.id) / checkpoints[0].weights, checkpoints[0].weights_sha256)
    return Model(run.name, network, config or run.config)


def predict(model: Model, images: Tensor) -> Tensor:
    """Probabilities of images that are like the dataset's: uint8 (N, 28, 28) -> float32 (N, 10), rows sum to 1."""
    return logits(model.network, images).softmax(1)


def classify(model: Model, prepared: Sequence[pictures.Prepared]) -> list[Prediction]:
    """What a model says of a person's pictures, after `fmnist.pictures` has made images of them."""
    if not prepared:
        return []
    probabilities = predict(model, torch.stack([picture.image for picture in prepared])).tolist()
    return [_prediction(picture, row) for picture, row in zip(prepared, probabilities, strict=True)]


def _prediction(picture: pictures.Prepared, probabilities: list[float]) -> Prediction:
    index = max(range(len(probabilities)), key=probabilities.__getitem__)
    if not picture.found:
        return Prediction(index, tuple(probabilities), False, picture.reason or "nothing was found in the picture")
    if probabilities[index] < HESITANT:
        return Prediction(index, tuple(probabilities), False, f"the best guess has only {probabilities[index]:.0%}")
    return Prediction(index, tuple(probabilities), True, None)


def as_json(prediction: Prediction) -> dict[str, Any]:
    """A prediction as `predict --json` writes it."""
    return {
        "label": prediction.label,
        "index": prediction.index,
        "confidence": prediction.confidence,
        "probabilities": dict(zip(CLASS_NAMES, prediction.probabilities, strict=True)),
        "familiar": prediction.familiar,
        "reason": prediction.reason,
    }
