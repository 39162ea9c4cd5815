"""TrainConfig: the one source of every hyperparameter.

The command line's flags, the form on the Train page and the JSON of a run are generated from the fields below,
so a name, a help text or a bound is written here and nowhere else. Importing this module needs no torch.
"""

import json
from collections.abc import Mapping
from functools import cache
from reprlib import repr as repr_short
from typing import Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from fmnist.errors import ConfigError

TRAIN_IMAGES = 60_000  # the size of Fashion-MNIST's training split
TEST_IMAGES = 10_000

Group = Literal["Basics", "Optimizer", "Schedule", "Regularisation", "Augmentation", "Data", "Machine"]


def _field(default: Any, title: str, description: str, group: Group, **bounds: Any) -> Any:
    """A pydantic field that says in plain words what it is and on which part of the form it stands."""
    return Field(default, title=title, description=description, json_schema_extra={"group": group}, **bounds)


class TrainConfig(BaseModel):
    """What one training does; frozen, complete and reproducible.

    Raises:
        ConfigError: from `parse`, when a value is out of range or two fields contradict each other.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    network: Literal["reference", "linear", "mlp", "small", "resnet", "wide-resnet"] = _field(
        "reference",
        "Network",
        "What is trained. 'reference' is the convolutional network with 1.7 million parameters that the published "
        "92.54 % belong to; 'linear' and 'mlp' show what simpler models can do; 'small' is a quick convolutional "
        "network; 'resnet' is slower and stronger, 'wide-resnet' much slower and stronger still: for a GPU.",
        "Basics",
    )
    epochs: int = _field(
        10, "Epochs", "How often the network sees every training image. More is slower and not always better.", "Basics", ge=1, le=1000
    )
    batch_size: int = _field(
        64,
        "Batch size",
        "How many images make one step. Small batches learn more per image, large ones run faster.",
        "Basics",
        ge=2,
        le=8192,
    )
    optimizer: Literal["adam", "adamw", "sgd"] = _field(
        "adam",
        "Optimizer",
        "How a gradient becomes a change of the weights. 'adam' works at once, 'adamw' treats weight decay properly, "
        "'sgd' (with Nesterov momentum) needs a higher learning rate and care.",
        "Optimizer",
    )
    learning_rate: float = _field(
        1e-3,
        "Learning rate",
        "How large a step is, at the highest point of the schedule. Lower it if the loss jumps or becomes NaN; "
        "raise it if the loss falls too slowly.",
        "Basics",
        gt=0,
        le=10,
    )
    momentum: float = _field(0.9, "Momentum", "SGD only: how much of the last direction is kept.", "Optimizer", ge=0, lt=1)
    weight_decay: float = _field(
        0.0,
        "Weight decay",
        "Pulls the weights towards zero, which keeps the network simple. 0 switches it off; 0.01 to 0.1 suits AdamW, 0.0005 suits SGD.",
        "Optimizer",
        ge=0,
        le=1,
    )
    schedule: Literal["constant", "cosine", "one-cycle"] = _field(
        "constant",
        "Schedule",
        "How the learning rate changes over the training: 'constant' stays, 'cosine' falls gently to zero, "
        "'one-cycle' rises to the peak and falls to almost zero.",
        "Schedule",
    )
    warmup: float = _field(
        0.0,
        "Warm-up",
        "The share of all steps in which the learning rate rises to its peak, so that the first steps break nothing. "
        "One-cycle needs some (0.2 is usual).",
        "Schedule",
        ge=0,
        le=0.9,
    )
    label_smoothing: float = _field(
        0.0,
        "Label smoothing",
        "Asks the network to leave this much probability to the other classes, so that it is not surer than it should be. 0.1 is usual.",
        "Regularisation",
        ge=0,
        le=0.5,
    )
    ema: float = _field(
        0.0,
        "Weight averaging (EMA)",
        "Evaluates a moving average of the weights instead of the latest ones: this much of the average is kept at "
        "each step. 0 switches it off; 0.999 is usual.",
        "Regularisation",
        ge=0,
        lt=1,
    )
    flip: bool = _field(False, "Flip", "Mirrors every other training image, at random: a shirt is a shirt either way.", "Augmentation")
    shift: int = _field(
        0, "Shift (pixels)", "Moves each training image by up to this many pixels in each direction.", "Augmentation", ge=0, le=6
    )
    erase: float = _field(
        0.0,
        "Random erasing",
        "Covers a random rectangle in this share of the training images, so that no single detail decides.",
        "Augmentation",
        ge=0,
        le=1,
    )
    views: float = _field(
        0.0,
        "Drawn and photographed views",
        "Shows this share of the training images as somebody may have drawn or photographed them: outlines, filled drawings, other "
        "cloth and tones, sleeves spread, shoes in pairs. It makes a network right on real pictures, and needs more epochs.",
        "Augmentation",
        ge=0,
        le=1,
    )
    outliers: float = _field(
        0.0,
        "Things that are no clothes",
        "Puts shapes and cut-up garments in the place of this share of the training images, and asks the network not to be sure "
        "about them. It learns to say when a picture is unlike anything it knows.",
        "Augmentation",
        ge=0,
        le=0.5,
    )
    clean_epochs: int = _field(
        0,
        "Clean epochs at the end",
        "The last epochs see the images as they are, without augmentation.",
        "Augmentation",
        ge=0,
        le=1000,
    )
    train_size: int = _field(
        TRAIN_IMAGES,
        "Training images",
        "How many of the 60,000 training images are used at most, before validation images are taken away. "
        "A few thousand give a quick lesson.",
        "Data",
        ge=100,
        le=TRAIN_IMAGES,
    )
    validation_size: int = _field(
        5_000,
        "Validation images",
        "Training images that are held back to judge the network while it learns. With 0 every image is trained on, "
        "and the test curve is drawn as a monitor that selects nothing.",
        "Data",
        ge=0,
        le=20_000,
    )
    seed: int = _field(
        0, "Seed", "The same seed gives the same training on the same machine, bit for bit on a CPU.", "Data", ge=0, le=2**31 - 1
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = _field(
        "auto", "Device", "Where to compute. 'auto' takes a GPU if there is one.", "Machine"
    )
    precision: Literal["auto", "float32", "bfloat16"] = _field(
        "auto",
        "Precision",
        "'bfloat16' is faster where the machine supports it. 'auto' uses it only after a short test has shown that it "
        "is right and faster here.",
        "Machine",
    )

    @model_validator(mode="after")
    def _fields_fit_together(self) -> Self:
        for sentence in self._contradictions():
            raise ValueError(sentence)
        return self

    def _contradictions(self) -> list[str]:
        """Sentences about fields that do not fit together; empty when all is well."""
        found = []
        if self.train_size - self.validation_size < self.batch_size:
            found.append(
                f"Of {self.train_size:,} images, {self.validation_size:,} are held back for validation, which leaves fewer than "
                f"one batch of {self.batch_size:,}. Use more training images, fewer validation images or a smaller batch."
            )
        if self.schedule == "one-cycle" and self.warmup == 0:
            found.append("One-cycle first raises the learning rate: give it a warm-up above 0, for example 0.2.")
        if self.clean_epochs > self.epochs:
            found.append(f"{self.clean_epochs} clean epochs at the end do not fit into {self.epochs} epochs. Choose at most {self.epochs}.")
        return found

    @property
    def train_images(self) -> int:
        """How many images are trained on in each epoch."""
        return self.train_size - self.validation_size

    @property
    def steps_per_epoch(self) -> int:
        return -(-self.train_images // self.batch_size)

    @property
    def total_steps(self) -> int:
        return self.epochs * self.steps_per_epoch

    @property
    def monitor(self) -> Literal["validation", "test"]:
        """The split that is evaluated after each epoch; the test split selects nothing."""
        return "validation" if self.validation_size else "test"

    @property
    def augmented(self) -> bool:
        return self.flip or self.shift > 0 or self.erase > 0 or self.views > 0 or self.outliers > 0

    def differences(self, other: "TrainConfig") -> dict[str, tuple[Any, Any]]:
        """Field -> (own value, other value), for the fields that differ."""
        mine, theirs = self.model_dump(), other.model_dump()
        return {name: (mine[name], theirs[name]) for name in mine if mine[name] != theirs[name]}


FIELDS = TrainConfig.model_fields

PRESETS: Mapping[str, tuple[str, TrainConfig]] = {
    "reference": (
        "The published recipe: Adam, constant learning rate, no augmentation. All 60,000 images, so the test curve is a monitor.",
        TrainConfig(validation_size=0),
    ),
    "best": (
        "The same network, epochs and batch size with a better recipe. All 60,000 images, so the test curve is a monitor.",
        TrainConfig(
            optimizer="adamw",
            learning_rate=3e-3,
            weight_decay=0.05,
            schedule="one-cycle",
            warmup=0.2,
            label_smoothing=0.1,
            flip=True,
            shift=2,
            clean_epochs=1,
            validation_size=0,
        ),
    ),
    "fast": (
        "The same network in the least time to the published 92.54 %: two passes over 48,000 images. Nothing is held out, so the test "
        "curve is a monitor.",
        TrainConfig(
            epochs=2,
            batch_size=128,
            optimizer="adamw",
            learning_rate=4e-3,
            weight_decay=0.02,
            schedule="one-cycle",
            warmup=0.2,
            label_smoothing=0.1,
            train_size=48_000,
            validation_size=0,
        ),
    ),
    "studio": (
        "The model that comes with the studio: the same network, also shown drawings, photos and things that are no clothes, so that it is "
        "right on what people draw and photograph.",
        TrainConfig(
            epochs=15,
            batch_size=128,
            optimizer="adamw",
            learning_rate=3e-3,
            weight_decay=0.05,
            schedule="one-cycle",
            warmup=0.2,
            label_smoothing=0.1,
            flip=True,
            shift=2,
            views=0.5,
            outliers=0.14,
        ),
    ),
    "wide-resnet": (
        "A larger network for a GPU: 2.8 million parameters, 40 epochs. On a few processor cores it takes a working day.",
        TrainConfig(
            network="wide-resnet",
            epochs=40,
            batch_size=256,
            optimizer="sgd",
            learning_rate=0.1,
            weight_decay=5e-4,
            schedule="one-cycle",
            warmup=0.15,
            label_smoothing=0.1,
            ema=0.998,
            flip=True,
            shift=2,
            erase=0.5,
            clean_epochs=2,
            validation_size=0,
        ),
    ),
    "quick": (
        "A first look in well under a minute: a small network on 12,000 images.",
        TrainConfig(
            network="small",
            epochs=5,
            batch_size=128,
            learning_rate=4e-3,
            optimizer="adamw",
            weight_decay=0.02,
            schedule="one-cycle",
            warmup=0.2,
            train_size=12_000,
            validation_size=2_000,
        ),
    ),
}


def preset(name: str) -> TrainConfig:
    """The config of a preset.

    Raises:
        ConfigError: no preset has that name.
    """
    if name not in PRESETS:
        raise ConfigError(f"There is no preset '{name}'. Choose one of: {', '.join(PRESETS)}.")
    return PRESETS[name][1]


def nearest_preset(config: TrainConfig) -> tuple[str, dict[str, tuple[Any, Any]]]:
    """The preset with the fewest differences, and the differences: field -> (own value, the preset's)."""
    differences = {name: config.differences(other) for name, (_, other) in PRESETS.items()}
    name = min(differences, key=lambda each: len(differences[each]))
    return name, differences[name]


def parse(values: Mapping[str, Any] | str | bytes, base: TrainConfig | None = None) -> TrainConfig:
    """A checked config.

    Args:
        values: field -> value, or the JSON of a config; text such as "0.01" is converted.
        base: where the fields come from that `values` does not name; the defaults if None.

    Raises:
        ConfigError: one sentence for each field that is wrong.
    """
    try:
        given = json.loads(values) if isinstance(values, str | bytes) else dict(values)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"The config is not JSON: {error}") from None
    if not isinstance(given, dict):
        raise ConfigError('The config must be a JSON object such as {"epochs": 10}.')
    try:
        return TrainConfig.model_validate({**(base.model_dump() if base else {}), **given})
    except ValidationError as error:
        raise ConfigError("\n".join(_sentence(item) for item in error.errors())) from None


def _sentence(item: Mapping[str, Any]) -> str:
    """One pydantic error as a sentence that names the field, the value and what is allowed."""
    if not item["loc"]:
        return str(item["ctx"]["error"]) if "ctx" in item else item["msg"]
    name = str(item["loc"][0])
    if name not in FIELDS:
        return f"There is no hyperparameter {repr_short(name)}. Known are: {', '.join(FIELDS)}."
    return f"{FIELDS[name].title}: {repr_short(item['input'])} is not allowed; it must be {allowed(name)}."


class Bounds(BaseModel):
    """The numbers that a field may take; None = no bound on that side."""

    low: float | None = None
    high: float | None = None
    low_open: bool = False
    high_open: bool = False


@cache
def bounds(name: str) -> Bounds:
    """The bounds of a numeric field, as written in TrainConfig."""
    found: dict[str, Any] = {}
    for item in FIELDS[name].metadata:
        for key, side, is_open in (("ge", "low", False), ("gt", "low", True), ("le", "high", False), ("lt", "high", True)):
            if (value := getattr(item, key, None)) is not None:
                found |= {side: value, f"{side}_open": is_open}
    return Bounds(**found)


def choices(name: str) -> tuple[str, ...]:
    """The values that a field of words may take; empty for numbers and switches."""
    return get_args(FIELDS[name].annotation)


def group(name: str) -> Group:
    """The part of the form on which a field stands."""
    extra = FIELDS[name].json_schema_extra
    assert isinstance(extra, dict)
    return extra["group"]  # type: ignore[return-value]


def in_words(value: bool | float | str) -> str:
    """The value of a field as a person writes it: "on", "12,000", "0.004", "adamw"."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def allowed(name: str) -> str:
    """What a field may be, in words: 'a whole number from 1 to 1,000'."""
    if FIELDS[name].annotation is bool:
        return "true or false"
    if words := choices(name):
        return "one of " + ", ".join(words)
    kind = "a whole number" if FIELDS[name].annotation is int else "a number"
    limit = bounds(name)
    low = "" if limit.low is None else f" {'above' if limit.low_open else 'from'} {_short(limit.low)}"
    high = "" if limit.high is None else f" {'and below' if limit.high_open else 'to'} {_short(limit.high)}"
    return kind + low + high


def _short(number: float) -> str:
    """A number as a person would write it: 1,000 instead of 1000.0, 1e-06 as 0.000001."""
    return f"{number:,.0f}" if number == int(number) else f"{number:g}"
