"""Where a training runs, in four verbs; whoever uses them never knows where.

On this machine a worker is the engine (`local`): the supervisor starts it, it writes what happens into the store itself, its lock says
that it lives, and it obeys what is asked in the store. A cluster has no store, so its engine (`ray`) is spoken to by a relay
(`fmnist.relay`), which does the same in its place.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from fmnist.dispatches import Batch
    from fmnist.engines.ray_job import Job


class Engine(Protocol):
    """A place that trains."""

    def submit(self, name: str, job: "Job") -> None:
        """Begin a job under a name that no other has; what is there already under this name is left as it is."""
        ...

    def events(self, name: str, seen: int) -> Iterator["Batch"]:
        """What a job says after its first `seen` lines, as it comes, and an empty batch at least every second or so; ends with the job.

        Raises:
            LostContact: nobody answers there now; ask again, with what was seen since.
        """
        ...

    def status(self, name: str) -> str | None:
        """PENDING, RUNNING, SUCCEEDED, FAILED or STOPPED; None if it is unknown there."""
        ...

    def stop(self, name: str) -> None:
        """End a job, keeping its checkpoints; what is over or unknown is left as it is."""
        ...
