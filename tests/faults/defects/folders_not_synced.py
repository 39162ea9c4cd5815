"""The names of new files last, but not those of the new folders that they lie in."""

from pathlib import Path
from types import ModuleType

MODULE = "fmnist.files"
TESTS = ["tests/faults/test_power_loss.py::test_after_a_power_loss_every_epoch_that_anybody_saw_finished_is_there"]


def apply(module: ModuleType) -> None:
    everything = module.sync_folders

    def only_this(folder: Path) -> None:
        module.home, usual = (lambda: folder), module.home  # nothing above it is inside any more
        try:
            everything(folder)
        finally:
            module.home = usual

    module.sync_folders = only_this
