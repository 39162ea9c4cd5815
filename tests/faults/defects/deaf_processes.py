"""The processes of a training do not notice that the one that started them is gone."""

from types import ModuleType

MODULE = "fmnist.worker"
TESTS = ["tests/faults/test_ranks.py::test_processes_whose_worker_is_killed_keep_the_run_to_the_step_and_go"]


def apply(module: ModuleType) -> None:
    module._watch_lifeline = lambda interrupted: None
