"""What can be done to the runs whose rows are ticked, and the way back from a deletion."""

from collections.abc import Collection, Sequence
from typing import Any

import streamlit as st

from fmnist.bin import last_deletion
from fmnist.errors import StoreError
from fmnist.run import Run
from ui import notice, places, state
from ui.labels import ago
from ui.runs import grid, run_table


def bar(chosen: Sequence[Run], runs: Sequence[Run], binned: Sequence[Run]) -> None:
    """The actions above the table; without a tick they stand there all the same, so that the rows below never move under the mouse.

    Args:
        runs: all of them, for their tags.
        binned: what lies in the bin.
    """
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="runs.bar"):
        _look_into(chosen)
        _tag(chosen, runs)
        _archive(chosen)
        tip = "Into the bin, from where runs can be brought back."
        if st.button("Delete", icon=":material/delete:", key="runs.bulk.delete", disabled=not chosen, help=tip):
            notice.do(lambda: throw_away(chosen))
        if chosen:
            st.button("Untick", icon=":material/close:", type="tertiary", key="runs.bulk.none", on_click=grid.untick, args=("runs",))
        else:
            _undo(last_deletion(binned))


def _look_into(chosen: Sequence[Run]) -> None:
    """One is opened, several are compared."""
    if len(chosen) == 1:
        if st.button("Open", icon=":material/open_in_new:", type="primary", key="runs.bulk.open"):
            st.query_params["run"] = chosen[0].id
            st.rerun()
    elif st.button("Compare", icon=":material/compare_arrows:", type="primary", key="runs.bulk.compare", disabled=not chosen):
        st.switch_page(places.COMPARE, query_params={"runs": ",".join(str(run.number) for run in chosen)})


def _archive(chosen: Sequence[Run]) -> None:
    ids, store = [run.id for run in chosen], state.store()
    if chosen and all(run.archived is not None for run in chosen):
        if st.button("Unarchive", icon=":material/unarchive:", key="runs.bulk.unarchive"):
            notice.do(lambda: store.unarchive(ids), f"{count(chosen)} back in the list.")
    elif st.button("Archive", icon=":material/archive:", key="runs.bulk.archive", disabled=not chosen, help="Out of the lists, and kept."):
        notice.do(lambda: store.archive(ids), f"{count(chosen)} archived.")


def _tag(chosen: Sequence[Run], runs: Sequence[Run]) -> None:
    """The tags that all of them have; adding and removing one is saved at once. Those that only some have stay as they are."""
    shared = [tag for tag in chosen[0].tags if all(tag in run.tags for run in chosen)] if chosen else []
    ids = [run.id for run in chosen]
    stamp = f"{hash(tuple(ids)):x}"  # another choice, another field
    with st.popover("Tag", icon=":material/label:", key=f"runs.bulk.tag.{stamp}", disabled=not chosen):
        key = f"runs.bulk.tags.{stamp}"
        st.session_state[f"{key}.before"] = tag_field(shared, runs, key=key, on_change=_retag, args=(ids, key))


def _retag(ids: Sequence[str], key: str) -> None:
    before, wanted = st.session_state[f"{key}.before"], st.session_state[key]
    try:
        state.store().tag(ids, add=[tag for tag in wanted if tag not in before], remove=[tag for tag in before if tag not in wanted])
    except StoreError as error:
        notice.later(str(error))


def tag_field(tags: Sequence[str], runs: Sequence[Run], *, key: str, **on_change: Any) -> list[str]:
    """A field of tags: those that other runs have are offered, new ones are written."""
    offered = run_table.tags(runs)
    words = "Choose tags, or write one and press Enter"
    return st.multiselect("Tags", offered, default=list(tags), key=key, accept_new_options=True, placeholder=words, width=340, **on_change)


def throw_away(runs: Sequence[Run]) -> str:
    """Into the bin; returns what happened, in words."""
    gone = set(state.store().bin([run.id for run in runs]))
    kept = [run.name for run in runs if run.id not in gone]
    words = f"{count(gone)} moved to the bin." if gone else ""
    if kept:
        words += f" Still being trained, so not deleted: {', '.join(kept)}. Stop or cancel first."
    return words.strip()


def _undo(last: Sequence[Run]) -> None:
    """The way back from the last deletion, whoever made it."""
    label = f"Undo: {count(last)} deleted {ago(last[0].binned or 0.0)}" if last else ""
    if last and st.button(label, icon=":material/undo:", type="tertiary", key="runs.undo"):
        notice.do(lambda: state.store().restore([run.id for run in last]), f"{count(last)} back in the list.")


def count(things: Collection[object], word: str = "run") -> str:
    """ "1 run", "2 runs"."""
    return f"{len(things)} {word}{'s' * (len(things) != 1)}"
