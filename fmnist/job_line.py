"""The line to a job on a cluster, for the process that follows it: where it breaks, it says so, tries again, and reads on where it was."""

import logging
import time
from collections.abc import Callable, Iterator

from fmnist.clusters import OVER, Cluster
from fmnist.dispatches import Batch
from fmnist.engines import Engine
from fmnist.engines.ray_job import Job
from fmnist.errors import LostContact

log = logging.getLogger("fmnist.relay")
PATIENCE = 30.0  # seconds for a job to end after it was asked to
GIVE_UP = 10.0  # seconds without contact after which a cancellation is not waited for any more
RETRY_SECONDS = (1.0, 2.0, 4.0, 8.0, 15.0)  # between attempts to get into contact again; the last one for ever


class JobLine:
    """What a relay says to the engine of its job, and hears from it."""

    def __init__(self, cluster: Cluster, engine: Engine, say: Callable[[str | None], None]) -> None:
        self.cluster, self.engine, self._say = cluster, engine, say
        self._lost_since: float | None = None

    @property
    def silent_for(self) -> float:
        """Seconds since the contact was lost; 0 when there is one."""
        return time.monotonic() - self._lost_since if self._lost_since is not None else 0.0

    def batches(self, job: str, seen: int) -> Iterator[Batch]:
        """What a job says; empty batches in between, and while nobody answers. It ends with the job."""
        while True:
            try:
                for batch in self.engine.events(job, seen):
                    self._in_contact()
                    seen = batch.number
                    yield batch
                return
            except LostContact as error:
                yield from self._wait(error, seen)

    def submit(self, name: str, job: Job) -> Iterator[Batch]:
        """Submit a job; an empty batch for each moment in which nobody answers."""
        while True:
            try:
                self.engine.submit(name, job)
            except LostContact as error:
                yield from self._wait(error, 0)
            else:
                return self._in_contact()

    def stop(self, job: str) -> bool:
        """End a job; True when it has ended."""
        give_up = time.monotonic() + PATIENCE
        while time.monotonic() < give_up:
            try:
                self.engine.stop(job)
                if self.engine.status(job) in (None, *OVER):
                    return True
            except LostContact as error:
                log.warning("%s", error)
                if time.monotonic() > give_up - PATIENCE + GIVE_UP:
                    return False
            time.sleep(0.25)
        return False

    def _in_contact(self) -> None:
        if self._lost_since is not None:
            log.info("in contact with %s again", self.cluster.name)
            self._say(None)
        self._lost_since = None

    def _wait(self, error: LostContact, seen: int) -> Iterator[Batch]:
        """Empty batches for as long as is waited until the next attempt."""
        if self._lost_since is None:
            log.warning("%s", error)
            self._lost_since, self._attempts = time.monotonic(), 0
            self._say(f"Lost contact with {self.cluster.name}, trying again… {error}")
        pause = RETRY_SECONDS[min(self._attempts, len(RETRY_SECONDS) - 1)]
        self._attempts += 1
        until = time.monotonic() + pause
        while time.monotonic() < until:
            yield Batch(seen)
            time.sleep(0.25)
