"""What a cluster does: everybody's jobs, and a way to stop one of ours."""

import streamlit as st

from fmnist import clusters
from fmnist.clusters import Cluster, Job
from ui import notice
from ui.clusters import lookout
from ui.labels import Color, ago, plain

SHOWN = 12
COLORS: dict[str, Color] = {"RUNNING": "blue", "SUCCEEDED": "green", "FAILED": "red", "STOPPED": "gray", "PENDING": "orange"}


def show(cluster: Cluster, jobs: list[Job]) -> None:
    """A line for each, those that are not over first."""
    if not jobs:
        st.caption("No job yet. Choose this cluster under *Where to run* on the Train or the Sweep page.")
        return
    ordered = sorted(jobs, key=lambda job: job.is_over)
    st.markdown(f"**Jobs: {len(jobs)}**, {sum(not job.is_over for job in jobs)} at work or waiting")
    for job in ordered[:SHOWN]:
        _line(cluster, job)
    if len(ordered) > SHOWN:
        st.caption(f"and {len(ordered) - SHOWN} older ones")


def _line(cluster: Cluster, job: Job) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.badge(job.status.lower(), color=COLORS.get(job.status, "gray"))
        st.markdown(f"**{plain(job.what or job.name)}**", width="content")
        whose = f"of {job.user}" if job.user else "not from a studio"
        since = f" · {ago(job.started)}" if job.started else ""
        st.caption(plain(f"{whose}{since}{_reason(job)}"), width="stretch")
        if job.user and not job.is_over:
            _stop(cluster, job)


def _reason(job: Job) -> str:
    """The first line of why it went wrong."""
    return f" · {job.message.splitlines()[0][:120]}" if job.status == "FAILED" and job.message else ""


def _stop(cluster: Cluster, job: Job) -> None:
    with st.popover("Stop", icon=":material/stop_circle:", key=f"clusters.stop.{job.name}"):
        st.markdown(
            f"**Stop {plain(job.what or job.name)}?**  \nIts run waits then, paused, with its last checkpoint. If it is a run of this "
            "studio, rather stop it on its own page, where it can be kept and judged."
        )
        if st.button("Yes, stop the job", icon=":material/stop_circle:", type="primary", key=f"clusters.stop.yes.{job.name}"):
            notice.do(lambda: _do(cluster, job))


def _do(cluster: Cluster, job: Job) -> str:
    clusters.stop(cluster, job)
    lookout.of(cluster).ask()
    return f"{job.what or job.name} was asked to stop."
