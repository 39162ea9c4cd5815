"""Curves that grow while somebody looks at them: no flicker, and a zoom is kept.

`st.plotly_chart` mounts a new chart for each new figure, which blanks it and forgets the zoom; this component redraws the same one.
"""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import streamlit as st
from streamlit.components.v2 import component

from fmnist.events import Epoch, Step
from fmnist.run import Run
from fmnist.store import Store
from ui import state
from ui.training import charts

_FILES = Path(__file__).with_suffix("")
_draw = component(
    "live_curves",
    html='<div class="fm-curves"><div class="fm-legend" hidden></div><div class="fm-chart" role="img"></div>'
    '<p class="fm-note" hidden></p></div>',
    css=_FILES.with_suffix(".css").read_text(encoding="utf-8"),
    js=_FILES.with_suffix(".js").read_text(encoding="utf-8"),
    isolate_styles=False,  # plotly.js writes its own style sheet into the page's head, which a shadow root would not see
)


def draw(drawing: dict[str, Any], *, key: str) -> None:
    """Show a drawing of `ui.training.charts`; the same key keeps its zoom over any new data with the same revision."""
    _draw(data=drawing, key=key)


def curves(steps: Sequence[Step], epochs: Sequence[Epoch], run: Run, *, key: str, view: charts.View) -> None:
    """The four curves of a training as somebody wants to see them, with what somebody did to it."""
    marks = [(step, f"×\N{THIN SPACE}{factor:.3g}") for step, factor in run.rate_changes]
    if run.continues:
        marks.append((run.continues, "goes on"))
    draw(charts.training(steps, epochs, run.config, view, marks), key=key)


def controls(key: str) -> charts.View:
    """Ask for the x axis, the smoothing and the loss scale; kept for the session."""
    defaults = charts.View()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.session_state.setdefault(f"{key}.x", defaults.x)
        st.session_state.setdefault(f"{key}.smoothing", defaults.smoothing)
        x: charts.Axis | None = st.segmented_control(
            "Horizontal axis",
            get_args(charts.Axis),
            required=True,
            key=f"{key}.x",
            format_func=str.capitalize,
            persist_state="session",
        )
        smoothing = st.slider(
            "Smoothing",
            0.0,
            0.99,
            step=0.01,
            key=f"{key}.smoothing",
            width=220,
            persist_state="session",
            help="How much of the running average is kept at each point of the loss inside the epochs. 0 shows it as measured.",
        )
        log = st.toggle("Logarithmic loss", key=f"{key}.log", persist_state="session")
    return charts.View(x or defaults.x, smoothing, log)


def read(run: Run) -> tuple[list[Step], list[Epoch]]:
    """The whole curve of a run, of which only the new part comes from the store."""
    return _series(run.id).read(state.store(), run)


class Series:
    """The curve of one run, read once and then only continued; all sessions share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._restarts: int | None = None
        self._steps: list[Step] = []
        self._epochs: list[Epoch] = []

    def read(self, store: Store, run: Run) -> tuple[list[Step], list[Epoch]]:
        """All points and epochs so far.

        Args:
            run: as the store just gave it. A new number of restarts means that its curve was cut back: it is read anew.
        """
        with self._lock:
            if run.restarts != self._restarts:
                self._restarts, self._steps, self._epochs = run.restarts, [], []
            self._steps += store.steps(run.id, after=self._steps[-1].step if self._steps else 0)
            if len(self._epochs) != run.epoch:
                self._epochs = store.epochs(run.id)
            return list(self._steps), list(self._epochs)


@st.cache_resource(max_entries=32, show_spinner=False)
def _series(run_id: str) -> Series:
    return Series()
