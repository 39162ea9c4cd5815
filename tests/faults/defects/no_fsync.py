"""A checkpoint is acknowledged without having been synced to the disk."""

from types import ModuleType

MODULE = "fmnist.checkpoint"
TESTS = ["tests/faults/test_power_loss.py"]


def apply(module: ModuleType) -> None:
    class _Os:
        def __getattr__(self, name: str) -> object:
            import os

            return (lambda descriptor: None) if name == "fsync" else getattr(os, name)

    module.os = _Os()
