"""What the harnesses of faults share: two sizes of each, the short one for every commit and the long one for `make torture`."""

from collections.abc import Callable

import pytest


@pytest.fixture(scope="session")
def size(request: pytest.FixtureRequest) -> Callable[[int, int], int]:
    """`size(short, long)`: how many times to do something; the long figure is for `pytest --torture`."""
    return lambda short, long: long if request.config.getoption("--torture") else short
