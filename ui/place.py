"""Where a training runs: asked for before it starts, and said of one that is there."""

import os
from dataclasses import dataclass

import streamlit as st

from fmnist.clusters import Clusters
from fmnist.config import TrainConfig
from fmnist.errors import ConfigError
from fmnist.placement import HERE, WORKERS, Placement
from ui import state
from ui.labels import plain

_THIS_MACHINE = ""  # the option that is no cluster's id


@dataclass(frozen=True)
class Place:
    """What a person chose: a placement, or the sentence that tells why it cannot be."""

    placement: Placement
    problem: str | None = None


def in_words(placement: Placement) -> str:
    """Such as "this machine, 2 processes" or "lab, 4 workers with 1 GPU each"."""
    return placement.in_words(_names().get(placement.cluster)) if placement.cluster else placement.in_words()


def say(placement: Placement) -> None:
    """A line for what is not simply on this machine."""
    if placement != HERE:
        st.caption(f":material/dns: On {plain(in_words(placement))}")


@st.cache_data(show_spinner=False, ttl=5)
def _names() -> dict[str, str]:
    return {cluster.id: cluster.name for cluster in Clusters(state.store()).list()}


def ask(config: TrainConfig | None, *, key: str) -> Place:
    """Where one training shall run, in how many processes, with how many GPUs; only what applies is asked for."""
    cluster = _cluster(key)
    with st.grid(2, min_column_width=115, vertical_alignment="bottom"):
        if cluster:
            workers = _number("Workers", f"{key}.workers", 1, WORKERS, "Processes that train together; each takes its part of every batch.")
            return _place(cluster, workers, _gpus(f"{key}.gpus", "GPUs for each"), config)
        return _place(None, _processes(f"{key}.processes"), 0.0, config)


def ask_for_trials(*, key: str) -> Place:
    """Where the trials of a sweep shall run; nothing is asked where there is only this machine."""
    cluster = _cluster(key)
    return _place(cluster, 1, _gpus(f"{key}.gpus", "GPU for each trial") if cluster else 0.0, None)


def _cluster(key: str) -> str | None:
    """The id of the chosen cluster; None is this machine, which is not asked for while there is nothing else."""
    names = _names()
    if not names:
        return None
    if st.session_state.get(f"{key}.where") not in names:  # removed meanwhile
        st.session_state.pop(f"{key}.where", None)
    chosen = st.selectbox(
        "Where to run",
        [_THIS_MACHINE, *names],
        format_func=lambda each: names.get(each, "This machine"),
        key=f"{key}.where",
        persist_state="session",
    )
    return chosen or None


def _processes(key: str) -> int:
    most = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if most < 2:
        return 1
    tip = "More than one is for a machine with several GPUs: each process takes one. On a processor one process uses all cores already."
    return _number("Processes", key, 1, most, tip)


def _number(label: str, key: str, low: int, high: int, tip: str) -> int:
    return st.number_input(label, low, high, low, key=key, help=tip, persist_state="session")


def _gpus(key: str, label: str) -> float:
    tip = "0 trains on processors. A part of a GPU, such as 0.25, is shared with others; its memory is not divided."
    return st.number_input(label, 0.0, 8.0, 0.0, 0.25, key=key, help=tip, persist_state="session", format="%g")


def _place(cluster: str | None, workers: int, gpus: float, config: TrainConfig | None) -> Place:
    try:
        placement = Placement(cluster, workers, gpus)
        if config and workers > 1:
            from fmnist import ranks  # with PyTorch: only when somebody wants several processes

            ranks.check(config, workers)
    except ConfigError as error:
        return Place(HERE, str(error))
    return Place(placement)
