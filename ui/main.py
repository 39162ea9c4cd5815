"""What every page has: the list of pages, the frame, and the error boundary."""

from pathlib import Path

import streamlit as st
from streamlit.errors import FragmentHandledException

from ui import boundary

ICON = Path(__file__).parent / "assets" / "icon.svg"
PAGES = {
    "": [
        st.Page(
            "../pages/overview.py",
            title="Overview",
            icon=":material/space_dashboard:",
            default=True,
            help="What this is, the best model so far, and what to do next.",
        )
    ],
    "Training": [
        st.Page(
            "../pages/train.py",
            title="Train",
            icon=":material/model_training:",
            help="Choose what to train, start it, and watch it learn.",
        ),
        st.Page(
            "../pages/runs.py",
            title="Runs",
            icon=":material/list_alt:",
            help="Every training with its settings, figures, curves, log and checkpoints.",
        ),
    ],
}

page = st.navigation(PAGES)
st.set_page_config(page_title=f"{page.title} · Fashion-MNIST studio", page_icon=ICON, layout="wide")
try:
    page.run()
except FragmentHandledException:  # shown already, where the fragment stands
    raise
except Exception as error:
    boundary.show(error)
