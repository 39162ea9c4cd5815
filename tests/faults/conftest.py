"""What the harnesses of faults share: two sizes of each, the short one for every commit and the long one for `make torture`; and the
figures of each, which the long tier ends with."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from fmnist.engines.local import Supervisor
from fmnist.store import Store
from tests.faults.warm import Warm

LOG = Path("build/torture.jsonl")  # a line for each harness of each long tier
TELL_EVERY = 30.0  # seconds
TALLY = "tally"


class Tally:
    """The figures of a harness, and a line of progress now and then."""

    def __init__(self, name: str, say: Callable[[str], None] = lambda words: None) -> None:
        self.name, self.figures = name, dict[str, float]()
        self._say, self._told = say, time.monotonic()

    def note(self, **figures: float) -> None:
        """Keep figures under their names; the last ones count."""
        self.figures |= {name: round(value, 3) for name, value in figures.items()}
        if time.monotonic() - self._told > TELL_EVERY:
            self._told = time.monotonic()
            self._say(f"{self.name}: {self}")

    def worst(self, **figures: float) -> None:
        """Keep figures that are larger than what was kept."""
        self.note(**{name: max(value, self.figures.get(name, value)) for name, value in figures.items()})

    def __str__(self) -> str:
        return ", ".join(f"{name.replace('_', ' ')} {value:,}" for name, value in self.figures.items())


def _is_long(config: pytest.Config) -> bool:
    return config.getoption("--torture")


@pytest.fixture(scope="session")
def size(request: pytest.FixtureRequest) -> Callable[[int, int], int]:
    """`size(short, long)`: how many times to do something; the long figure is for `pytest --torture`."""
    return lambda short, long: long if _is_long(request.config) else short


@pytest.fixture
def supervisor(plain_store: Store) -> Iterator[Supervisor]:
    """A supervisor in this process, as the dashboard has one."""
    running = Supervisor(plain_store)
    running.start()
    yield running
    running.close()


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Iterator[Tally]:
    """For the figures of a harness: said at the end of the tests, and by the long tier on the way and into a file."""

    def say(words: str) -> None:
        capture = request.config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled() if capture else nullcontext():
            print(words, file=sys.stderr, flush=True)  # noqa: T201

    begun = time.monotonic()
    kept = Tally(request.node.name, say) if _is_long(request.config) else Tally(request.node.name)
    yield kept
    kept.note(seconds=time.monotonic() - begun)
    request.node.user_properties.append((TALLY, str(kept)))  # the way from a worker of pytest-xdist to who prints the summary
    if _is_long(request.config):
        LOG.parent.mkdir(exist_ok=True)
        with LOG.open("a") as log:
            print(json.dumps({"at": time.strftime("%F %T"), "test": request.node.name, **kept.figures}), file=log)


@pytest.fixture(scope="session")
def warm() -> Iterator[Warm]:
    """A process that has PyTorch loaded and lives each case in a child of its own."""
    process = Warm()
    yield process
    process.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [report for reports in terminalreporter.stats.values() for report in reports if isinstance(report, pytest.TestReport)]
    tallies = [(report.nodeid, said) for report in reports for name, said in report.user_properties if name == TALLY]
    if tallies:
        terminalreporter.section("figures of the tests of faults")
    for test, said in dict(tallies).items():
        terminalreporter.write_line(f"{test.rpartition('::')[2]}: {said}")
