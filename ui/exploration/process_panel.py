"""What somebody sees of a computation in its own process: how far it is, a way to end it, and a way to begin it again."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import streamlit as st

from ui.labels import duration, plain

if TYPE_CHECKING:
    from fmnist.computation import Computation

TICK_SECONDS = 0.5


def show(one: "Computation", begin: Callable[[], None], label: str, expected: float, *, key: str) -> None:
    """The progress of a computation that has no result yet, or a button that begins it.

    Args:
        begin: hands it its input and starts it.
        label: of that button.
        expected: seconds that it takes on two cores.
    """
    if one.progress() is not None:
        st.fragment(run_every=TICK_SECONDS)(_working)(one, expected, key)
        return
    if one.error:
        st.error(plain(one.error), icon=":material/error:")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(label, icon=":material/play_arrow:", type="primary", on_click=begin, key=f"{key}.begin")
        st.caption(f"About {duration(expected)} on two free cores, once; it goes on when you leave the page.", width="content")


def _working(one: "Computation", expected: float, key: str) -> None:
    progress = one.progress()
    if progress is None:
        st.rerun()  # the whole page: the result is there, or the reason why not
    left = expected if progress.left is None else progress.left
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.progress(min(1.0, progress.share), text=f"{plain(progress.step)}. About {duration(left)} left.")
        st.button("Cancel", icon=":material/cancel:", on_click=one.cancel, key=f"{key}.cancel")
