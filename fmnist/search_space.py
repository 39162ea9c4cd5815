"""What a sweep may change: for each field a range of numbers or a list of values, written as `1e-4..1e-1:log` or `64,128,256`.

What a field may be at all is written in fmnist.config and only read here.
"""

import math
import random
from collections.abc import Mapping
from reprlib import repr as repr_short
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from fmnist.config import FIELDS, TrainConfig, allowed, choices
from fmnist.errors import ConfigError

DIGITS = 4  # significant digits of a proposed number: a learning rate of 0.003142 says all that there is to say
# Not for a search: other images to be judged on would make trials incomparable, and a seed is not better than another.
FIXED = ("train_size", "validation_size", "seed", "device", "precision")
SEARCHABLE = tuple(name for name in FIELDS if name not in FIXED)
# Ranges that are worth a search, where nobody says others.
USUAL: Mapping[str, str] = {
    **{name: ",".join(choices(name)) for name in SEARCHABLE if choices(name)},
    **{name: "false,true" for name in SEARCHABLE if FIELDS[name].annotation is bool},
    "epochs": "5..20",
    "batch_size": "32,64,128,256",
    "learning_rate": "1e-4..1e-1:log",
    "momentum": "0.8..0.98",
    "weight_decay": "1e-4..0.1:log",
    "warmup": "0.05..0.4",
    "label_smoothing": "0..0.2",
    "ema": "0,0.99,0.999",
    "shift": "0..3",
    "erase": "0..0.5",
    "views": "0..0.6",
    "outliers": "0..0.3",
    "clean_epochs": "0..2",
}

Value = bool | int | float | str


class Range(BaseModel):
    """All numbers from `low` to `high`, both included; evenly spread, or evenly in their logarithms."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    low: int | float
    high: int | float
    log: bool = False

    def __str__(self) -> str:
        return f"{self.low:g}..{self.high:g}" + (":log" if self.log else "")


Domain = Range | tuple[Value, ...]
Space = Mapping[str, Domain]


def parse_domain(name: str, text: str) -> Domain:
    """What a person wrote for a field: `low..high`, `low..high:log`, or values between commas.

    Raises:
        ConfigError: it cannot be searched, or a value is not allowed.
    """
    check_field(name)
    numbers, _, scale = text.partition(":")
    if ".." not in numbers:
        return check(name, tuple(value(name, word.strip()) for word in text.split(",") if word.strip()))
    if scale not in ("", "log"):
        raise ConfigError(f"{FIELDS[name].title}: after the range {numbers} only ':log' may follow, not {repr_short(':' + scale)}.")
    low, high = (word.strip() for word in numbers.split("..", 1))
    try:
        return check(name, Range(low=low, high=high, log=scale == "log"))  # type: ignore[arg-type] - pydantic reads numbers
    except ValidationError:
        raise ConfigError(f"{FIELDS[name].title}: {repr_short(numbers)} is not a range of numbers such as {name}={USUAL[name]}.") from None


def check(name: str, domain: Domain) -> Domain:
    """The same domain with its numbers in the field's own type, when it is one that can be searched.

    Raises:
        ConfigError: one sentence that says why it is not.
    """
    check_field(name)
    title = FIELDS[name].title
    if isinstance(domain, tuple):
        values = tuple(value(name, each) for each in domain)
        if len(set(values)) < max(2, len(values)):
            raise ConfigError(f"{title}: give at least two different values, such as {name}={USUAL[name]}.")
        return values
    if choices(name) or FIELDS[name].annotation is bool:
        raise ConfigError(f"{title} has no range. List the values to try: {name}={USUAL[name]}.")
    low, high = value(name, domain.low), value(name, domain.high)
    if low >= high:  # type: ignore[operator] - numbers, because the field takes no words
        raise ConfigError(f"{title}: a range goes up, so its end must be above its start; {low:g} to {high:g} does not.")
    if domain.log and domain.low <= 0:
        raise ConfigError(f"{title}: a logarithmic range starts above 0, not at {low:g}.")
    return Range(low=low, high=high, log=domain.log)  # type: ignore[arg-type]


def check_field(name: str) -> None:
    """Raises ConfigError if a sweep cannot change it."""
    if name in FIXED:
        raise ConfigError(f"{FIELDS[name].title} cannot be searched: all trials share it. Search: {', '.join(SEARCHABLE)}.")
    if name not in FIELDS:
        raise ConfigError(f"There is no hyperparameter {repr_short(name)}. Search: {', '.join(SEARCHABLE)}.")


def value(name: str, given: Any) -> Value:
    """One value of a field in its own type: "64" becomes 64.

    Raises:
        ConfigError: it is not allowed.
    """
    field = FIELDS[name]
    try:
        return TypeAdapter(Annotated[field.annotation, field]).validate_python(given)  # type: ignore[valid-type]
    except ValidationError:
        raise ConfigError(f"{field.title}: {repr_short(given)} is not allowed; it must be {allowed(name)}.") from None


def contains(space: Space, config: TrainConfig) -> bool:
    """Whether a config is one of those that a search could propose."""
    for name, domain in space.items():
        own = getattr(config, name)
        if not (own in domain if isinstance(domain, tuple) else domain.low <= own <= domain.high):
            return False
    return True


def draw(domain: Domain, whole: bool, dice: random.Random) -> Value:
    """A value at random.

    Args:
        whole: the field takes whole numbers only.
    """
    share = dice.random()
    if isinstance(domain, tuple):
        return domain[int(share * len(domain))]
    margin = 0.5 if whole else 0.0  # each whole number has a stretch of its own, the first and the last too
    low, high = domain.low - margin, domain.high + margin
    number = math.exp(math.log(low) + share * math.log(high / low)) if domain.log else low + share * (high - low)
    return rounded(number, domain, whole)


def rounded(number: float, domain: Range, whole: bool) -> int | float:
    """As somebody would write it, and inside the range."""
    short = round(number) if whole else float(f"{number:.{DIGITS}g}")
    return min(max(short, domain.low), domain.high)


def is_whole(name: str) -> bool:
    return FIELDS[name].annotation is int
