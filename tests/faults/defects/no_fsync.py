"""A checkpoint is acknowledged without having been synced to the disk."""

from types import ModuleType

MODULE = "fmnist.files"
TESTS = ["tests/faults/test_power_loss.py::test_a_file_that_is_written_again_is_the_old_one_or_the_new_one"]


def apply(module: ModuleType) -> None:
    class _Os:
        def __getattr__(self, name: str) -> object:
            import os

            return (lambda descriptor: None) if name == "fsync" else getattr(os, name)

    module.os = _Os()
