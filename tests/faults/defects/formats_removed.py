"""Every format that Pillow knows is decoded, not the five of the allow-list."""

from types import ModuleType

MODULE = "fmnist.decoding"
TESTS = ["tests/faults/test_uploads.py::test_formats_that_are_not_read_are_refused"]


def apply(module: ModuleType) -> None:
    module.FORMATS = None
