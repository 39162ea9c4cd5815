"""Getting the dataset ready while people look on: once for the whole server, in the background, each step said."""

import threading
from typing import TYPE_CHECKING

import streamlit as st

from ui import boundary
from ui.labels import plain

if TYPE_CHECKING:
    from fmnist.data import Dataset

TICK_SECONDS = 0.5


class Preparation:
    """Finds or fetches the dataset, verifies and decodes it. Every session looks at the same one."""

    def __init__(self) -> None:
        self.fraction = 0.0
        self.step = "Starting PyTorch"
        self.said: list[str] = []
        self.dataset: Dataset | None = None
        self.error: Exception | None = None
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Start, or start again after an error; nothing happens while it goes on or when it is done."""
        with self._lock:
            if self.dataset is None and not (self._thread and self._thread.is_alive()):
                self.error, self.fraction, self.step, self.said = None, 0.0, "Starting PyTorch", []
                self._thread = threading.Thread(target=self._work, name="dataset", daemon=True)
                self._thread.start()

    def wait(self, seconds: float) -> None:
        """Return when it is over, or after so many seconds."""
        if self._thread:
            self._thread.join(seconds)

    def _work(self) -> None:
        try:
            from fmnist import data  # PyTorch takes seconds to import, so no page waits for it

            self.step = "Looking for the dataset"
            self.dataset = data.load(say=self._say, progress=self._advance)
        except Exception as error:  # the edge of the thread: whoever looks on raises it
            self.error = error

    def _say(self, step: str) -> None:
        self.step = step
        self.said.append(step)

    def _advance(self, fraction: float, step: str) -> None:
        self.fraction, self.step = min(1.0, max(0.0, fraction)), step


def show(preparation: Preparation) -> None:
    """A progress bar that goes away when the dataset is there; the reason and a way to try again when it cannot be had."""
    failed = preparation.error is not None
    st.fragment(run_every=None if failed else TICK_SECONDS)(_panel)(preparation, failed)


def _panel(preparation: Preparation, failed: bool) -> None:
    if preparation.dataset or failed != (preparation.error is not None):
        st.rerun()  # the whole page: what waited for the dataset is shown, or this panel changes its face
    if preparation.error:
        boundary.show(preparation.error)
        if st.button("Try again", icon=":material/refresh:", key="preparation.again"):
            preparation.begin()
            st.rerun()
        return
    with st.container(border=True):
        st.progress(preparation.fraction, text=f"Getting the dataset ready. {plain(preparation.step)}")
        for step in preparation.said[-4:]:
            st.caption(plain(step))
