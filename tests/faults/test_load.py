"""The real server under many visitors while a training takes all cores, and with visitors who come and go: none fails, memory is bounded.

How soon pages answer is measured by `python -m bench load`, not here: tests share their machine.
"""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from bench import load, visitors
from bench.first_page import serving, store_url
from bench.memory import server_process
from bench.training_and_pages import Training
from fmnist.store import Store

MOST_MEGABYTES = 1_200
MOST_THREADS = 250
TTL_SECONDS = 2
AT_ONCE = 5

pytestmark = pytest.mark.browser


@pytest.mark.timeout(0)
def test_no_session_fails_while_a_training_runs_and_the_server_stays_small(
    tmp_path: Path, chromium: str, size: Callable[[int, int], int]
) -> None:
    with serving(tmp_path) as url:
        training = Training(Store(store_url(tmp_path)))
        try:
            seen = load.visit(url, sessions=size(10, 50), seconds=size(40, 30 * 60))
        finally:
            training.cancel()
    found = load.figures(seen)
    print(found)  # noqa: T201 - pytest shows it where the test fails
    assert seen.diary.failures == []
    assert found["pages"] >= size(10, 1_000)
    assert seen.peak <= MOST_MEGABYTES
    assert seen.threads <= MOST_THREADS


@pytest.mark.timeout(0)
def test_visitors_who_come_and_go_leave_the_memory_where_it_was(
    tmp_path: Path, size: Callable[[int, int], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMLIT_SERVER_DISCONNECTED_SESSION_TTL", str(TTL_SECONDS))
    with serving(tmp_path) as url:
        server = server_process(url)
        asyncio.run(_come_and_go(url, 20))  # what the first ones alone need is there
        before = _rest(url, server)
        asyncio.run(_come_and_go(url, size(100, 2_000)))
        after = _rest(url, server)
        files = server.num_fds()
    print(before, after)  # noqa: T201
    assert after <= 1.10 * before
    assert files < 100


async def _come_and_go(url: str, many: int) -> None:
    pages = [*visitors.LIGHT, "try_it"]
    for first in range(0, many, AT_ONCE):
        await asyncio.gather(
            *(visitors.come_and_go(url, pages[number % len(pages)]) for number in range(first, min(many, first + AT_ONCE)))
        )


def _rest(url: str, server: psutil.Process) -> float:
    """MB that the server holds once it has let the sessions go, which it does when the next one comes."""
    time.sleep(TTL_SECONDS + 1)
    asyncio.run(visitors.come_and_go(url))
    return server.memory_info().rss / 1e6
