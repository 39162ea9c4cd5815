"""A file gets its name before its content is on the disk."""

import os
from pathlib import Path
from types import ModuleType

MODULE = "fmnist.files"
TESTS = ["tests/faults/test_power_loss.py::test_a_file_that_is_written_again_is_the_old_one_or_the_new_one"]


def apply(module: ModuleType) -> None:
    def write_bytes(path: Path, content: bytes) -> None:
        temporary = path.with_name(f".{path.name}.tmp")
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            temporary.replace(path)
            os.fsync(file.fileno())
        module.sync_folders(path.parent)

    module.write_bytes = write_bytes
