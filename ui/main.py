"""What every page has: the list of pages, the frame, and the error boundary."""

from pathlib import Path

import streamlit as st
from streamlit.errors import FragmentHandledException

from ui import boundary, places, view_only

ASSETS = Path(__file__).parent / "assets"
# The icons stand in the titles: a page's own `icon` would become the tab's icon for a moment, which browsers fetch from Google.
PAGES = {
    "": [
        st.Page(
            places.OVERVIEW,
            title=":material/space_dashboard: Overview",
            default=True,
            help="What this is, the best model so far, and what to do next.",
        ),
        st.Page(
            places.TRY,
            title=":material/draw: Try it",
            help="Draw, photograph or upload clothes, and see what a model takes them for.",
        ),
    ],
    "Training": [
        st.Page(
            places.TRAIN,
            title=":material/model_training: Train",
            help="Choose what to train, start it, and watch it learn.",
        ),
        st.Page(
            places.RUNS,
            title=":material/list_alt: Runs",
            help="Every training with its settings, figures, curves, log and checkpoints.",
        ),
        st.Page(
            places.COMPARE,
            title=":material/compare: Compare",
            help="Runs side by side: which is better, whether that is more than chance, and what made the difference.",
        ),
        st.Page(
            places.SWEEP,
            title=":material/tune: Sweep",
            help="Search for better settings: many short trainings, and what they tell.",
        ),
        st.Page(
            places.CLUSTERS,
            title=":material/dns: Clusters",
            help="Other places to train: what they have, what they do, and whether they answer.",
        ),
    ],
    "Understanding": [
        st.Page(
            places.EVALUATE,
            title=":material/troubleshoot: Evaluate",
            help="Where a model is wrong, how sure it is, and which other one is better.",
        ),
        st.Page(
            places.EXPLORE,
            title=":material/travel_explore: Explore",
            help="The images: by class, on a map, with doubtful labels and twins.",
        ),
    ],
}

page = st.navigation(PAGES)
st.set_page_config(page_title=f"{page.title.rpartition(': ')[2]} · Fashion-MNIST studio", page_icon=ASSETS / "icon.svg", layout="wide")
st.logo(ASSETS / "wordmark.svg", size="large", icon_image=ASSETS / "icon.svg")
try:
    view_only.show()
    page.run()
except FragmentHandledException:  # shown already, where the fragment stands
    raise
except Exception as error:
    boundary.show(error)
