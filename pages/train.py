"""Choose what to train, start it, and watch it learn."""

import streamlit as st

from fmnist.run import Run
from ui import notice, place, preparation, state
from ui.training import config_form, config_preview, run_queue, start

BUSY_SECONDS, IDLE_SECONDS = 1.0, 5.0  # how often the page looks into the store

st.title("Train", anchor=False)
notice.show()


def live(drawn: list[tuple[str, str]]) -> None:
    """Everything that a training changes; the whole page is drawn anew when another run starts or ends."""
    running, waiting = state.store().running(), state.store().queue()
    if signature(running + waiting) != drawn:
        st.rerun()
    run_queue.watch(running, waiting)


def signature(runs: list[Run]) -> list[tuple[str, str]]:
    return [(run.id, run.status) for run in runs]


runs = state.store().runs(archived=False)
active = signature(state.store().running() + state.store().queue())
with st.container():  # one place, so that the form below keeps its own whatever goes on here
    if not runs:
        run_queue.nothing_yet()
    st.fragment(run_every=BUSY_SECONDS if active else IDLE_SECONDS)(live)(active)
    run_queue.needs_you(runs)

st.subheader("New training", anchor=False)
with st.container():
    if state.dataset_preparation().dataset is None:
        preparation.show(state.dataset_preparation())
form, before = st.columns([4, 3], gap="large")
with form:
    answer = config_form.show()
    if answer.config:
        config_preview.first_batch_picture(answer.config)
with before, st.container(border=True):
    where = place.ask(answer.config, key="train")
    start.button(answer, where)
    if answer.config:
        config_preview.show(answer.config, where.placement)
