"""Work that takes longer than a page may: once for the whole server, in the background, while people look on."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

import streamlit as st

from ui import boundary
from ui.labels import duration, plain

TICK_SECONDS = 0.5
Result = TypeVar("Result")


class Job(Generic[Result]):
    """A piece of work with its progress. Every session looks at the same one.

    Args:
        work: does it; may call `advance` and `say` of the job that it is given.
        first: what it does at the beginning, in words.
    """

    def __init__(self, work: "Callable[[Job[Result]], Result]", first: str) -> None:
        self._work, self._first = work, first
        self.fraction, self.step = 0.0, first
        self.said: list[str] = []
        self.result: Result | None = None
        self.error: Exception | None = None
        self._begun = 0.0
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Start, or start again after an error; nothing happens while it goes on or when it is done."""
        with self._lock:
            if self.result is None and not (self._thread and self._thread.is_alive()):
                self.error, self.fraction, self.step, self.said = None, 0.0, self._first, []
                self._begun = time.monotonic()
                self._thread = threading.Thread(target=self._run, name=self._first, daemon=True)
                self._thread.start()

    def wait(self, seconds: float) -> None:
        """Return when it is over, or after so many seconds."""
        if self._thread:
            self._thread.join(seconds)

    def say(self, step: str) -> None:
        """Go on to another step, and remember that it was done."""
        self.step = step
        self.said.append(step)

    def advance(self, fraction: float, step: str | None = None) -> None:
        """Tell the share that is done, 0-1."""
        self.fraction, self.step = min(1.0, max(0.0, fraction)), step or self.step

    @property
    def seconds_left(self) -> float | None:
        """At the speed so far; None before there is one."""
        passed = time.monotonic() - self._begun
        return passed * (1 - self.fraction) / self.fraction if self.fraction > 0.02 and passed > 1 else None

    def _run(self) -> None:
        try:
            self.result = self._work(self)
        except Exception as error:  # the edge of the thread: whoever looks on shows it
            self.error = error


def show(job: Job[Result], heading: str) -> None:
    """A progress bar that goes away when the job is done; the reason and a way to try again when it fails."""
    failed = job.error is not None
    st.fragment(run_every=None if failed else TICK_SECONDS)(_panel)(job, heading, failed)


def _panel(job: Job[Result], heading: str, failed: bool) -> None:
    if job.result is not None or failed != (job.error is not None):
        st.rerun()  # the whole page: what waited for the result is shown, or this panel changes its face
    if job.error:
        boundary.show(job.error)
        if st.button("Try again", icon=":material/refresh:", key=f"again.{heading}"):
            job.begin()
            st.rerun()
        return
    left = f" About {duration(job.seconds_left)} left." if job.seconds_left else ""
    with st.container(border=True):
        st.progress(job.fraction, text=f"{plain(heading)} {plain(job.step)}.{left}")
        for step in job.said[-4:]:
            st.caption(plain(step))
