"""How many of a person's own pictures a model is right on; asked once for each model and picture."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from fmnist import cache, my_pictures, pictures
from fmnist.home import my_pictures_folder
from fmnist.my_pictures import Picture
from fmnist.prediction import Model, classify

_SOURCE = Path(__file__).parent


@dataclass(frozen=True)
class Score:
    """A model on pictures that are labelled and whole."""

    right: int
    total: int
    guesses: dict[str, int | None]  # id -> 0-9; None where nothing was found in the picture


def score(model: Model, found: Sequence[Picture]) -> Score:
    """How many of the pictures a model is right on; damaged ones do not count.

    Raises:
        PictureError: a picture is gone.
    """
    labels = {picture.id: picture.words.label for picture in found if picture.words}
    guesses = _guesses(model, images([picture for picture in found if picture.words]))
    right = sum(guesses[identity] == label for identity, label in labels.items())
    return Score(right, len(labels), guesses)


def images(found: Sequence[Picture], progress: Callable[[float], None] = lambda share: None) -> dict[str, Tensor]:
    """What the network sees of each picture, id -> uint8 (28, 28), all 0 where nothing was found. Prepared once, about 0.1 s a picture.

    Args:
        progress: is told the share that is done, 0-1.

    Raises:
        PictureError: a picture is gone.
    """
    path, about = my_pictures_folder() / ".prepared.safetensors", {"recipe": recipe()}
    kept = cache.find(path, about) or {}
    fresh = {}
    missing = [picture for picture in found if picture.id not in kept]
    for number, picture in enumerate(missing, 1):
        fresh[picture.id] = pictures.to_image(my_pictures.opened(picture)).image
        progress(number / len(missing))
    if fresh:
        still = {picture.id for picture in my_pictures.listed()}
        cache.keep(path, {identity: image for identity, image in (kept | fresh).items() if identity in still}, about)
    return {picture.id: (kept | fresh)[picture.id] for picture in found}


def _guesses(model: Model, prepared: dict[str, Tensor]) -> dict[str, int | None]:
    about = {"model": model.sha256, "recipe": recipe(), "pictures": hashlib.sha256(" ".join(sorted(prepared)).encode()).hexdigest()}
    path = model.folder / f"{model.sha256[:16]}-mine.safetensors"
    kept = cache.find(path, about)
    if kept is None and prepared:
        kept = {"guesses": _ask(model, [prepared[identity] for identity in sorted(prepared)])}
        cache.keep(path, kept, about)
    guesses = kept["guesses"].tolist() if kept else []
    return {identity: guess if guess >= 0 else None for identity, guess in zip(sorted(prepared), guesses, strict=True)}


def _ask(model: Model, found: list[Tensor]) -> Tensor:
    """int64 (N,), -1 where nothing was found in the picture."""
    prepared = [pictures.Prepared(image, (), bool(image.any()), None) for image in found]
    said = classify(model, prepared)
    return torch.tensor([answer.index if picture.found else -1 for answer, picture in zip(said, prepared, strict=True)])


@lru_cache(maxsize=1)
def recipe() -> str:
    """Of which code the prepared images and the answers are: after an update they are made again."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(_SOURCE.glob("*.py")))).hexdigest()
