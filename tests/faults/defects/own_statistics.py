"""Each process of a training takes the batch-norm statistics of its part of the batch alone."""

from types import ModuleType

MODULE = "fmnist.batch_norm"
TESTS = ["tests/core/test_ranks.py::test_batch_norm_sees_the_whole_batch"]


def apply(module: ModuleType) -> None:
    module.shared = lambda model: model
