"""The form of a training, made from TrainConfig: names, help texts, bounds and choices are written there and only read here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from fmnist.config import FIELDS, PRESETS, TrainConfig, bounds, choices, group, parse, preset
from fmnist.errors import ConfigError
from ui.labels import plain

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


def show() -> Answer:
    """Ask for every hyperparameter, starting from a preset; the answers outlive a change of the page."""
    chosen = _pick_preset()
    groups = list(dict.fromkeys(group(name) for name in FIELDS))
    basics, others = groups[0], groups[1:]
    _fields(basics)
    for name, tab in zip(others, st.tabs(others), strict=True):
        with tab:
            _fields(name)
    answer = _answer()
    _say_what_changed(chosen)
    return answer


def _pick_preset() -> str:
    """The preset, which may come from the address (?preset=best); picking one fills all fields."""
    names = list(PRESETS)
    chosen = st.segmented_control("Preset", names, default=names[0], required=True, key="preset", bind="query-params")
    chosen = chosen or names[0]
    if st.session_state.get("train.filled") != chosen:
        _fill(chosen)
    st.caption(plain(PRESETS[chosen][0]))
    return chosen


def _fill(name: str) -> None:
    """Set all fields to those of a preset; only before they are shown, or in a callback."""
    st.session_state["train.filled"] = name
    for field, value in preset(name).model_dump().items():
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


def _answer() -> Answer:
    try:
        return Answer(parse(_values()), None)
    except ConfigError as error:
        return Answer(None, str(error))


def _say_what_changed(chosen: str) -> None:
    """Which fields differ from the preset, and the way back."""
    values, original = _values(), preset(chosen).model_dump()
    changed = [
        f"{FIELDS[name].title} {_short(original[name])} → **{_short(values[name])}**" for name in FIELDS if values[name] != original[name]
    ]
    if not changed:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"Changed from '{chosen}': " + " · ".join(changed), width="stretch")
        st.button("Undo changes", icon=":material/undo:", type="tertiary", key="train.undo", on_click=_fill, args=(chosen,))


def _short(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
