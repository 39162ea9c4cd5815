"""Where a training runs: on this machine or on a cluster, in how many processes, with how much of a GPU for each."""

import json
from dataclasses import asdict, dataclass
from typing import Self

from fmnist.errors import ConfigError

WORKERS = 1024  # more processes than a batch of this size has images are of no use


@dataclass(frozen=True)
class Placement:
    """What a person chose as the place of a run, or of each trial of a sweep.

    Raises:
        ConfigError: no workers, or a share of GPUs that nobody can have.
    """

    cluster: str | None = None  # the id of a cluster (fmnist.clusters); None: this machine
    workers: int = 1  # processes that train together
    gpus_per_worker: float = 0.0  # a part of one, or whole ones; on this machine the device of the config decides

    def __post_init__(self) -> None:
        if not 1 <= self.workers <= WORKERS:
            raise ConfigError(f"Workers: {self.workers} is not allowed; it must be from 1 to {WORKERS:,}.")
        gpus = self.gpus_per_worker
        if gpus < 0 or (gpus > 1 and gpus != int(gpus)):
            raise ConfigError(f"GPUs for each worker: {gpus:g} is not allowed; give 0, a part of one such as 0.25, or whole ones.")

    @property
    def is_remote(self) -> bool:
        return self.cluster is not None

    @property
    def device(self) -> str:
        """What a remote run computes on: cuda or cpu."""
        return "cuda" if self.gpus_per_worker else "cpu"

    def in_words(self, cluster_name: str | None = None) -> str:
        """Such as "this machine", "this machine, 2 processes" or "lab, 4 workers with 0.5 GPU each".

        Args:
            cluster_name: what a person calls the cluster; "a cluster" if None.
        """
        if not self.is_remote:
            return "this machine" + (f", {self.workers} processes" if self.workers > 1 else "")
        words = cluster_name or "a cluster"
        if self.workers > 1:
            words += f", {self.workers} workers"
        if self.gpus_per_worker:
            plural = "s" if self.gpus_per_worker > 1 else ""
            words += f"{' with' if self.workers > 1 else ','} {self.gpus_per_worker:g} GPU{plural}" + (" each" if self.workers > 1 else "")
        return words

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What `to_json` gave.

        Raises:
            ConfigError: it is something else.
        """
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError) as error:
            raise ConfigError(f"{text[:80]!r} is not a place where a training can run: {error}") from error


HERE = Placement()
