"""Every training with its settings and figures; one of them opened."""

import streamlit as st

from fmnist.errors import StoreError
from ui import boundary, places, state
from ui.runs import bring_in, run_page, run_rows, run_table
from ui.training import start

BUSY_SECONDS = 3.0  # how often the table looks into the store while something is trained or waits
IDLE_SECONDS = 10.0


def table(words: str, statuses: list[str], was_busy: bool) -> None:
    """The runs that fit the filter; a click on one opens it."""
    runs = state.store().runs()
    if run_rows.busy(runs) != was_busy:
        st.rerun()  # with another clock
    shown = run_table.filtered(runs, words, statuses)
    st.caption(f"{len(shown)} of {len(runs)} runs. Click a name to open the run, a column's head to sort." if shown else "")
    if not shown:
        st.info("No run fits this filter. Remove a word or a status.", icon=":material/filter_alt_off:")
        return
    if opened := run_table.show(shown, state.store().last_epochs()):
        st.query_params["run"] = opened.id
        st.rerun()


def invitation() -> None:
    with st.container(border=True):
        st.subheader("Nothing has been trained yet", anchor=False)
        st.markdown("Every training will be listed here with its settings, curves, figures, log and checkpoints.")
        if st.button("Train your first network", type="primary", icon=":material/play_arrow:"):
            st.switch_page(places.TRAIN, query_params={"preset": "quick"})
        bring_in.button()


def opened(run_id: str) -> None:
    if st.button("All runs", icon=":material/arrow_back:", type="tertiary"):
        del st.query_params["run"]
        st.rerun()
    try:
        run_page.show(run_id)
    except StoreError as error:  # deleted, or a mistyped address
        boundary.show(error)


st.title("Runs", anchor=False)
start.say_what_happened()
bring_in.say_what_happened()
if run_id := st.query_params.get("run"):
    opened(run_id)
elif not (runs := state.store().runs()):
    invitation()
else:
    bring_in.button()
    is_busy = run_rows.busy(runs)
    st.fragment(run_every=BUSY_SECONDS if is_busy else IDLE_SECONDS)(table)(*run_table.filters(), is_busy)
