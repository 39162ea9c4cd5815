"""What this is, how good the best model is, and what to do next."""

from collections.abc import Mapping

import streamlit as st

from fmnist.config import preset
from fmnist.events import Epoch
from fmnist.run import Run, Status, best_run
from ui import examples, places, state
from ui.labels import REFERENCE_ACCURACY, REFERENCE_LOSS, percent, plain, points
from ui.runs import run_rows

BUSY_SECONDS, IDLE_SECONDS = 1.0, 5.0  # how often the page looks into the store

st.title("Fashion-MNIST studio")
st.markdown(
    "Teach a network to tell ten kinds of clothes apart, watch it learn, and find out where it goes wrong. It learns from 60,000 small "
    "pictures of Zalando's catalogue and is judged on 10,000 that it has never seen."
)


def live(was_busy: bool) -> None:
    """Everything that a training changes."""
    runs, last = state.store().runs(archived=False), state.store().last_epochs()
    if was_busy != run_rows.busy(runs):
        st.rerun()  # with another clock
    step, best = st.columns([3, 2])
    with step.container(border=True, height="stretch"):
        next_step(runs, last)
    with best.container(border=True, height="stretch"):
        best_model(runs)
    if runs:
        st.subheader("Last runs")
        run_rows.lines(runs[:5], last)
        st.page_link(places.RUNS, label=f"All {len(runs)} runs" if len(runs) > 5 else "Open the table of runs", icon=":material/list_alt:")


def next_step(runs: list[Run], last: Mapping[str, Epoch]) -> None:
    """The one obvious thing to do now."""
    running = [run for run in runs if run.status == Status.RUNNING]
    waiting = sorted((run for run in runs if run.status == Status.QUEUED), key=lambda run: run.position)
    done = [run for run in runs if run.accuracy is not None]
    if running or waiting:
        run, *others = [*running, *waiting]
        st.subheader("A network is learning right now" if running else "A training is about to start")
        st.markdown(f"**{plain(run.name)}** ({plain(run_rows.recipe(run))})" + (f", {len(others)} more behind it" if others else ""))
        run_rows.progress(run, last.get(run.id))
        button("Watch it learn", ":material/monitoring:", places.TRAIN)
    elif not done:
        st.subheader("Start with a first training")
        st.markdown("A small network on a fifth of the pictures: under a minute on most machines, and you see every part of a training.")
        button("Train your first network", ":material/play_arrow:", places.TRAIN, preset="quick")
    elif not any(run.config == preset("best") for run in done):
        st.subheader("Beat the published result")
        st.markdown("The same network and the same ten epochs, with a better recipe: AdamW, one-cycle, augmentation, label smoothing.")
        button("Train the best recipe", ":material/emoji_events:", places.TRAIN, preset="best")
    else:
        st.subheader("Look closer at your runs")
        st.markdown("Curves, settings, logs and checkpoints of everything that you have trained.")
        button("See the runs", ":material/list_alt:", places.RUNS)


def button(label: str, icon: str, place: str, **query: str) -> None:
    with st.container(horizontal=True):
        if st.button(label, icon=icon, type="primary", key="next-step"):
            st.switch_page(place, query_params=query)
        if st.button("Try it on a drawing", icon=":material/draw:", key="try"):
            st.switch_page(places.TRY)


def best_model(runs: list[Run]) -> None:
    """The best accuracy on the test split beside the published one."""
    first = best_run(runs)
    if first is None:
        st.metric("Best model so far", "no run yet")
        st.caption(f"The published reference reaches {percent(REFERENCE_ACCURACY)} with a test loss of {REFERENCE_LOSS:.4f}.")
        return
    with st.container(horizontal=True, gap="large"):
        better = run_rows.change((first.accuracy or 0.0) - REFERENCE_ACCURACY, points)
        st.metric("Best test accuracy", percent(first.accuracy), **better, width="content")
        if first.loss is not None:
            better = run_rows.change(first.loss - REFERENCE_LOSS, better="less")
            st.metric("Its test loss", f"{first.loss:.4f}", **better, width="content")
    st.caption(f"{plain(first.name)}, against the published {percent(REFERENCE_ACCURACY)} and {REFERENCE_LOSS:.4f}")


is_busy = run_rows.busy(state.store().runs(archived=False))
st.fragment(run_every=BUSY_SECONDS if is_busy else IDLE_SECONDS)(live)(is_busy)
examples.bundled_at_work()
st.subheader("What it learns from")
examples.dataset_at_a_glance()
