"""The button that starts a training: one click, one run."""

from typing import Any

import streamlit as st

from fmnist import disk
from fmnist.config import TrainConfig
from fmnist.errors import ConfigError, StoreError
from fmnist.placement import Placement
from fmnist.run import Run
from ui import notice, one_click, place, places, state
from ui.labels import plain
from ui.training import starting_point
from ui.training.config_form import Answer

_NAME = "train.name"


def invite(heading: str, words: str, label: str) -> None:
    """What somebody sees who has trained nothing yet, and the shortest way to change that."""
    with st.container(border=True):
        st.subheader(heading, anchor=False)
        st.markdown(words)
        if st.button(label, type="primary", icon=":material/play_arrow:"):
            st.switch_page(places.TRAIN, query_params={"preset": "quick"})


def offer(label: str, run: Run, changes: dict[str, Any] | None = None, *, key: str) -> None:
    """A button that fills the form with the settings of a run and some changes. (A link to the page that is open looks chosen already.)"""
    if st.button(label, icon=":material/tune:", type="tertiary", key=key):
        notice.later(f"The form has the settings of {run.name} now.")
        st.switch_page(places.TRAIN, query_params=starting_point.query(run, changes))


def button(answer: Answer, where: place.Place) -> None:
    """Ask for a name and start; where the form has no valid answer, say why instead."""
    if st.session_state.pop(f"{_NAME}.used", False):
        st.session_state[_NAME] = ""
    st.text_input("Name (optional)", key=_NAME, max_chars=64, placeholder="Run and its number, if empty", persist_state="session")
    problem = answer.problem or where.problem or disk.obstacle()
    if problem:
        st.error(plain(problem), icon=":material/error:")
    cannot = bool(problem) or answer.config is None
    clicked = st.button("Start training", icon=":material/play_arrow:", type="primary", width="stretch", disabled=cannot, key="train.start")
    if clicked and answer.config:
        _start(answer.config, st.session_state[_NAME].strip(), answer.origin, where.placement)


def _start(config: TrainConfig, name: str, origin: str | None, placement: Placement) -> None:
    try:
        run = _create(config, name, origin, placement)
    except (ConfigError, StoreError) as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    notice.later(f"{run.name} starts {turn(run)}.")
    st.session_state[f"{_NAME}.used"] = True
    st.rerun()


def turn(run: Run) -> str:
    """When a new run begins: "now", "after 2 others"."""
    if run.placement.is_remote:
        return f"as soon as {place.in_words(run.placement)} has room"
    here = [other for other in state.store().queue() if other.position < run.position] + state.store().running()
    before = [other for other in here if other.device == run.device and not other.placement.is_remote]
    return f"after {len(before)} other{'s' if len(before) > 1 else ''}" if before else "now"


def _create(config: TrainConfig, name: str, origin: str | None, placement: Placement) -> Run:
    """A new run at the end of the queue; the same one again for the second half of a double click.

    Raises:
        ConfigError: this machine does not have the device.
        StoreError: the store or the name does not allow it.
    """
    from fmnist.device import resolve  # with PyTorch, which may take seconds: only when somebody starts a training

    token = one_click.token("train.start", (config, placement))
    device = placement.device if placement.is_remote else resolve(config.device)
    return state.store().create(config, device=device, name=name or None, token=token, origin=origin, placement=placement)
