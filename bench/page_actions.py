"""How soon Evaluate and Explore answer, in a real browser, once the bundled model has been evaluated."""

import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

from playwright.sync_api import Locator, Page, sync_playwright

from bench.first_page import dashboard

ROUNDS = 7
PAUSE = 400  # ms between two actions
PATIENCE = 180_000  # ms: the first evaluation is among it
MISTAKES = re.compile(r"^([\d,]+) mistakes?")


def run() -> dict[str, Any]:
    times: dict[str, list[float]] = {}
    with dashboard() as url, evaluated(url) as page:
        for _ in range(ROUNDS):
            for name, seconds in actions(page):
                times.setdefault(name, []).append(seconds)
                page.wait_for_timeout(PAUSE)
    result = {}
    for name, seconds in times.items():
        result[name] = {"median": round(median(seconds), 2), "slowest": round(max(seconds), 2)}
        print(f"{name:<44} {median(seconds):>5.2f} s (slowest {max(seconds):.2f})")  # noqa: T201
    return {"rounds": ROUNDS, "seconds": result}


@contextmanager
def evaluated(url: str) -> Iterator[Page]:
    """A browser whose page shows the bundled model, evaluated."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_context(viewport={"width": 1280, "height": 1000}).new_page()
        page.set_default_timeout(PATIENCE)
        page.goto(f"{url}/evaluate")
        page.get_by_text(MISTAKES).wait_for()
        yield page
        browser.close()


def actions(page: Page) -> Iterator[tuple[str, float]]:
    """A round of what a person does, from an evaluated page back to it: each action with the seconds until its answer is seen.

    Whoever iterates says how long the person waits before the next one.
    """
    mistakes = page.get_by_text(MISTAKES)
    all_of_them = mistakes.inner_text()
    yield "open Explore", timed(link(page, "Explore").click, page.get_by_text("60,000 images in the order of the file").wait_for)
    yield "open Evaluate", timed(link(page, "Evaluate").click, mistakes.wait_for)
    cell = page.get_by_role("grid").get_by_role("button", name=re.compile("Shirts taken for Coat")).first
    count = page.get_by_text(re.compile(rf"^{cell.inner_text()} mistakes?"))
    yield "click a cell until its images are counted", timed(cell.click, count.wait_for)
    image = page.get_by_role("group", name="Arrow keys move, Enter opens one").get_by_role("button").first
    yield "open an image until its answer is read", timed(image.click, page.get_by_role("dialog").get_by_text("sure").first.wait_for)
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="hidden")
    chip = page.locator(".st-key-evaluate-filter").get_by_role("button")
    yield "remove the filter", timed(chip.click, page.get_by_text(all_of_them).wait_for)


def link(page: Page, name: str) -> Locator:
    """The link to a page, in the list at the left."""
    return page.get_by_test_id("stSidebarNav").get_by_role("link", name=re.compile(name))


def timed(act: Callable[[], None], seen: Callable[[], None]) -> float:
    """Seconds from an action until its answer is seen."""
    begun = time.monotonic()
    act()
    seen()
    return time.monotonic() - begun
