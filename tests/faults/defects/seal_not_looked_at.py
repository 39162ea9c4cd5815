"""Figures are believed although their seal is broken."""

from types import ModuleType

MODULE = "fmnist.seal"
TESTS = ["tests/core/test_store.py", "-k", "turned_bit"]


def apply(module: ModuleType) -> None:
    module.is_broken = lambda row: False
