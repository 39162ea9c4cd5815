"""How soon Evaluate and Explore answer, in a real browser, once the bundled model has been evaluated."""

import re
import shutil
import time
from collections.abc import Callable
from statistics import median
from typing import Any

from playwright.sync_api import Page, sync_playwright

from bench.first_page import dashboard

ROUNDS = 7
PATIENCE = 180_000  # ms: the first evaluation is among it


def run() -> dict[str, Any]:
    with sync_playwright() as playwright, dashboard() as url:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_context(viewport={"width": 1280, "height": 1000}).new_page()
        page.set_default_timeout(PATIENCE)
        times = _measure(page, url)
        browser.close()
    result = {}
    for name, seconds in times.items():
        result[name] = {"median": round(median(seconds), 2), "slowest": round(max(seconds), 2)}
        print(f"{name:<44} {median(seconds):>5.2f} s (slowest {max(seconds):.2f})")  # noqa: T201
    return {"rounds": ROUNDS, "seconds": result}


def _measure(page: Page, url: str) -> dict[str, list[float]]:
    page.goto(f"{url}/evaluate")
    evaluated = page.get_by_text(re.compile(r"^\d+ mistakes"))
    evaluated.wait_for()
    times: dict[str, list[float]] = {}

    def timed(name: str, act: Callable[[], None], seen: Callable[[], None]) -> None:
        begun = time.monotonic()
        act()
        seen()
        times.setdefault(name, []).append(time.monotonic() - begun)
        page.wait_for_timeout(400)

    link = page.get_by_test_id("stSidebarNav").get_by_role("link", name=re.compile("Evaluate"))
    away = page.get_by_test_id("stSidebarNav").get_by_role("link", name=re.compile("Explore"))
    cell = page.get_by_role("grid").get_by_role("button", name=re.compile("Shirts taken for Coat"))
    chip = page.locator(".st-key-evaluate-filter").get_by_role("button")
    for _ in range(ROUNDS):
        timed("open Explore", away.click, page.get_by_text("60,000 images in the order of the file").wait_for)
        timed("open Evaluate", link.click, evaluated.wait_for)
        timed("click a cell until its images are counted", cell.first.click, page.get_by_text(re.compile(r"^5\d mistakes")).wait_for)
        image = page.get_by_role("group", name="Arrow keys move, Enter opens one").get_by_role("button").first
        timed("open an image until its answer is read", image.click, page.get_by_role("dialog").get_by_text("sure").first.wait_for)
        page.keyboard.press("Escape")
        page.get_by_role("dialog").wait_for(state="hidden")
        timed("remove the filter", chip.click, page.get_by_text(re.compile(r"^5\d\d mistakes")).wait_for)
    return times
