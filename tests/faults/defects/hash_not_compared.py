"""A file of tensors is believed without its SHA-256 being compared with the one that was stored."""

from types import ModuleType

MODULE = "fmnist.checkpoint"
TESTS = ["tests/faults/test_damaged_files.py", "-k", "weights"]


def apply(module: ModuleType) -> None:
    read = module.read_tensors
    module.read_tensors = lambda path, sha256=None: read(path)
