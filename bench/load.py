"""Many visitors on all pages while one training runs: how soon pages answer, what the server holds, what the training loses.

`python -m bench load --sessions 50 --minutes 30`: a fifth of the sessions are real browsers, the others speak the protocol.
"""

import asyncio
import random
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import linear_regression, quantiles
from typing import Any

from bench.first_page import serving, store_url
from bench.memory import server_process
from bench.training_and_pages import Training
from bench.visitors import HEAVY, Diary, browsers, client
from fmnist.store import Store

QUIET_SECONDS = 15.0
EVERY_SECONDS = 1.0  # the server's memory is read


@dataclass
class Load:
    """What was seen of a server and its visitors."""

    diary: Diary = field(default_factory=Diary)
    memory: list[tuple[float, float]] = field(default_factory=list)  # (minutes since the begin, MB)
    threads: int = 0  # at most

    @property
    def peak(self) -> float:
        return max(megabytes for _, megabytes in self.memory)

    @property
    def slope(self) -> float:
        """MB a minute over the second half."""
        return linear_regression(*zip(*self.memory[len(self.memory) // 2 :], strict=True)).slope


def visit(url: str, sessions: int, seconds: float) -> Load:
    """Send visitors to a server for a while; a fifth of them are real browsers, at most ten."""
    seen = Load()
    asyncio.run(_visit(url, sessions, seconds, seen))
    return seen


async def _visit(url: str, sessions: int, seconds: float, seen: Load) -> None:
    until, real = time.monotonic() + seconds, min(10, max(1, sessions // 5))
    clients = [client(url, until, seen.diary, random.Random(number)) for number in range(sessions - real)]
    await asyncio.gather(browsers(url, real, until, seen.diary), _watch(url, until, seen), *clients)


async def _watch(url: str, until: float, seen: Load) -> None:
    server, begun = server_process(url), time.monotonic()
    while time.monotonic() < until:
        seen.memory.append(((time.monotonic() - begun) / 60, server.memory_info().rss / 1e6))
        seen.threads = max(seen.threads, server.num_threads())
        await asyncio.sleep(EVERY_SECONDS)


def run(sessions: int = 10, minutes: float = 2) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as url:
        training = Training(Store(store_url(Path(folder))))
        try:
            quiet = training.speed_while(lambda: time.sleep(QUIET_SECONDS))
            found: list[Load] = []
            loaded = training.speed_while(lambda: found.append(visit(url, sessions, 60 * minutes)))
        finally:
            training.cancel()
    (seen,) = found
    result = {"sessions": sessions, "minutes": minutes, **figures(seen), "training_loses": round(1 - loaded / quiet, 3)}
    for name, value in result.items():
        print(f"{name:<24} {value}")  # noqa: T201
    return result


def figures(seen: Load) -> dict[str, Any]:
    """A load in numbers."""
    times = seen.diary.seconds
    heavy = [seconds for page in HEAVY for seconds in times.get(page, [])]
    light = [seconds for page, found in times.items() if page not in HEAVY for seconds in found]
    return {
        "failed": seen.diary.failures,
        "pages": sum(map(len, times.values())),
        "p95_seconds": {"light": _p95(light), "heavy": _p95(heavy)},
        "peak_mb": round(seen.peak),
        "mb_a_minute": round(seen.slope, 2),
        "threads": seen.threads,
    }


def _p95(seconds: list[float]) -> float | None:
    return round(quantiles(seconds, n=20, method="inclusive")[-1], 2) if len(seconds) > 1 else None
