"""Where the pages are, as `st.Page`, `st.switch_page` and `st.page_link` want it: relative to ui/main.py."""

OVERVIEW = "../pages/overview.py"
TRAIN = "../pages/train.py"
RUNS = "../pages/runs.py"
SWEEP = "../pages/sweep.py"
EVALUATE = "../pages/evaluate.py"
EXPLORE = "../pages/explore.py"
TRY = "../pages/try_it.py"
