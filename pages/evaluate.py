"""Find out where and why a model is wrong."""

import streamlit as st

from ui import choices, places, state
from ui.evaluation import cell_filter, confusion_panel, evaluated, headline, image_list
from ui.evaluation.evaluated import View
from ui.evaluation.matrix import Chosen

SECTIONS = {
    "images": ":material/photo_library: Images",
    "classes": ":material/category: Classes",
    "trust": ":material/balance: Calibration",
    "two": ":material/compare_arrows: Two models",
    "all": ":material/groups: All runs",
}


def invitation() -> None:
    """What somebody without a run sees first; the bundled model works below it."""
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(
            "Nothing has been trained here yet, so this is the model that comes with the studio. Train your own, and look into it here."
        )
        if st.button("Train your first network", icon=":material/play_arrow:", type="primary"):
            st.switch_page(places.TRAIN, query_params={"preset": "quick"})


def count(view: View, chosen: Chosen) -> int:
    """How many images a choice holds, by the matrix."""
    rows = view.report.confusion if chosen.truth is None else [view.report.confusion[chosen.truth]]
    return sum(sum(row) if chosen.guess is None else row[chosen.guess] for row in rows)


def section(view: View, chosen: Chosen | None) -> None:
    """The part that is looked at; only that is computed."""
    name = choices.one_of("Section", SECTIONS, key="section", label_visibility="collapsed")
    if name == "images":
        image_list.show(view, chosen)
    elif name == "classes":
        from ui.evaluation import class_table

        class_table.show(view, chosen)
    elif name == "trust":
        from ui.evaluation import trust

        trust.show(view, chosen)
    elif name == "two":
        from ui.evaluation import two_models

        two_models.show(view, chosen)
    else:
        from ui.evaluation import all_runs

        all_runs.show(view, chosen)


st.title("Evaluate", anchor=False)
if not state.store().runs():
    invitation()
view = evaluated.ask()
headline.show(view)
chosen = confusion_panel.show(view)
total = len(view.outputs)
cell_filter.chip(chosen, count(view, chosen) if chosen else total, total)
section(view, chosen)
