"""The server answers to every name, so that a page on the internet can make its own name lead to it (DNS rebinding)."""

from types import ModuleType

MODULE = "ui.guard.sender"
TESTS = ["tests/faults/test_exposure.py::test_every_route_by_every_name_from_every_site_with_and_without_a_login"]


def apply(module: ModuleType) -> None:
    module._host = lambda headers: "127.0.0.1"
