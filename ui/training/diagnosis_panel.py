"""What is going on in a training, in words under its curves, each with the run that would answer it."""

from collections.abc import Sequence

import streamlit as st

from fmnist import diagnosis
from fmnist.config import FIELDS, TrainConfig, in_words
from fmnist.diagnosis import Finding
from fmnist.events import Epoch, Step
from fmnist.run import Run, Status
from ui.labels import plain
from ui.training import start


def show(run: Run, steps: Sequence[Step], epochs: Sequence[Epoch], *, key: str) -> None:
    """Nothing before the first step; one quiet line where nothing stands out."""
    if run.config is None or not (steps or run.status == Status.DIVERGED):
        return
    found = diagnosis.diagnose(run.config, run.status, steps, epochs)
    with st.container(key=f"{key}.diagnosis", gap="small"):
        for finding in found:
            _show(run, run.config, finding, key)
        if not found:
            st.caption(f":material/stethoscope: {_said(diagnosis.all_well(run.config, epochs))}")


def _show(run: Run, config: TrainConfig, finding: Finding, key: str) -> None:
    st.markdown(f":material/stethoscope: **{plain(finding.title)}.** {_said(finding.reason)}")
    if not finding.changes:
        st.caption(_said(finding.advice))
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(_said(f"{finding.advice} Next run: {next_run(config, finding)}."), width="content")
        start.offer("Set it up", run, finding.changes, key=f"{key}.next.{finding.kind}.{run.id}")


def _said(words: str) -> str:
    return plain(words).replace("%", "\N{NO-BREAK SPACE}%")


def next_run(config: TrainConfig, finding: Finding) -> str:
    """The changes in words: "learning rate 0.1 → 0.01"."""
    said = ((FIELDS[name].title or name, getattr(config, name), value) for name, value in finding.changes.items())
    return ", ".join(f"{title.lower()} {in_words(before)} → {in_words(after)}" for title, before, after in said if before != after)
