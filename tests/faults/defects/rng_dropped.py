"""A resumed training begins with the random numbers of a fresh process instead of those that it was left with."""

from types import ModuleType
from typing import Any

MODULE = "fmnist.train_state"
TESTS = ["tests/faults/test_resume.py::test_going_on_at_the_first_step_the_last_and_between_is_exact"]


def apply(module: ModuleType) -> None:
    whole = module.TrainState.load

    def load(self: Any, tensors: dict[str, Any], position: dict[str, Any]) -> None:
        kept = module.torch.get_rng_state()
        whole(self, tensors, position)
        module.torch.set_rng_state(kept)

    module.TrainState.load = load
