"""What a search on a cluster is told of its trials in earlier jobs; it lies beside their checkpoints."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from fmnist.run import Status
from fmnist.storage import Storage

NAME = "trials.json"  # in the storage of a sweep


@dataclass(frozen=True)
class Known:
    """A trial of an earlier job of this sweep."""

    config: dict[str, Any]
    status: str
    accuracies: tuple[float, ...]  # after each epoch

    @property
    def over(self) -> bool:
        return Status(self.status).ended


def write_known(storage: Storage, trials: Sequence[Known]) -> None:
    storage.write(NAME, json.dumps([asdict(trial) for trial in trials]).encode())


def read_known(storage: Storage) -> list[Known]:
    return [Known(**{**trial, "accuracies": tuple(trial["accuracies"])}) for trial in json.loads(storage.read(NAME))]
