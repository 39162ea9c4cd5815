"""Weights as a safetensors file with its card: what network it is, how it was trained, how good it is, and what it all must hash to."""

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import safetensors.torch
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError
from torch import Tensor

from fmnist import __version__
from fmnist.archives import ARCHIVES
from fmnist.checkpoint import FORMAT, check_tensors, decode_tensors, fingerprint
from fmnist.config import TrainConfig, parse
from fmnist.data import CLASS_NAMES
from fmnist.errors import CheckpointError, ConfigError
from fmnist.models import MEAN, STD, Classifier, build
from fmnist.prediction import Model
from fmnist.run import Checkpoint, Run

MOST_BYTES = 20_000_000  # the largest network here has 7 MB
MOST_CARD = 200_000  # characters
PREPROCESSING = f"(pixel / 255 - {MEAN}) / {STD}, one channel of 28x28, a bright garment on black"
ADVICE = "Ask for one that was made with: python -m fmnist export RUN --format safetensors"
FOREIGN = {  # how files of other kinds begin: none of them is ever opened
    b"PK": "a ZIP archive, as PyTorch's .pt files are, which may run programs when it is opened, so it is not",
    b"\x80": "a pickle, which may run programs when it is opened, so it is not",
    b"\x89HDF": "an HDF5 file, which is not read",
}


class Card(BaseModel):
    """What is read of the card of a file that somebody sends; a file may say more."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    format: Literal["fmnist-1"]
    network: str
    config: dict[str, JsonValue]
    sha256: str
    name: Annotated[str, Field(max_length=200)] = ""
    note: Annotated[str, Field(max_length=10_000)] = ""
    tags: Annotated[list[Annotated[str, Field(max_length=100)]], Field(max_length=100)] = []
    epoch: Annotated[int, Field(ge=0, lt=2**31)] | None = None  # None: trained to the end
    step: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    seconds: Annotated[float, Field(ge=0)] = 0.0
    test: dict[Literal["accuracy", "loss"], float | None] = {}
    environment: dict[str, JsonValue] = {}


def write(model: Model, run: Run | None = None, point: Checkpoint | None = None) -> bytes:
    """The weights of a model as a safetensors file, float32; the same model gives the same bytes.

    Args:
        run, point: what they were trained in, and when; None for a model that is no run here.
    """
    tensors = {name: value.contiguous() for name, value in model.network.state_dict().items()}
    said = {**_about_model(model), **(_about_run(run, point) if run and point else {}), "weights_sha256": fingerprint(tensors)}
    return safetensors.torch.save(tensors, {"card": json.dumps({**said, "sha256": _seal(said, tensors)})})


def _about_model(model: Model) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "network": model.config.network if model.config else "reference",  # as `fmnist.checkpoint.load_weights` takes it
        "config": model.config.model_dump() if model.config else None,
        "name": model.name,
        "classes": list(CLASS_NAMES),
        "preprocessing": PREPROCESSING,
        "data_sha256": {what: archive.sha256 for what, archive in ARCHIVES.items()},
        "studio": __version__,
    }


def _about_run(run: Run, point: Checkpoint) -> dict[str, Any]:
    return {
        "name": run.name,
        "note": run.note,
        "tags": list(run.tags),
        "epoch": point.epoch,
        "step": point.step,
        "seconds": run.seconds,
        "test": {"accuracy": run.accuracy, "loss": run.loss},
        "environment": run.environment,
    }


def _seal(said: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    """The SHA-256 of a card (without this) and of the weights: safetensors has no checksum of its own."""
    words = json.dumps({name: value for name, value in said.items() if name != "sha256"}, sort_keys=True)
    return hashlib.sha256(f"{words}{fingerprint(tensors)}".encode()).hexdigest()


def read(content: bytes, name: str) -> tuple[Classifier, Card, TrainConfig]:
    """The network, the card and the config in a file that somebody sends, after everything about it was checked.

    Args:
        name: what the file is called, for the sentences.

    Raises:
        CheckpointError: what is wrong with it. Nothing in it is ever executed, and no other format is tried.
    """
    if len(content) > MOST_BYTES:
        raise CheckpointError(f"{name} has {len(content) / 1e6:.0f} MB of weights; at most {MOST_BYTES / 1e6:.0f} MB are read.")
    try:
        tensors, metadata = decode_tensors(content, name)
    except CheckpointError as error:
        kind = next((kind for magic, kind in FOREIGN.items() if content.startswith(magic)), "no safetensors file that can be read")
        raise CheckpointError(f"{name} is {kind}. {ADVICE}") from error
    card = _card(metadata.get("card", ""), tensors, name)
    config = _config(card, name)
    model = build(config.network)
    check_tensors(name, tensors, model)
    if wrong := [key for key, value in model.state_dict().items() if value.dtype != tensors[key].dtype]:
        raise CheckpointError(f"{name} has numbers of another kind than its network, in {wrong[0]}. {ADVICE}")
    model.load_state_dict(tensors)
    return model.eval(), card, config


def _card(text: str, tensors: Mapping[str, Tensor], name: str) -> Card:
    if not text:
        raise CheckpointError(f"{name} has no card that says how it was trained. {ADVICE}")
    try:
        if len(text) > MOST_CARD:
            raise ValueError(f"it has more than {MOST_CARD:,} characters")
        said = json.loads(text, parse_constant=_refuse)
        json.dumps(said, ensure_ascii=False).encode()  # no halves of characters
        card = Card.model_validate(said, strict=True)
    except (ValueError, RecursionError) as error:
        reason = "; ".join(_sentence(item) for item in error.errors()[:3]) if isinstance(error, ValidationError) else str(error)
        raise CheckpointError(f"The card of {name} cannot be read: {reason}. {ADVICE}") from error
    if _seal(said, tensors) != card.sha256:
        raise CheckpointError(f"{name} is damaged or was changed: its SHA-256 is not the one that it names. Ask for it again.")
    return card


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no number")


def _sentence(item: Any) -> str:
    return f"{'.'.join(map(str, item['loc']))[:60]}: {item['msg'].lower()}"


def _config(card: Card, name: str) -> TrainConfig:
    try:
        config = parse(card.config)
    except ConfigError as error:
        raise CheckpointError(f"The settings in {name} are not allowed: {str(error).splitlines()[0]}") from error
    if config.network != card.network:
        raise CheckpointError(f"{name} says two things of its network: {card.network[:40]!r} and {config.network!r}. {ADVICE}")
    return config
