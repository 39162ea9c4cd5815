"""A resumed training begins with an optimizer that remembers nothing."""

from types import ModuleType
from typing import Any

MODULE = "fmnist.train_state"
TESTS = ["tests/faults/test_resume.py::test_going_on_at_the_first_step_the_last_and_between_is_exact"]


def apply(module: ModuleType) -> None:
    whole = module.TrainState.load

    def load(self: Any, tensors: dict[str, Any], position: dict[str, Any]) -> None:
        whole(self, tensors, position)
        for moment in self._moments().values():
            moment.zero_()

    module.TrainState.load = load
