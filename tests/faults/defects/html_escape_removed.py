"""A run's name goes into its report as it is: HTML in it becomes a part of the page."""

from types import ModuleType

MODULE = "fmnist.handover.report"
TESTS = ["tests/e2e/test_injection.py::test_a_report_holds_no_more_than_text"]


def apply(module: ModuleType) -> None:
    module.escape = lambda text, quote=True: text
