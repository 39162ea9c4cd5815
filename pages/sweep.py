"""Search for better settings: begin a sweep, watch it, and see what it found."""

import streamlit as st

from fmnist.errors import StoreError
from fmnist.sweep import Sweep, Sweeps, SweepStatus, Trial
from ui import boundary, notice, preparation, state
from ui.sweeping import begin, sweep_form, sweep_lines, sweep_panel

BUSY_SECONDS, IDLE_SECONDS = 1.0, 10.0  # how often the page looks into the store


def opened(word: str) -> None:
    """One sweep, alive while it searches."""
    if st.button("All sweeps", icon=":material/arrow_back:", type="tertiary"):
        del st.query_params["sweep"]
        st.rerun()
    try:
        sweep = sweeps.find(word)
    except StoreError as error:  # deleted, or a mistyped address
        boundary.show(error)
        return
    st.fragment(run_every=BUSY_SECONDS if is_busy(sweep, sweeps.trials(sweep.id)) else None)(live)(sweep)


def live(drawn: Sweep) -> None:
    """Everything that a trial changes; the whole page is drawn anew, with another clock, when the sweep changes its status."""
    now = sweeps.get(drawn.id)
    trials = sweeps.trials(now.id)
    if now.status != drawn.status:
        st.rerun()
    sweep_panel.show(now, trials)


def is_busy(sweep: Sweep, trials: list[Trial]) -> bool:
    """Whether something changes by itself: it searches, or the trial that was asked to pause has not yet."""
    return sweep.status == SweepStatus.RUNNING or any(trial.run.status == "running" for trial in trials)


def lines(count: int) -> None:
    """All sweeps, the newest first."""
    found = sweeps.all()
    if len(found) != count:
        st.rerun()
    sweep_lines.show([(sweep, sweeps.trials(sweep.id)) for sweep in found])


def new() -> None:
    """The form of a new sweep, and what it will cost."""
    with st.container():  # one place, so that the form below keeps its own when the images are there
        if state.dataset_preparation().dataset is None:
            preparation.show(state.dataset_preparation())
    form, before = st.columns([4, 3], gap="large")
    with form:
        answer = sweep_form.show()
    with before, st.container(border=True):
        begin.show(answer)


st.title("Sweep", anchor=False)
notice.show()
sweeps = Sweeps(state.store())
if word := st.query_params.get("sweep"):
    opened(word)
else:
    if known := sweeps.all():
        st.fragment(run_every=BUSY_SECONDS if sweeps.running() else IDLE_SECONDS)(lines)(len(known))
        st.subheader("New sweep", anchor=False)
    else:
        st.markdown(
            "Which settings are best for this network? A sweep trains it many times with other values of the fields that you choose, stops "
            "what is not promising, and shows what mattered. It chooses by validation images, never by the test images."
        )
    new()
