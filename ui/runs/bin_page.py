"""What was deleted: to be looked at, brought back, or removed for good."""

import time
from collections.abc import Sequence

import streamlit as st

from fmnist.bin import KEPT_SECONDS
from fmnist.run import Run, folder
from ui import notice, state
from ui.labels import duration, plain, size
from ui.runs import bulk, grid, run_table
from ui.runs.fields import entries

KEY = "runs.bin.table"
COLUMNS = ("status", "tag", "accuracy", "binned", "created", "network", "epochs", "best")


def show() -> None:
    """The bin with its actions: on the ticked rows, or on all of them."""
    store = state.store()
    if clicked := grid.clicked(KEY):
        st.query_params["run"] = clicked
        st.rerun()
    runs = store.binned()
    st.subheader("Bin", anchor=False)
    if not runs:
        st.info("The bin is empty.", icon=":material/delete:")
        return
    ticked = set(grid.ticked(KEY))
    chosen = [run for run in runs if run.id in ticked]
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if chosen:
            st.markdown(f"**{len(chosen)}** ticked", width="content")
            _bring_back(chosen)
        else:
            st.caption(
                f"{bulk.count(runs)}, each removed for good 30 days after its deletion. Tick rows to bring them back.", width="stretch"
            )
        _remove(chosen or runs, "Delete for good" if chosen else "Empty the bin")
    run_table.show(entries(runs, store.last_epochs(), store.best_epochs()), COLUMNS, key=KEY)


def banner(run: Run) -> None:
    """Above the page of a run that lies in the bin."""
    left = duration(max(0.0, (run.binned or 0.0) + KEPT_SECONDS - time.time()))
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(f":material/delete: This run is in the bin; it is removed for good in {left}.", width="stretch")
        _bring_back([run])


def _bring_back(runs: Sequence[Run]) -> None:
    if st.button("Bring back", icon=":material/restore_from_trash:", type="primary", key="runs.bin.back"):
        notice.do(lambda: state.store().restore([run.id for run in runs]), f"{bulk.count(runs)} back in the list.")


def _remove(runs: Sequence[Run], label: str) -> None:
    """Removing cannot be undone, so it says what is lost and asks once more."""
    popover = st.popover(label, icon=":material/delete_forever:", key="runs.bin.ask", on_change="rerun")
    if not popover.open:  # the folders of many runs take their time to be looked through
        return
    with popover, st.container(width=360):
        st.markdown(f"**{label}?** {what_is_lost(runs)}")
        if st.button("Yes, remove for good", type="primary", icon=":material/delete_forever:", key="runs.bin.remove"):
            notice.do(lambda: _remove_all(runs))


def _remove_all(runs: Sequence[Run]) -> str:
    from fmnist.checkpoint import remove_run

    bar = st.progress(0.0)
    for number, run in enumerate(runs, 1):
        bar.progress(number / len(runs), text=plain(f"Removing {run.name}"))
        remove_run(state.store(), run.id)
    return f"{bulk.count(runs)} removed for good."


def what_is_lost(runs: Sequence[Run]) -> str:
    """What a removal takes away, in words."""
    files = [path for run in runs if folder(run).exists() for path in folder(run).rglob("*") if path.is_file()]
    weigh = size(sum(path.stat().st_size for path in files))
    whose = f"**{plain(runs[0].name)}**" if len(runs) == 1 else bulk.count(runs)
    return f"This removes {whose} with settings, curves, figures and {bulk.count(files, 'file')} ({weigh}). It cannot be undone."
