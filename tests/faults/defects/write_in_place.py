"""A file is written over the old one."""

import os
from pathlib import Path
from types import ModuleType

MODULE = "fmnist.files"
TESTS = ["tests/faults/test_power_loss.py::test_a_file_that_is_written_again_is_the_old_one_or_the_new_one"]


def apply(module: ModuleType) -> None:
    def write_bytes(path: Path, content: bytes) -> None:
        with path.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        module.sync_folders(path.parent)

    module.write_bytes = write_bytes
