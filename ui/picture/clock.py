"""A clock for what has none: inside a dialog nothing looks again by itself, and a rerun of the page would close the dialog."""

import time
from pathlib import Path

from streamlit.components.v2 import component

_draw = component("clock", html="<span></span>", js=Path(__file__).with_suffix(".js").read_text(encoding="utf-8"))


def look_again(seconds: float, *, key: str) -> None:
    """Run this fragment or dialog again in so many seconds, as if a person had clicked; not called again, the clock has stopped.

    Unlike a loop that waits, it leaves the script free for whatever the person does meanwhile.
    """
    _draw(data={"milliseconds": 1000 * seconds, "now": time.time()}, key=key, height=1, on_tick_change=lambda: None)
