"""A worker does not wait until the device is free: every process has a lock of its own."""

import os
from pathlib import Path
from types import ModuleType

MODULE = "fmnist.liveness"
TESTS = ["tests/faults/test_clicks.py"]


def apply(module: ModuleType) -> None:
    def device_lock(device: str) -> Path:
        return module.runs_folder() / f"{device}.{os.getpid()}.lock"

    module.device_lock = device_lock
