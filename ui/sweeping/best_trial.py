"""The best trial of a sweep: what it set, how sure that is, and training it fully."""

import math
from collections.abc import Sequence

import streamlit as st

from fmnist.config import FIELDS, TRAIN_IMAGES, TrainConfig, in_words, parse
from fmnist.errors import ConfigError, StoreError
from fmnist.sweep import Spec, Sweep, Trial, best
from ui import notice, one_click, places, state
from ui.labels import plain


def show(sweep: Sweep, spec: Spec, trials: Sequence[Trial]) -> None:
    """The winner so far and what can be done with it."""
    winner = best(trials)
    if winner is None or winner.run.config is None:
        st.markdown("**No trial was trained to its end yet.** The first one that is will stand here.")
        return
    config = winner.run.config
    st.markdown(f"**Trial {winner.number}** is the best{' so far' if sweep.status != 'finished' else ''}:")
    st.table({FIELDS[name].title or name: _compared(name, config, spec.base) for name in spec.space}, border="horizontal", width="content")
    st.caption(_how_sure(winner, trials))
    with st.container(horizontal=True, vertical_alignment="center"):
        with st.popover("Train it fully", icon=":material/rocket_launch:", type="primary", key="sweep.full"):
            _confirm(winner, config)
        st.page_link(places.RUNS, label="Open its run", icon=":material/list_alt:", query_params={"run": winner.run.id})


def _compared(name: str, config: TrainConfig, base: TrainConfig) -> str:
    """A value, and the one that the search started from where it is another."""
    found, before = in_words(getattr(config, name)), in_words(getattr(base, name))
    return f"**{plain(found)}**" + (f" (was {plain(before)})" if found != before else "")


def _how_sure(winner: Trial, trials: Sequence[Trial]) -> str:
    """What the number of validation images says about the differences between trials."""
    assert winner.run.config is not None
    assert winner.accuracy is not None
    margin = uncertainty(winner.accuracy, winner.run.config.validation_size)
    others = [trial for trial in trials if trial.complete and trial is not winner and (trial.accuracy or 0) > winner.accuracy - margin]
    words = f"{winner.run.config.validation_size:,} validation images tell an accuracy to within {100 * margin:.1f} points"
    if not others:
        return f"{words}; no other whole trial is that close."
    count = f"{len(others)} other trials lie" if len(others) > 1 else "one other trial lies"
    return f"{words}; {count} that close, so a few more seeds would have to tell them apart."


def uncertainty(accuracy: float, images: int) -> float:
    """Half of the 95 % interval of an accuracy, in the normal approximation."""
    return 1.96 * math.sqrt(accuracy * (1 - accuracy) / images)


def _confirm(winner: Trial, config: TrainConfig) -> None:
    """What it will be, and a second yes. In a popover, because a dialog would close when the page looks into the store again."""
    st.markdown(
        f"A new run with the settings of trial {winner.number} on all {TRAIN_IMAGES:,} training images, of which "
        f"{config.validation_size:,} stay held back as in the trials. The test images judge it once, at its end."
    )
    epochs = st.number_input(
        "Epochs", 1, 1000, config.epochs, key=f"sweep.full.epochs.{winner.number}", help=plain(FIELDS["epochs"].description or "")
    )
    try:
        full = parse({"train_size": TRAIN_IMAGES, "epochs": epochs}, config)
    except ConfigError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    if full == config:
        st.info("This is exactly what the trial has done already. More epochs would be something new.", icon=":material/info:")
    if st.button("Yes, train it", type="primary", icon=":material/play_arrow:", key="sweep.full.yes", disabled=full == config):
        _train(winner, full)


def _train(winner: Trial, full: TrainConfig) -> None:
    token = one_click.token("sweep.full", full)
    try:
        run = state.store().create(full, device=winner.run.device, name=f"{winner.run.name} in full", token=token, origin=winner.run.id)
    except StoreError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    notice.later(f"{run.name} is in the queue.")
    st.switch_page(places.TRAIN)
