"""The training that goes on, the ones that wait for it, and the ones that wait for a person."""

import streamlit as st

from fmnist.errors import StoreError
from fmnist.run import Request, Run, Status
from ui import notice, place, places, state
from ui.labels import plain
from ui.runs import run_rows
from ui.training import run_panel

LISTED = 10  # runs of a kind: the lines are drawn anew each second, and with hundreds of them the page would never be at rest
_WATCHED = "train.watched"  # the run that this session saw last; it stays on the page after its end


def nothing_yet() -> None:
    """What to do on an empty installation."""
    with st.container(border=True):
        st.markdown(
            "**Nothing has been trained here yet.** Choose a preset and press *Start training*: you will see the curves grow, and how a "
            "dozen pictures are classified while the network learns. The preset *quick* takes under a minute on most machines."
        )


def watch(running: list[Run], waiting: list[Run]) -> None:
    """The run to look at, and the queue behind it."""
    shown = _shown(running, waiting)
    if shown:
        run_panel.show(shown, key="train.live")
        if not (running or waiting) and st.button("Close", icon=":material/close:", type="tertiary", key="train.close"):
            del st.session_state[_WATCHED]
            st.rerun()
    rest = [run for run in waiting if shown is None or run.id != shown.id]
    if rest:
        queue(rest, waiting)


def _shown(running: list[Run], waiting: list[Run]) -> Run | None:
    """A running one (which one, if a machine trains on several devices at once, the person says), else the one that is about to start."""
    if not (running or waiting):
        return _seen_before()
    shown = (running or waiting)[0]
    if len(running) > 1:
        names = {run.id: f"{run.name} ({_where(run)})" for run in running}
        chosen = st.segmented_control(
            "Running now", list(names), default=shown.id, required=True, format_func=lambda each: plain(names[each])
        )
        shown = next((run for run in running if run.id == chosen), shown)
    st.session_state[_WATCHED] = shown.id
    return shown


def _seen_before() -> Run | None:
    """The run that ended while this session was looking."""
    try:
        run = state.store().get(st.session_state[_WATCHED]) if _WATCHED in st.session_state else None
        return run if run and run.binned is None else None
    except StoreError:  # deleted since
        del st.session_state[_WATCHED]
        return None


def queue(runs: list[Run], whole: list[Run]) -> None:
    """The waiting runs, the next one first, each with buttons to move and to cancel it.

    Args:
        runs: the ones to list.
        whole: the whole queue, in which they are moved.
    """
    st.markdown(f"**Waiting: {len(runs):,}**, one at a time on a device")
    order = [run.id for run in whole]
    for turn, run in enumerate(runs[:LISTED], 1):
        with st.container(border=True, horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f"{turn}\\. **{plain(run.name)}**", width="content")
            st.caption(plain(f"{run_rows.recipe(run)}, on {_where(run)}"), width="stretch")
            _move(run, "Earlier", "arrow_upward", -1, order[0] == run.id)
            _move(run, "Later", "arrow_downward", 1, order[-1] == run.id)
            if st.button("Cancel", icon=":material/close:", key=f"train.queue.cancel.{run.id}", type="tertiary"):
                notice.do(lambda run=run: state.store().ask(run.id, Request.CANCEL))
    _others(len(runs) - LISTED, "waiting", Status.QUEUED)


def _where(run: Run) -> str:
    return place.in_words(run.placement) if run.placement.is_remote else run.device


def _move(run: Run, label: str, icon: str, places: int, disabled: bool) -> None:
    if st.button(label, icon=f":material/{icon}:", key=f"train.queue.{label}.{run.id}", type="tertiary", disabled=disabled):
        notice.do(lambda: state.store().move(run.id, places))


def needs_you(runs: list[Run]) -> None:
    """The runs that go on only if somebody decides so: all paused ones, and those of the last ten that went wrong.

    Args:
        runs: all of them, the newest first.
    """
    others = [run for run in runs if run.id != st.session_state.get(_WATCHED)]
    paused = [run for run in others if run.status == Status.PAUSED and not run.damage]
    for run in paused[:LISTED]:
        _card(run)
    _others(len(paused) - LISTED, "paused", Status.PAUSED)
    wrong = [run for run in others[:10] if run.damage or run.status in (Status.FAILED, Status.DIVERGED)]
    if wrong:
        count = f"{len(wrong)} runs" if len(wrong) > 1 else "1 run"
        with st.expander(f"{count} went wrong", icon=":material/error:", key="train.wrong", expanded=len(wrong) == 1):
            for run in wrong:
                _card(run)


def _others(count: int, what: str, status: Status) -> None:
    """The way to those that are not listed."""
    if count > 0:
        label = f"{count:,} more {what}: all of them in Runs"
        st.page_link(places.RUNS, label=label, icon=":material/list_alt:", query_params={"search": f"status={status.value}"})


def _card(run: Run) -> None:
    with st.container(border=True):
        run_panel.heading(run)
        run_panel.message(run)
        run_panel.actions(run, key="train.needs")
