"""A picture, how it was prepared, and what models say of it; computed once for each picture and each way of preparing it."""

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st
from PIL import Image

from fmnist.errors import FmnistError
from ui import state
from ui.trying import models

if TYPE_CHECKING:
    import numpy as np

    from fmnist.pictures import Prepared, Settings
    from fmnist.prediction import Prediction


@dataclass(frozen=True)
class Picture:
    """Somebody's picture."""

    name: str  # a file's, or what it is; any text
    image: Image.Image  # mode L or RGB

    @property
    def digest(self) -> str:
        size = f"{self.image.mode} {self.image.size}".encode()
        return hashlib.sha256(size + self.image.tobytes()).hexdigest()


@dataclass(frozen=True)
class Verdict:
    """What one model says of a picture."""

    word: str  # the model's
    who: str
    prediction: "Prediction | None"  # None: it cannot be asked
    error: FmnistError | None = None  # why not


def prepare(picture: Picture, settings: "Settings") -> "Prepared":
    """What the network will see of it."""
    return _prepared(picture.digest, settings, picture)


def judge(prepared: "Prepared", words: list[str]) -> list[Verdict]:
    """What each of these models says."""
    return [_verdict(prepared, word) for word in words]


def guesses_on_the_way(prepared: "Prepared", word: str) -> "list[tuple[int, float]]":
    """For each step but the last: the class that a model would see if it got that picture, made grey and small, and its share."""
    import torch

    from fmnist.prediction import predict

    images = [torch.from_numpy(plainly(step.picture)) for step in prepared.steps[:-1]]
    if not images:
        return []
    shares, indices = predict(state.model(word), torch.stack(images)).max(1)
    return list(zip(indices.tolist(), shares.tolist(), strict=True))


def plainly(pixels: "np.ndarray") -> "np.ndarray":
    """Grey and 28 x 28, as most programs would do it: uint8 (H, W) or (H, W, 3) -> uint8 (28, 28)."""
    import numpy as np

    return np.array(Image.fromarray(pixels).convert("L").resize((28, 28), Image.Resampling.BOX))


def _verdict(prepared: "Prepared", word: str) -> Verdict:
    import torch

    from fmnist.prediction import classify

    torch.set_num_threads(1)  # of this thread alone: one image is not worth waking others
    try:
        return Verdict(word, models.called(word), classify(state.model(word), [prepared])[0])
    except FmnistError as error:
        return Verdict(word, models.called(word), None, error)


@st.cache_resource(show_spinner=False, max_entries=96)
def _prepared(digest: str, settings: "Settings", _picture: Picture) -> "Prepared":
    from fmnist.pictures import to_image

    return to_image(_picture.image, settings)
