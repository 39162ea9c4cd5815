"""What is brought back from the bin stays in it."""

from types import ModuleType

MODULE = "fmnist.store"
TESTS = ["tests/faults/test_any_order.py"]


def apply(module: ModuleType) -> None:
    module.Store.restore = lambda self, run_ids: None
