"""Every training with its settings and figures; one of them opened; what was deleted."""

import streamlit as st

from fmnist import strays
from fmnist.errors import StoreError
from ui import boundary, notice, state
from ui.labels import plain
from ui.runs import bin_page, bring_in, bulk, fields, grid, groups, run_filter, run_page, run_rows, run_table, view
from ui.training import start

BUSY_SECONDS = 3.0  # how often the table looks into the store while something is trained or waits
IDLE_SECONDS = 10.0


def live(was_busy: bool) -> None:
    """Everything but one run on its page: the controls, what can be done to the ticked runs, the table."""
    if clicked := grid.clicked("runs"):
        st.query_params["run"] = clicked
        st.rerun()
    store = state.store()
    runs, binned = store.runs(), store.binned()
    if run_rows.busy(runs) != was_busy or notice.waits():
        st.rerun()  # with another clock, or with a word on what happened
    if not runs and not binned:
        invitation()
        return
    asked = view.ask(runs, len(binned))
    try:
        query = run_filter.read(asked.search)
    except run_filter.FilterError as error:
        boundary.show(error)
        return
    listed = [run for run in runs if asked.archived or run.archived is None]
    fitting = [entry for entry in fields.entries(listed, store.last_epochs(), store.best_epochs()) if query.fits(entry)]
    ticked = set(grid.ticked("runs"))
    chosen = [entry.run for entry in fitting if entry.run.id in ticked]
    bulk.bar(chosen, runs, binned)
    st.caption(said(len(fitting), len(listed), query, len(chosen)))
    tables(fitting, asked)


def tables(entries: list[fields.Entry], asked: view.View) -> None:
    if not entries:
        st.info("No run fits. Take something out of the search field.", icon=":material/filter_alt_off:")
        return
    if asked.group != groups.NONE:
        entries = groups.show(groups.split(entries, asked.group))
        st.caption("Tick groups to list their runs alone.")
    since = ("archived",) if asked.archived and "archived" not in asked.columns else ()
    run_table.show(run_table.ordered(entries, asked.sort), (*since, *asked.columns), key="runs")
    st.caption("Click a name to open the run, a column's head to sort. Tick rows to compare, tag, archive or delete them.")


def said(fitting: int, all_of_them: int, query: run_filter.Query, ticked: int) -> str:
    where = f", where {' and '.join(str(condition) for condition in query.conditions)}" if query.conditions else ""
    return plain(f"{fitting:,} of {all_of_them:,} runs{where}" + (f". {ticked:,} ticked" if ticked else ""))


def invitation() -> None:
    words = "Every training will be listed here with its settings, curves, figures, log and checkpoints."
    start.invite("Nothing has been trained yet", words, "Train your first network")


def opened(run_id: str) -> None:
    try:
        run = state.store().get(run_id)
        if run.binned is not None:
            bin_page.banner(run)
        run_page.show(run_id)
    except StoreError as error:  # deleted, or a mistyped address
        boundary.show(error)


def way_back(key: str) -> None:
    if st.button("All runs", icon=":material/arrow_back:", type="tertiary"):
        del st.query_params[key]
        st.rerun()


with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom"):
    st.title("Runs", anchor=False, width="content")
    if not {"run", "bin"} & set(st.query_params):
        bring_in.button()
notice.show()
bring_in.say_what_happened()
if run_id := st.query_params.get("run"):
    way_back("run")
    opened(run_id)
elif "bin" in st.query_params:
    way_back("bin")
    bin_page.show()
else:
    if lost := strays.find(state.store()):
        st.warning(plain(strays.words(lost)), icon=":material/folder_off:")
    is_busy = bool(state.store().running() or state.store().queue())
    st.fragment(run_every=BUSY_SECONDS if is_busy else IDLE_SECONDS)(live)(is_busy)
