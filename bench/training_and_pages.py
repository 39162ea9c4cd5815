"""Whether the dashboard stays usable while a training takes all cores, and what the training loses to a person who clicks.

A training is started through the store, as a click does it, and trained by the server's own worker. Stretches in which nobody clicks and
stretches in which somebody does take turns, so that each pair is measured under the same conditions.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from playwright.sync_api import Page

from bench.first_page import serving, store_url
from bench.page_actions import MISTAKES, actions, evaluated, link, timed
from fmnist import device
from fmnist.config import preset
from fmnist.run import Request
from fmnist.store import Store

ROUNDS = 4
QUIET_SECONDS = 8.0
PAUSE = 1_500  # ms between an answer and the next click: somebody who hardly looks
PATIENCE = 120.0  # seconds


def run() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as url, evaluated(url) as page:
        training = Training(Store(store_url(Path(folder))))
        try:
            rounds = [_round(page, training) for _ in range(ROUNDS)]
        finally:
            training.cancel()
    times = [seconds for _, _, clicks in rounds for _, seconds in clicks]
    slowest = max(((seconds, name) for _, _, clicks in rounds for name, seconds in clicks))
    p95 = quantiles(times, n=20, method="inclusive")[-1]
    quiet, clicking = (median(column) for column in list(zip(*rounds, strict=True))[:2])
    loss = median(1 - clicking / quiet for quiet, clicking, _ in rounds)
    print(f"page action while a training takes all cores: p95 {p95:.2f} s, median {median(times):.2f} s, of {len(times)}")  # noqa: T201
    print(f"training: {quiet:,.0f} images/s, {clicking:,.0f} while somebody clicks: {loss:.1%} less")  # noqa: T201
    return {
        "actions": len(times),
        "pause_seconds": PAUSE / 1_000,
        "seconds": {"median": round(median(times), 2), "p95": round(p95, 2), "slowest": round(slowest[0], 2), "slowest_action": slowest[1]},
        "images_per_second": {"quiet": round(quiet), "clicking": round(clicking)},
        "loss": round(loss, 3),
        "losses": [round(1 - clicking / quiet, 3) for quiet, clicking, _ in rounds],
    }


class Training:
    """A run of preset `reference` that the server trains; it is under way when this is made."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._run = store.create(preset("reference"), device=device.resolve("auto"))
        _until(lambda: len(self._store.steps(self._run.id)) > 4)

    def speed_while(self, act: Callable[[], None]) -> float:
        """Images a second of training time while something is done."""
        before = self._store.get(self._run.id).step
        act()
        points = self._store.steps(self._run.id, after=before)
        assert self._run.config
        return (points[-1].step - points[0].step) * self._run.config.batch_size / (points[-1].seconds - points[0].seconds)

    def cancel(self) -> None:
        """End it, and wait for its end: the folder is removed next."""
        self._store.ask(self._run.id, Request.CANCEL)
        _until(lambda: self._store.get(self._run.id).status.ended)
        self._store.close()


def _round(page: Page, training: Training) -> tuple[float, float, list[tuple[str, float]]]:
    """Images a second while nobody clicks and while somebody does, and how long each answer took."""
    clicks: list[tuple[str, float]] = []

    def click() -> None:
        for action in _actions(page):
            clicks.append(action)
            page.wait_for_timeout(PAUSE)

    return training.speed_while(lambda: page.wait_for_timeout(1_000 * QUIET_SECONDS)), training.speed_while(click), clicks


def _actions(page: Page) -> Iterator[tuple[str, float]]:
    """What `bench.page_actions` does, then a look at the curves of the training and back."""
    yield from actions(page)
    curve = page.locator(".st-key-train-live-panel .js-plotly-plot .scatterlayer path.js-line").first
    yield "open Train until the curve is drawn", timed(link(page, "Train").click, curve.wait_for)
    yield "open Evaluate", timed(link(page, "Evaluate").click, page.get_by_text(MISTAKES).wait_for)


def _until(is_so: Callable[[], bool]) -> None:
    give_up = time.monotonic() + PATIENCE
    while not is_so():
        if time.monotonic() > give_up:
            raise TimeoutError("the training does not get on")
        time.sleep(0.1)
