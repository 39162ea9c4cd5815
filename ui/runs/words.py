"""What a person calls a run, how it is tagged and noted; archiving and deleting it."""

import streamlit as st

from fmnist.run import Run, Status
from ui import notice, places, state
from ui.labels import plain
from ui.runs import bulk


def show(run: Run) -> None:
    """The note and the tags, as they are read."""
    if run.tags:
        with st.container(horizontal=True, gap="xsmall"):
            for tag in run.tags:
                st.badge(plain(tag), icon=":material/label:", color="gray")
    if run.note:
        with st.container(border=True):
            st.text(run.note)


def edit(run: Run) -> None:
    """The form, and what takes the run out of the lists."""
    store = state.store()
    with st.form(f"runs.words.{run.id}", border=False):
        name = st.text_input("Name", run.name, max_chars=64, required=True)
        tags = bulk.tag_field(run.tags, store.runs(), key=f"runs.words.tags.{run.id}")
        note = st.text_area("Note", run.note, max_chars=10_000, placeholder="What was the idea? What came out?")
        if st.form_submit_button("Save", icon=":material/save:"):
            store.rename(run.id, name or "")
            store.annotate(run.id, note)
            store.tag([run.id], add=tags, remove=[tag for tag in run.tags if tag not in tags])
            st.rerun()
    if run.binned is None:
        with st.container(horizontal=True, vertical_alignment="center"):
            _put_away(run)


def _put_away(run: Run) -> None:
    if run.archived is None:
        if st.button("Archive", icon=":material/archive:", key="runs.archive", help="Out of the lists, and kept."):
            notice.do(lambda: state.store().archive([run.id]), f"{run.name} is archived.")
    elif st.button("Unarchive", icon=":material/unarchive:", key="runs.unarchive"):
        notice.do(lambda: state.store().unarchive([run.id]), f"{run.name} is back in the list.")
    if run.status == Status.RUNNING:
        st.caption("A run that is being trained cannot be deleted. Stop or cancel it first.")
    elif st.button("Delete", icon=":material/delete:", key="runs.delete", help="Into the bin, from where it can be brought back."):
        notice.later(bulk.throw_away([run]))
        st.switch_page(places.RUNS)
