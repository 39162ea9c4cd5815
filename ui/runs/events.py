"""What befell a run: a line each for what a person did, and for what happened by itself."""

import streamlit as st

from fmnist.run import Happening, Kind, Run, Status
from ui import state
from ui.labels import LOOKS, ago, moment, plain

LIVE_SECONDS = 2.0
_WORDS: dict[str, tuple[str, str]] = {
    Kind.QUEUED: ("gray", "Put into the queue"),
    Kind.STARTED: ("blue", "Taken up by a process"),
    Kind.REWOUND: ("orange", "Back to the last checkpoint"),
    Kind.RATE: ("violet", "Learning rate changed"),
    Kind.INEXACT: ("orange", "Not exact from here on"),
    Kind.RESUMED: ("blue", "Resumed"),
    Kind.INTERRUPTED: ("orange", "Interrupted, and put back into the queue"),
    Kind.CRASHED: ("red", "Its process was killed or crashed"),
    **{status: (look.color, look.word.capitalize()) for status, look in LOOKS.items() if status not in (Status.QUEUED, Status.RUNNING)},
}


def show(run: Run) -> None:
    """The newest last, as they happened; it goes on while the run is trained."""
    st.fragment(run_every=LIVE_SECONDS if run.status == Status.RUNNING else None)(_table)(run)


def _table(run: Run) -> None:
    found = state.store().happenings(run.id)
    if not found:
        st.caption("Nothing was written down: this run was made by an earlier version.")
        return
    st.table([_row(each) for each in found], border="horizontal", hide_index=True)


def _row(happening: Happening) -> dict[str, str]:
    color, words = _WORDS.get(happening.kind, ("gray", plain(happening.kind)))
    day, _, time = moment(happening.at).partition(" ")
    lines = (day.replace("-", "\N{NON-BREAKING HYPHEN}"), time, f"({ago(happening.at)})")  # where it breaks on a phone
    return {
        "When": " ".join(line.replace(" ", "\N{NO-BREAK SPACE}") for line in lines),
        "Event": f":{color}-badge[{words}]",
        "At step": f"{happening.step:,}",
        "Details": plain(happening.words or ""),
    }
