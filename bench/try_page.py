"""How soon the Try page answers: from lifting the pen to another answer on the screen, in a real browser."""

import shutil
import time
from statistics import median
from typing import Any

from playwright.sync_api import Page, sync_playwright

from bench.first_page import dashboard
from ui.trying import strokes

STROKES = 24
PATIENCE = 120_000  # ms: PyTorch is imported among it
PAUSE = 300  # ms between an answer and the next stroke
SAID = "document.querySelector('.fm-says')?.innerHTML ?? null"
UNTIL_CHANGED = f"before => new Promise(done => {{ const look = () => ({SAID}) !== before ? done() : setTimeout(look, 10); look() }})"


def run() -> dict[str, Any]:
    with sync_playwright() as playwright, dashboard() as url:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_context(viewport={"width": 1280, "height": 1300}).new_page()
        page.set_default_timeout(PATIENCE)
        first, later = _measure(page, f"{url}/try_it")
        browser.close()
    print(f"first stroke until its answer (PyTorch may start) {first:>5.2f} s")  # noqa: T201
    print(f"pen lifted until another answer is read           {median(later):>5.2f} s (slowest of {len(later)}: {max(later):.2f})")  # noqa: T201
    return {"first_seconds": round(first, 2), "seconds": {"median": round(median(later), 3), "slowest": round(max(later), 3)}}


def _measure(page: Page, address: str) -> tuple[float, list[float]]:
    """A T-shirt, and then stripes on it, one after the other."""
    page.goto(address)
    canvas = page.locator("canvas.upper-canvas")
    canvas.wait_for()
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
    times = [_stroke(page, line) for line in strokes.SKETCHES[0].lines]
    stripes = [((125.0, 120.0 + 9 * step), (275.0, 120.0 + 9 * step)) for step in range(STROKES)]
    return times[0], times[1:] + [_stroke(page, stripe) for stripe in stripes]


def _stroke(page: Page, line: strokes.Line) -> float:
    box = page.locator("canvas.upper-canvas").bounding_box()
    assert box
    before = page.evaluate(SAID)
    (x, y), *others = line
    page.mouse.move(box["x"] + x, box["y"] + y)
    page.mouse.down()
    for x, y in others:
        page.mouse.move(box["x"] + x, box["y"] + y, steps=4)
    page.mouse.up()
    begun = time.monotonic()
    page.evaluate(UNTIL_CHANGED, before)
    passed = time.monotonic() - begun
    page.wait_for_timeout(PAUSE)
    return passed
