"""A run in one line or one card: its status, its figures, the way to its page."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import streamlit as st

from fmnist.config import TrainConfig
from fmnist.events import Epoch
from fmnist.run import Run, Status
from ui import places
from ui.labels import DAMAGED, LOOKS, Look, ago, duration, percent, plain


def look(run: Run) -> Look:
    return DAMAGED if run.damage else LOOKS[run.status]


def busy(runs: Iterable[Run]) -> bool:
    """Whether anything is being trained or waits for it, so that a page looks again soon."""
    return any(run.status in (Status.RUNNING, Status.QUEUED) for run in runs)


def badge(run: Run) -> None:
    """The status as a coloured word."""
    shown = look(run)
    asked = f", asked to {run.request.value}" if run.request else ""
    st.badge(f"{shown.word}{asked}", icon=shown.icon, color=shown.color)


def recipe(run: Run) -> str:
    """What was trained: "reference, 10 epochs"."""
    return recipe_of(run.config) if run.config else "its settings cannot be read"


def recipe_of(config: TrainConfig) -> str:
    return f"{config.network}, {config.epochs} epoch{'s' * (config.epochs != 1)}"


def standing(run: Run, last: Epoch | None) -> str:
    """How good it is: the accuracy on the test split at the end, on the monitor split until then."""
    if run.accuracy is not None:
        return percent(run.accuracy)
    if last:
        return f"{percent(last.accuracy)} so far"
    return "–"


def line(run: Run, last: Epoch | None) -> None:
    """One row of a list of runs; its name leads to its page."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.page_link(places.RUNS, label=f"**{plain(run.name)}**", query_params={"run": run.id}, width=230)
        with st.container(width=110):
            badge(run)
        st.markdown(plain(standing(run, last)), width=130)
        st.caption(f"{plain(recipe(run))} · {ago(run.created)}", width=250)


def progress(run: Run, last: Epoch | None) -> None:
    """A bar with words: how far a running training is, how good, how long it still takes."""
    epochs = run.config.epochs if run.config else 0
    words = [f"epoch {min(run.epoch + 1, epochs)} of {epochs}" if run.step else run.message or "about to begin"]
    if last:
        words.append(standing(run, last))
    if run.seconds_left is not None and run.status == Status.RUNNING:
        words.append(f"{duration(run.seconds_left)} left")
    st.progress(run.progress, text=plain(" · ".join(words)))


def lines(runs: list[Run], last: Mapping[str, Epoch]) -> None:
    """Rows of runs in one frame."""
    with st.container(border=True, gap="small"):
        for run in runs:
            line(run, last.get(run.id))


def change(difference: float | None, words: Callable[[float], str] = "{:+.4f}".format, *, better: Literal["more", "less"] = "more") -> Any:
    """How a figure changed, as the keywords of `st.metric`: green where it became better, and no arrow where nothing is to be seen.

    Args:
        difference: None shows nothing.
        words: gives the difference as text, rounded.
    """
    if difference is None:
        return {}
    said = words(difference)
    if said == words(0.0) or said == words(-0.0):
        return {"delta": said.lstrip("+-"), "delta_color": "off", "delta_arrow": "off"}
    return {"delta": said, "delta_color": "normal" if better == "more" else "inverse"}
