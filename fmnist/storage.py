"""A folder that all nodes of a cluster and this machine reach: a path that is mounted everywhere, or a bucket such as s3://bucket/folder.

In it lies, for each run or trial, what a checkpoint is made of, and `newest.json`, which says which one counts. It is written last, and
under another name first: whoever is killed at any moment leaves the checkpoint before whole.
"""

import hashlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pyarrow import ArrowException, fs

from fmnist import files
from fmnist.errors import CheckpointError, reason
from fmnist.events import Epoch
from fmnist.run import Checkpoint

NEWEST = "newest.json"


@dataclass(frozen=True)
class Position:
    """How far a training is, in the storage."""

    checkpoint: Checkpoint
    place: dict[str, Any]  # as TrainState.position gives it
    epochs: tuple[Epoch, ...]  # the figures up to there


class Storage:
    """One folder, from which only names without a slash are read and written.

    Args:
        root: an absolute path or a URI.
        parts: names of folders below it.

    Raises:
        CheckpointError: from every method, when the place cannot be reached or refuses.
    """

    def __init__(self, root: str, *parts: str) -> None:
        self._name = "/".join([root.rstrip("/"), *parts])
        try:
            self._system, self._path = fs.FileSystem.from_uri(self._name)
        except (ArrowException, OSError, ValueError) as error:
            raise CheckpointError(f"The storage {self._name} cannot be used: {reason(error)}.") from None

    def __str__(self) -> str:
        return self._name

    def write(self, name: str, content: bytes) -> None:
        """Write a file so that there is either the old one or the whole new one."""
        temporary = f"{self._path}/.{name}.{uuid.uuid4().hex}"
        try:
            self._system.create_dir(self._path, recursive=True)
            with self._system.open_output_stream(temporary) as stream:
                stream.write(content)
            self._system.move(temporary, f"{self._path}/{name}")
        except (ArrowException, OSError) as error:
            raise CheckpointError(f"The storage {self._name} cannot be written: {reason(error)}.") from error

    def read(self, name: str, sha256: str | None = None) -> bytes:
        """A whole file.

        Args:
            sha256: what it must hash to; not checked if None.
        """
        try:
            with self._system.open_input_stream(f"{self._path}/{name}") as stream:
                content = stream.read()
        except (ArrowException, OSError) as error:
            raise CheckpointError(f"The file {name} in the storage {self._name} cannot be read: {reason(error)}.") from error
        if sha256 and hashlib.sha256(content).hexdigest() != sha256:
            raise CheckpointError(f"The file {name} in the storage {self._name} is damaged: its SHA-256 is not the one that was told.")
        return content

    def remove(self, names: Sequence[str]) -> None:
        """Remove files, as far as they are there."""
        for name in names:
            try:
                self._system.delete_file(f"{self._path}/{name}")
            except FileNotFoundError:
                continue
            except (ArrowException, OSError) as error:
                raise CheckpointError(f"The storage {self._name} cannot be written: {reason(error)}.") from error

    def newest(self) -> Position | None:
        """The checkpoint that counts; None where nothing was kept yet."""
        try:
            if self._system.get_file_info(f"{self._path}/{NEWEST}").type != fs.FileType.File:
                return None
        except (ArrowException, OSError) as error:
            raise CheckpointError(f"The storage {self._name} cannot be reached: {reason(error)}.") from error
        try:
            said = json.loads(self.read(NEWEST))
            epochs = tuple(Epoch(**epoch) for epoch in said["epochs"])
            return Position(Checkpoint(**said["checkpoint"]), said["place"], epochs)
        except (ValueError, TypeError, KeyError) as error:
            raise CheckpointError(f"{NEWEST} in the storage {self._name} cannot be read: {reason(error)}.") from error

    def point(self, position: Position) -> None:
        """Make a checkpoint, whose files are written, the one that counts."""
        self.write(NEWEST, json.dumps(asdict(position)).encode())

    def fetch(self, checkpoint: Checkpoint, folder: Path, *, state: bool) -> Checkpoint:
        """Copy the files of a checkpoint home, each whole and with its hash, before anything says that it is there.

        Args:
            state: with what a resumed training needs; else with the weights alone.

        Returns:
            What is there now.
        """
        folder.mkdir(parents=True, exist_ok=True)
        files.write_bytes(folder / checkpoint.weights, self.read(checkpoint.weights, checkpoint.weights_sha256))
        if state and checkpoint.state:
            files.write_bytes(folder / checkpoint.state, self.read(checkpoint.state, checkpoint.state_sha256))
            return checkpoint
        return Checkpoint(checkpoint.step, checkpoint.epoch, checkpoint.weights, checkpoint.weights_sha256, None, None, checkpoint.created)
