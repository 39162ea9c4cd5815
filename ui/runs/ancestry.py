"""Where a run comes from, and what was changed against that."""

import streamlit as st

from fmnist.config import FIELDS, in_words
from fmnist.errors import StoreError
from fmnist.run import Run
from ui import places, state
from ui.labels import plain


def show(run: Run) -> None:
    """A line for a run that was made from another one; nothing for others."""
    if run.origin is None:
        return
    how = "Goes on from" if run.continues else "Made from"
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        try:
            origin = state.store().get(run.origin)
        except StoreError:
            st.caption(f":material/account_tree: {how} a run that was deleted since.")
            return
        st.caption(f":material/account_tree: {how}", width="content")
        st.page_link(places.RUNS, label=plain(origin.name), query_params={"run": origin.id}, width="content")
        st.caption(plain(differences(run, origin)), width="content")


def differences(run: Run, origin: Run) -> str:
    """What was changed, in words."""
    since = f"at step {run.continues:,}" if run.continues else ""
    if run.config is None or origin.config is None:
        return since
    pairs = origin.config.differences(run.config)
    changed = [f"{FIELDS[name].title} {in_words(before)} → {in_words(after)}" for name, (before, after) in pairs.items()]
    return " · ".join([*([since] if since else []), *changed]) or "with the same settings"
