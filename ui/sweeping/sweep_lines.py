"""A sweep in one line: how far it is, how good, the way to its page."""

from collections.abc import Sequence

import streamlit as st

from fmnist.config import FIELDS
from fmnist.sweep import Sweep, SweepStatus, Trial, best
from ui import places
from ui.labels import Look, ago, percent, plain

LOOKS = {
    SweepStatus.RUNNING: Look("searching", ":material/search:", "blue"),
    SweepStatus.PAUSED: Look("paused", ":material/pause_circle:", "orange"),
    SweepStatus.FINISHED: Look("finished", ":material/check_circle:", "green"),
}


def badge(sweep: Sweep) -> None:
    look = LOOKS[sweep.status]
    st.badge(look.word, icon=look.icon, color=look.color)


def show(sweeps: Sequence[tuple[Sweep, Sequence[Trial]]]) -> None:
    """Rows of sweeps in one frame."""
    with st.container(border=True, gap="small"):
        for sweep, trials in sweeps:
            _line(sweep, trials)


def _line(sweep: Sweep, trials: Sequence[Trial]) -> None:
    winner = best(trials)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.page_link(places.SWEEP, label=f"**{plain(sweep.name)}**", query_params={"sweep": str(sweep.number)}, width=200)
        with st.container(width=110):
            badge(sweep)
        st.markdown(percent(winner.accuracy) if winner else "–", width=80)
        st.caption(f"{trials_in_words(sweep)} · {plain(fields(sweep))} · {ago(sweep.created)}", width=320)


def trials_in_words(sweep: Sweep) -> str:
    """How many there were, and of how many."""
    if sweep.spec and sweep.spec.trials and sweep.status != SweepStatus.FINISHED:
        return f"{sweep.proposed} of {sweep.spec.trials} trials"
    return f"{sweep.proposed} trial{'s' * (sweep.proposed != 1)}"


def fields(sweep: Sweep) -> str:
    """What is searched: "learning rate, batch size"."""
    if sweep.spec is None:
        return "what it searches cannot be read"
    return ", ".join((FIELDS[name].title or name).lower() for name in sweep.spec.space)
