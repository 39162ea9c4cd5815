"""One cluster: whether it answers, what it has, what it does, and what a person can change about it."""

import streamlit as st

from fmnist.clusters import Cluster, Clusters
from ui import notice, state
from ui.clusters import cluster_form, cluster_jobs, lookout
from ui.labels import plain

TICK_SECONDS = 2.0


def show(cluster: Cluster) -> None:
    """A frame with its name and address, buttons, and what it says, which is alive."""
    with st.container(border=True, key=f"clusters.{cluster.id}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.subheader(plain(cluster.name), width="content", anchor=False)
            st.caption(plain(f"{cluster.address} · checkpoints in {cluster.storage} · {_token(cluster)}"), width="stretch")
        with st.container(horizontal=True):
            if st.button("Test the connection", icon=":material/cable:", key=f"clusters.test.{cluster.id}"):
                lookout.of(cluster).ask()
            with st.popover("Change", icon=":material/edit:", key=f"clusters.edit.{cluster.id}"):
                cluster_form.change(cluster)
            _remove(cluster)
        st.fragment(run_every=TICK_SECONDS)(_alive)(cluster)


def _token(cluster: Cluster) -> str:
    return "with a token" if cluster.token_file else "without a token"


def _alive(cluster: Cluster) -> None:
    """The last answer; the next one is on its way."""
    watch = lookout.of(cluster)
    answer = watch.latest()
    if answer is None:
        st.caption(f":material/hourglass_top: Asking {plain(cluster.address)}…")
        return
    if answer.well:
        st.success(plain(answer.words), icon=":material/check_circle:")
        cluster_jobs.show(cluster, list(answer.jobs))
    else:
        st.error(plain(answer.words), icon=":material/cloud_off:")
    st.caption(":material/hourglass_top: Asking again…" if watch.is_asking else "Asked every few seconds while this page is open.")


def _remove(cluster: Cluster) -> None:
    with st.popover("Remove", icon=":material/delete:", key=f"clusters.remove.{cluster.id}"):
        st.markdown(
            f"**Remove {plain(cluster.name)}?**  \nIts address and its token are forgotten here. Nothing changes on the cluster, and runs "
            "that were trained there stay."
        )
        if st.button("Yes, remove it", icon=":material/delete:", type="primary", key=f"clusters.remove.yes.{cluster.id}"):
            notice.do(lambda: Clusters(state.store()).remove(cluster), f"{cluster.name} is removed.")
