"""One run as it is right now, and what a person can do to it."""

from collections.abc import Callable

import streamlit as st

from fmnist.events import Epoch, Step
from fmnist.run import Request, Run, Status
from ui import notice, place, places, state
from ui.labels import duration, percent, plain, points
from ui.runs import run_rows
from ui.training import diagnosis_panel, live_curves, longer_training, prediction_strip, rate_change, start

OBEYING = {Request.PAUSE: "Pausing after this step…", Request.STOP: "Stopping after this step…", Request.CANCEL: "Cancelling…"}

INEXACT = "A training that goes on under the same conditions gives the same numbers, bit for bit. Under others they differ by rounding."


def show(run: Run, *, key: str) -> None:
    """Name and status, progress, figures, buttons, curves, and the pictures as they are classified now."""
    steps, epochs = live_curves.read(run)
    with st.container(border=True, key=f"{key}.panel"):
        heading(run)
        place.say(run.placement)
        _progress(run)
        message(run)
        if run.inexact:
            st.caption(f":material/difference: {plain(run.inexact)}", help=INEXACT)
        rate_change.say(run)
        _figures(run, steps, epochs)
        actions(run, key=key)
        if steps:
            view = live_curves.controls(key)
            live_curves.curves(steps, epochs, run, key=f"{key}.chart.{run.id}", view=view)
        diagnosis_panel.show(run, steps, epochs, key=key)
        prediction_strip.show(run, key=f"{key}.strip.{run.id}")


def heading(run: Run) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(plain(run.name), width="content", anchor=False)
        run_rows.badge(run)
        st.caption(plain(run_rows.recipe(run)), width="content")


def _progress(run: Run) -> None:
    """A bar with words; none for a run whose config nobody can read."""
    if run.config is None:
        return
    epoch = f"Epoch {min(run.epoch + 1, run.config.epochs)} of {run.config.epochs}"
    words = f"{epoch} · step {run.step:,} of {run.total_steps:,} · {run.progress:.0%}" if run.step else "Not begun yet"
    if run.status == Status.FINISHED:
        words = f"All {run.config.epochs} epochs done"
    st.progress(run.progress, text=words)


def message(run: Run) -> None:
    """What it does, or why it does nothing."""
    if run.damage:
        st.error(plain(run.damage), icon=":material/broken_image:")
    elif run.status == Status.QUEUED:
        st.caption(f":material/hourglass_top: {plain(run.message or 'Starting a process for it…')}")
    elif run.status == Status.RUNNING and (words := OBEYING[run.request] if run.request else run.message):
        st.caption(f":material/hourglass_top: {plain(words)}")
    elif run.message and run.status in (Status.FAILED, Status.DIVERGED):
        st.error(plain(run.message), icon=":material/error:")
    elif run.message:
        st.warning(plain(run.message), icon=":material/info:")


def _figures(run: Run, steps: list[Step], epochs: list[Epoch]) -> None:
    """Five figures in a row; two beside each other on a phone."""
    if not steps:
        return
    last, before = (epochs[-1] if epochs else None), (epochs[-2] if len(epochs) > 1 else None)
    monitor = "Test" if run.config and run.config.monitor == "test" else "Validation"
    with st.grid(5, min_column_width=130):
        if run.status == Status.RUNNING:
            st.metric("Time left", duration(run.seconds_left))
            st.metric("Images per second", f"{steps[-1].images_per_second:,.0f}")
        else:
            st.metric("Test accuracy", percent(run.accuracy))
            st.metric("Training time", duration(run.seconds))
        st.metric("Training loss now", f"{steps[-1].loss:.4f}")
        loss = last.loss - before.loss if last and before else None
        accuracy = last.accuracy - before.accuracy if last and before else None
        st.metric(f"{monitor} loss", f"{last.loss:.4f}" if last else "–", **run_rows.change(loss, better="less"))
        st.metric(f"{monitor} accuracy", percent(last.accuracy) if last else "–", **run_rows.change(accuracy, points))


def actions(run: Run, *, key: str) -> None:
    """The buttons that the status of a run allows."""
    store = state.store()
    with st.container(horizontal=True, vertical_alignment="center"):
        if run.sweep and run.placement.is_remote and not run.status.ended:
            st.caption("This is a trial of a sweep on a cluster: it is paused and stopped with its sweep.")
        elif run.status == Status.RUNNING:
            asked = run.request is not None
            _button("Pause", "pause", key, run, lambda: store.ask(run.id, Request.PAUSE), disabled=asked)
            _button(
                "Stop and keep",
                "stop",
                key,
                run,
                lambda: store.ask(run.id, Request.STOP),
                disabled=asked,
                tip="Ends the training here. The model is kept as it is and evaluated on the test images.",
            )
            _cancel(run, key)
        elif run.status == Status.PAUSED:
            _button("Resume", "play_arrow", key, run, lambda: store.resume(run.id), primary=True)
            _cancel(run, key)
        elif run.status == Status.QUEUED:
            _button("Cancel", "close", key, run, lambda: store.ask(run.id, Request.CANCEL))
        elif run.status != Status.FINISHED and run.config:
            _button("Resume", "play_arrow", key, run, lambda: store.resume(run.id), tip="Goes on from the last checkpoint.")
        if rate_change.is_possible(run) and (factor := rate_change.ask(run, key)):
            notice.do(lambda: store.ask_rate(run.id, factor))
        if longer_training.is_possible(run):
            longer_training.ask(run, key)
        at_rest = run.status not in (Status.RUNNING, Status.QUEUED)
        if run.config and (at_rest or key == "runs"):
            start.offer("Train again with…", run, key=f"{key}.again.{run.id}")
        if at_rest and st.query_params.get("run") != run.id:  # it is not open already
            st.page_link(places.RUNS, label="Open in Runs", icon=":material/list_alt:", query_params={"run": run.id})


def _cancel(run: Run, key: str) -> None:
    """Cancelling loses something, so it says what and asks once more."""
    with st.popover("Cancel", icon=":material/close:", key=f"{key}.cancel.ask.{run.id}", disabled=run.request == Request.CANCEL):
        st.markdown(f"**Cancel {plain(run.name)}?**")
        st.markdown(what_is_lost(run))
        _button("Yes, cancel it", "delete", key, run, lambda: state.store().ask(run.id, Request.CANCEL), primary=True)


def what_is_lost(run: Run) -> str:
    """What a cancellation costs."""
    if run.status == Status.PAUSED:
        return "It is not trained to its end and not evaluated. Its last checkpoint stays until you delete the run."
    if not run.epoch:
        return "No epoch is finished yet, so everything it has learnt is lost. To keep the model as it is, choose *Stop and keep*."
    return (
        f"What it has learnt since the end of epoch {run.epoch} is lost, and it is not evaluated on the test images; its checkpoints stay. "
        "To keep the model as it is, choose *Stop and keep*."
    )


def _button(
    label: str,
    icon: str,
    key: str,
    run: Run,
    act: Callable[[], object],
    *,
    primary: bool = False,
    disabled: bool = False,
    tip: str | None = None,
) -> None:
    """A button that changes the run at once and then draws the page anew."""
    kind = "primary" if primary else "secondary"
    if st.button(label, icon=f":material/{icon}:", key=f"{key}.{icon}.{run.id}", type=kind, disabled=disabled, help=tip):
        notice.do(act)
