"""The curves of the chosen runs over each other; alive while one of them is trained."""

from collections.abc import Mapping, Sequence

import streamlit as st

from fmnist import seeds
from fmnist.events import Epoch, Stretch
from fmnist.run import Run
from ui import choices, state
from ui.comparing import looks, overlay
from ui.comparing.looks import Look
from ui.comparing.overlay import SEEDS, Curves, View
from ui.runs import run_rows
from ui.training import live_curves

BUSY_SECONDS = 1.5


def show(chosen: Sequence[Run], shapes: Mapping[int, Look]) -> None:
    """Choices above, curves below. Args: shapes: run number -> how it is drawn."""
    is_busy = run_rows.busy(chosen)

    def live() -> None:
        now = [state.store().get(run.id) for run in chosen] if is_busy else chosen
        if [run.status for run in now] != [run.status for run in chosen]:
            st.rerun()  # the figures, the verdict and the clock of this panel change with it
        _draw(now, shapes, _controls(now))

    st.fragment(run_every=BUSY_SECONDS if is_busy else None)(live)()


def epochs(run: Run) -> list[Epoch]:
    """The finished epochs of a run, read once."""
    return _epochs(run.id, run.restarts, run.epoch)


def _draw(runs: Sequence[Run], shapes: Mapping[int, Look], view: View) -> None:
    groups = [
        (looks.group_name(group), [Curves(looks.called(run), shapes[run.number], _stretches(run), epochs(run)) for run in group])
        for group in seeds.groups(runs)
    ]
    if not any(curves.stretches for _, group in groups for curves in group):
        st.info("None of these runs has a curve yet.", icon=":material/hourglass_top:")
        return
    monitor = overlay.monitor_of([run.config for run in runs if run.config])
    if monitor == "monitor":
        st.caption("Monitor: some runs are judged on validation images, others on the test images, so these curves do not compare.")
    live_curves.draw(overlay.drawing(groups, view, monitor), key="compare.curves")


def _controls(runs: Sequence[Run]) -> View:
    """How the curves are drawn; all of it stands in the address."""
    defaults = View()
    st.session_state.setdefault("smoothing", defaults.smoothing)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        x = choices.one_of("Horizontal axis", {"epoch": "Epoch", "step": "Step", "seconds": "Seconds"}, key="x", default=defaults.x)
        several = len(seeds.groups(runs)) < len(runs)
        together = choices.one_of("Runs that differ in their seed alone", SEEDS, key="seeds") if several else defaults.seeds
        smoothing = st.slider(
            "Smoothing",
            0.0,
            0.99,
            step=0.01,
            key="smoothing",
            bind="query-params",
            width=200,
            help="How much of the running average of the training loss is kept from point to point. What was measured stays visible.",
        )
        log = st.toggle("Logarithmic loss", key="log", bind="query-params")
        log_x = st.toggle("Logarithmic axis", key="log_x", bind="query-params")
    return View(x, smoothing, log, log_x, together)  # type: ignore[arg-type]


def _stretches(run: Run) -> list[Stretch]:
    return _thinned(run.id, run.restarts, run.step, overlay.width(run.config)) if run.config else []


@st.cache_data(show_spinner=False, max_entries=256)
def _thinned(run_id: str, restarts: int, step: int, width: int) -> list[Stretch]:
    return state.store().stretches(run_id, width)


@st.cache_data(show_spinner=False, max_entries=256)
def _epochs(run_id: str, restarts: int, epoch: int) -> list[Epoch]:
    return state.store().epochs(run_id)
