"""Another learning rate for a training that goes on, or that will."""

import math

import streamlit as st

from fmnist.config import bounds, in_words
from fmnist.run import Run, Status
from ui.labels import plain

_MAY_GO_ON = (Status.RUNNING, Status.PAUSED, Status.STOPPED, Status.FAILED, Status.DIVERGED)


def is_possible(run: Run) -> bool:
    return run.config is not None and run.damage is None and run.status in _MAY_GO_ON and not run.placement.is_remote


def say(run: Run) -> None:
    """What was changed and what is about to be."""
    if run.config is None:
        return
    words = [f"{in_words(run.config.learning_rate * factor)} since step {step:,}" for step, factor in run.rate_changes if step < run.step]
    if words:
        st.caption(f":material/speed: Learning rate: {in_words(run.config.learning_rate)} at first, {', '.join(words)}")
    if run.rate_request:
        asked = in_words(run.config.learning_rate * run.rate_request)
        when = "with the next step" if run.status == Status.RUNNING else "when it goes on"
        st.caption(f":material/hourglass_top: The learning rate becomes {asked} {when}.")


def ask(run: Run, key: str) -> float | None:
    """A small form behind a button; the factor on the schedule that was asked for just now."""
    assert run.config is not None
    config, name = run.config, f"{key}.rate.{run.id}"
    with st.popover("Learning rate", icon=":material/speed:", key=f"{name}.ask", disabled=run.request is not None):
        now = config.learning_rate * (run.rate_changes[-1][1] if run.rate_changes else 1.0)
        st.session_state.setdefault(name, now / 10 if run.status == Status.DIVERGED else now)
        chosen = st.number_input(
            "New learning rate",
            min_value=0.0,
            max_value=bounds("learning_rate").high,
            step=10.0 ** (math.floor(math.log10(now)) - 1),
            format="%.6g",
            key=name,
        )
        whole = "" if config.schedule == "constant" else f" It is the highest value: the schedule '{config.schedule}' keeps its shape."
        when = "From the next step on." if run.status == Status.RUNNING else "From the next step on, once it is resumed."
        st.caption(plain(f"{when}{whole} The settings of the run stay; the change is written into its events and marked in its curves."))
        if st.button("Change it", icon=":material/check:", type="primary", key=f"{name}.yes", disabled=not chosen):
            return chosen / config.learning_rate
    return None
