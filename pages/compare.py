"""Put runs side by side: which is better, whether it matters, and what made the difference."""

from collections.abc import Sequence

import streamlit as st

from fmnist.run import Run
from ui import choices, state
from ui.comparing import chosen, curves_panel, looks, verdict_panel
from ui.training import start

SECTIONS = {
    "settings": ":material/table_rows: Settings and figures",
    "classes": ":material/category: Classes",
    "connections": ":material/hub: Settings against figures",
}


def invitation() -> None:
    words = "Train two networks that differ in one setting, and see here which is better, and whether that is more than chance."
    start.invite("There is nothing to compare yet", words, "Train a network")


def advice() -> None:
    st.info(
        "Choose two runs or more above: one by one, or several at once by their seeds, tag or sweep. On the Runs page you can mark rows "
        "and bring them here. The address keeps the choice, so it can be sent to somebody.",
        icon=":material/compare:",
    )


def section(runs: Sequence[Run], shapes: dict[int, looks.Look]) -> None:
    """The part that is looked at; only that is computed."""
    name = choices.one_of("Section", SECTIONS, key="section", label_visibility="collapsed")
    if name == "classes":
        from ui.comparing import class_differences

        class_differences.show(runs)
        return
    from ui.comparing import connections, run_figures, side_by_side

    subjects = [run_figures.subject(run, curves_panel.epochs(run)) for run in runs]
    if name == "settings":
        side_by_side.show(subjects, shapes)
    else:
        connections.show(subjects, shapes)


st.title("Compare", anchor=False)
known = state.store().runs()
if not any(run.config for run in known):
    invitation()
    st.stop()
runs = chosen.ask(known)
if not runs:
    advice()
    st.stop()
shapes = looks.of([run.number for run in runs])
verdict = st.container()  # at the top, but drawn last: what it needs may have to be computed first
curves_panel.show(runs, shapes)
section(runs, shapes)
with verdict:
    verdict_panel.show(runs)
