"""What a model says of pictures: probabilities, the class in words, and whether it should be believed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fmnist import familiarity, pictures, shipped
from fmnist.checkpoint import checkpoints_folder, hash_file, load_weights
from fmnist.config import TrainConfig
from fmnist.data import CLASS_NAMES
from fmnist.errors import CheckpointError
from fmnist.evaluation import logits
from fmnist.home import run_folder, runs_folder
from fmnist.models import Classifier
from fmnist.store import Store

BUNDLED = shipped.BUNDLED
HESITANT = 0.5  # a best guess below this is said to be unsure


@dataclass(frozen=True)
class Source:
    """Where the weights of a model lie; found without reading them."""

    name: str  # what a person calls it
    path: Path
    sha256: str  # of the weights file
    folder: Path  # where what is computed with it is kept
    config: TrainConfig | None


@dataclass(frozen=True)
class Model:
    """A network ready to predict, on the CPU, and where it comes from."""

    name: str  # what a person calls it
    network: Classifier
    config: TrainConfig | None
    sha256: str  # of the weights file
    folder: Path  # where what is computed with it is kept

    @property
    def knows_pictures(self) -> bool:
        """Whether it has seen drawings and photos in its training, and not product shots alone."""
        return self.config is not None and self.config.views > 0


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


def locate(word: str, store: Store) -> Source:
    """The weights that a person names on their own machine: as in `stored`, or a .safetensors file anywhere.

    Raises:
        StoreError: no run fits.
        CheckpointError: it has no weights yet, or the file cannot be read.
    """
    if word.endswith(".safetensors"):
        sha256 = hash_file(Path(word))
        return Source(Path(word).name, Path(word), sha256, runs_folder() / "elsewhere" / sha256[:16], None)
    return stored(word, store)


def stored(word: str, store: Store) -> Source:
    """The weights that the studio has: of a run (its id, a prefix of it, its number, best, latest), or the bundled ones. No word is a path.

    Raises:
        StoreError: no run fits.
        CheckpointError: it has no weights yet.
    """
    if word == "bundled":
        if not BUNDLED.exists():
            raise CheckpointError("No model is bundled with this version. Train one: `python -m fmnist train --preset reference`.")
        return Source("bundled", BUNDLED, shipped.sha256(BUNDLED), runs_folder() / "bundled", None)
    run = store.find(word)
    checkpoints = store.checkpoints(run.id)
    if not checkpoints:
        raise CheckpointError(f"{run.name} has no checkpoint yet. Let it finish an epoch, or choose another model.")
    newest = checkpoints[0]
    return Source(
        run.name, checkpoints_folder(run.id) / newest.weights, newest.weights_sha256, run_folder(run.id) / "evaluation", run.config
    )


def load(word: str, store: Store) -> Model:
    """The model that a person names; words and errors as in `locate`, and:

    Raises:
        CheckpointError: the weights are damaged.
    """
    return read(locate(word, store))


def read(source: Source) -> Model:
    """The network at a source, in evaluation mode.

    Raises:
        CheckpointError: the weights are damaged.
    """
    network, config = load_weights(source.path, source.sha256)
    return Model(source.name, network, config or source.config, source.sha256, source.folder)


def predict(model: Model, images: Tensor) -> Tensor:
    """Probabilities of images that are like the dataset's: uint8 (N, 28, 28) -> float32 (N, 10), rows sum to 1.

    Raises:
        CheckpointError: what the network answers is no number.
    """
    found = logits(model.network, images).softmax(1)
    if not bool(found.isfinite().all()):
        raise CheckpointError(f"{model.name} answers with what is no number: its weights are too large. Choose another model.")
    return found


def classify(model: Model, prepared: Sequence[pictures.Prepared]) -> list[Prediction]:
    """What a model says of a person's pictures, after `fmnist.pictures` has made images of them.

    A model that has been trained with views is asked in several of them (`pictures.views`), and the answers are averaged, each by the odds
    that the view is familiar (`fmnist.familiarity`). Another one would lose as much as this gains.

    Raises:
        CheckpointError: the judge of familiarity is missing or damaged.
    """
    if not prepared:
        return []
    asked = [pictures.views(picture) if model.knows_pictures else picture.image[None] for picture in prepared]
    images, sizes = torch.cat(asked), [len(some) for some in asked]
    answers, familiar = predict(model, images).split(sizes), familiarity.judge(images).split(sizes)
    return [_prediction(model, *each) for each in zip(prepared, answers, familiar, strict=True)]


def _prediction(model: Model, picture: pictures.Prepared, answers: Tensor, familiar: Tensor) -> Prediction:
    """Args: answers: float32 (V, 10) probabilities of the views of one picture; familiar: float32 (V,) from `familiarity.judge`."""
    weights = familiar.softmax(0)  # the odds of each view, of one in all
    probabilities = (weights @ answers).tolist()
    index = max(range(len(probabilities)), key=probabilities.__getitem__)
    reason = _doubt(model, picture, float(familiar.mean()), probabilities[index])
    return Prediction(index, tuple(probabilities), reason is None, reason)


def _doubt(model: Model, picture: pictures.Prepared, familiar: float, confidence: float) -> str | None:
    """Why an answer is not to be believed; None if it is."""
    if not picture.found:
        return picture.reason or "nothing was found in the picture"
    if familiar < 0:
        return "it looks like nothing that the model was trained on"
    if not model.knows_pictures and confidence < HESITANT:
        return f"the best guess has only {confidence:.0%}"
    return None


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
