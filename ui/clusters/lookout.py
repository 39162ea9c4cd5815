"""What a cluster said last: asked in the background, once for all sessions, so that no page waits for a network."""

import threading
import time
from dataclasses import astuple, dataclass
from pathlib import Path

import streamlit as st

from fmnist import clusters
from fmnist.clusters import Cluster, Job
from fmnist.errors import ClusterError

FRESH_SECONDS = 4.0  # an answer that is older is asked for anew when somebody looks


@dataclass(frozen=True)
class Answer:
    """What came back, or the sentence that says why nothing did."""

    words: str  # of `clusters.check`, or the sentence
    well: bool
    jobs: tuple[Job, ...]
    at: float  # time.monotonic()


class Lookout:
    """Asks one cluster, in a thread that ends with the answer."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._answer: Answer | None = None
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def is_asking(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def latest(self) -> Answer | None:
        """The last answer, None before the first; an old one is asked for anew meanwhile."""
        if self._answer is None or time.monotonic() - self._answer.at > FRESH_SECONDS:
            self.ask()
        return self._answer

    def ask(self) -> None:
        """Begin to ask, unless somebody does already."""
        with self._lock:
            if not self.is_asking:
                self._thread = threading.Thread(target=self._ask, name=f"lookout {self._cluster.name}", daemon=True)
                self._thread.start()

    def wait(self, seconds: float) -> None:
        """Return when it has answered, or after so many seconds."""
        if self._thread:
            self._thread.join(seconds)

    def _ask(self) -> None:
        try:
            words = clusters.check(self._cluster)
            self._answer = Answer(words, True, tuple(clusters.jobs(self._cluster)), time.monotonic())
        except ClusterError as error:
            self._answer = Answer(str(error), False, (), time.monotonic())


def of(cluster: Cluster) -> Lookout:
    """The one lookout for a cluster as it is now; another address or another token has a new one."""
    return _lookout(astuple(cluster), _token_version(cluster), cluster)


@st.cache_resource(show_spinner=False, max_entries=50)
def _lookout(known_by: tuple[object, ...], token_version: int, _cluster: Cluster) -> Lookout:
    return Lookout(_cluster)


def _token_version(cluster: Cluster) -> int:
    """When its token was written last; 0 where there is none."""
    path = Path(cluster.token_file) if cluster.token_file else None
    return path.stat().st_mtime_ns if path and path.exists() else 0
