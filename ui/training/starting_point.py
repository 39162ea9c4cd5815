"""What the form of a training begins with: a preset, or the settings of a run, perhaps with changes; the address says which.

`?preset=best` names a preset, `?from=12` a run, and `?from=12&learning_rate=0.01` that run with another learning rate.
"""

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from fmnist.config import FIELDS, PRESETS, TrainConfig, parse, preset
from fmnist.errors import ConfigError, StoreError
from fmnist.run import Run
from ui import places, state
from ui.labels import plain

_FROM, _REMEMBERED = "from", "train.from"


@dataclass(frozen=True)
class StartingPoint:
    """Where the fields of the form come from."""

    word: str  # tells it from any other
    name: str  # what a person calls it
    config: TrainConfig  # what changes are told against
    filled: TrainConfig  # what the fields begin with
    origin: str | None = None  # the id of the run


def choose() -> StartingPoint:
    """Ask for a preset, or say which run it is and offer the way back to the presets."""
    asked = _asked()
    if asked:
        try:
            return _from_run(state.store().find(asked[_FROM]), asked)
        except (StoreError, ConfigError) as error:
            st.warning(f"{plain(str(error))} These are the settings of a preset.", icon=":material/info:")
            _forget()
    return _from_preset()


def query(run: Run, changes: dict[str, object] | None = None) -> dict[str, str]:
    """The address of the Train page with the settings of a run and some changes."""
    return {_FROM: str(run.number)} | {name: str(value).lower() for name, value in (changes or {}).items()}


def _asked() -> dict[str, str]:
    """The run and the changes that the address names; those of this visit where it names nothing at all."""
    if _FROM in st.query_params:
        named = {name: st.query_params[name] for name in (_FROM, *FIELDS) if name in st.query_params}
        st.session_state[_REMEMBERED] = named
    elif "preset" in st.query_params:
        st.session_state.pop(_REMEMBERED, None)
    return st.session_state.get(_REMEMBERED, {})


def _forget() -> None:
    st.session_state.pop(_REMEMBERED, None)
    for name in (_FROM, *FIELDS):
        if name in st.query_params:
            del st.query_params[name]


def _from_run(run: Run, asked: dict[str, str]) -> StartingPoint:
    if run.config is None:
        raise ConfigError(f"The settings of {run.name} cannot be read.")
    changes = {name: value for name, value in asked.items() if name != _FROM}
    filled = parse(changes, run.config)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f":material/content_copy: The settings of **{plain(run.name)}**: change what you like.", width="content")
        st.page_link(places.RUNS, label="Open the run", icon=":material/list_alt:", query_params={"run": run.id}, width="content")
        st.button("Start from a preset", icon=":material/undo:", type="tertiary", key="train.presets", on_click=_forget)
    return StartingPoint(f"{run.id} {sorted(changes.items())}", run.name, run.config, filled, run.id)


def _from_preset() -> StartingPoint:
    names = list(PRESETS)
    chosen = st.segmented_control("Preset", names, default=names[0], required=True, key="preset", bind="query-params")
    chosen = chosen or names[0]
    st.caption(plain(PRESETS[chosen][0]))
    return StartingPoint(chosen, f"'{chosen}'", preset(chosen), preset(chosen))


def fill_once(point: StartingPoint, fill: Callable[[TrainConfig], None]) -> None:
    """Fill the fields when another starting point was chosen, before they are shown."""
    if st.session_state.get("train.filled") != point.word:
        st.session_state["train.filled"] = point.word
        fill(point.filled)
