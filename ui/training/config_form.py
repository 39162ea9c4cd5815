"""The form of a training, made from TrainConfig: names, help texts, bounds and choices are written there and only read here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from fmnist.config import FIELDS, TrainConfig, bounds, choices, group, in_words, parse
from fmnist.errors import ConfigError
from ui.labels import plain
from ui.training import starting_point
from ui.training.starting_point import StartingPoint

# How far one press of + or - goes, where 1 (whole numbers) or 0.05 (others) would be awkward.
STEPS: Mapping[str, float] = {
    "batch_size": 16,
    "learning_rate": 0.0005,
    "weight_decay": 0.005,
    "ema": 0.001,
    "train_size": 1000,
    "validation_size": 1000,
}
# Fields that change nothing unless another one has a certain value.
MATTERS: Mapping[str, Callable[[Mapping[str, Any]], bool]] = {
    "momentum": lambda values: values["optimizer"] == "sgd",
    "clean_epochs": lambda values: bool(values["flip"] or values["shift"] or values["erase"]),
}


@dataclass(frozen=True)
class Answer:
    """What the form says: a config, or the sentences that tell why there is none."""

    config: TrainConfig | None
    problem: str | None
    origin: str | None = None  # the id of the run that the settings come from


def show() -> Answer:
    """Ask for every hyperparameter, starting from a preset or a run; the answers outlive a change of the page."""
    point = starting_point.choose()
    starting_point.fill_once(point, _fill)
    groups = list(dict.fromkeys(group(name) for name in FIELDS))
    basics, others = groups[0], groups[1:]
    _fields(basics)
    for name, tab in zip(others, st.tabs(others), strict=True):
        with tab:
            _fields(name)
    answer = _answer(point.origin)
    _say_what_changed(point)
    return answer


def _fill(config: TrainConfig) -> None:
    """Set all fields; only before they are shown, or in a callback."""
    for field, value in config.model_dump().items():
        st.session_state[_key(field)] = value


def _key(field: str) -> str:
    return f"train.{field}"


def _values() -> dict[str, Any]:
    return {field: st.session_state[_key(field)] for field in FIELDS}


def _fields(of_group: str) -> None:
    """The fields of a group: words, which are wide, each in a line; numbers and switches beside each other."""
    names = [name for name in FIELDS if group(name) == of_group]
    for name in names:
        if choices(name):
            _words(name)
    small = [name for name in names if not choices(name)]
    if small:
        with st.grid(3, min_column_width=150, vertical_alignment="bottom"):
            for name in small:
                _switch(name) if FIELDS[name].annotation is bool else _number(name)


def _shared(name: str) -> dict[str, Any]:
    """What the widgets of all fields have in common."""
    return {
        "label": FIELDS[name].title,
        "help": plain(FIELDS[name].description or ""),
        "key": _key(name),
        "persist_state": "session",
        "disabled": name in MATTERS and not MATTERS[name](_values()),
    }


def _words(name: str) -> None:
    st.segmented_control(options=choices(name), required=True, **_shared(name))


def _switch(name: str) -> None:
    st.toggle(**_shared(name))


def _number(name: str) -> None:
    """A bound that is itself not allowed is left to TrainConfig, whose sentence stands under the form."""
    limit = bounds(name)
    kind = int if FIELDS[name].annotation is int else float
    st.number_input(
        min_value=None if limit.low is None else kind(limit.low),
        max_value=None if limit.high is None else kind(limit.high),
        step=kind(STEPS.get(name, 1 if kind is int else 0.05)),
        format="%d" if kind is int else "%.6g",
        **_shared(name),
    )


def _answer(origin: str | None) -> Answer:
    try:
        return Answer(parse(_values()), None, origin)
    except ConfigError as error:
        return Answer(None, str(error))


def _say_what_changed(point: StartingPoint) -> None:
    """Which fields differ from the preset or the run, and the way back."""
    values, original = _values(), point.config.model_dump()
    changed = [
        f"{field.title} {in_words(original[name])} → **{in_words(values[name])}**"
        for name, field in FIELDS.items()
        if values[name] != original[name]
    ]
    if not changed:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"Changed from {plain(point.name)}: " + " · ".join(changed), width="stretch")
        st.button("Undo changes", icon=":material/undo:", type="tertiary", key="train.undo", on_click=_fill, args=(point.config,))
