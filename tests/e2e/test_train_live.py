"""The Train page in a real browser, with real small trainings that are started by clicking."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from fmnist.store import Status
from tests.e2e.conftest import Server, settle

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

# Counts what somebody who stares at the curves would see: frames without curves, other nodes, and every new last point.
WATCH = """() => {
  const node = document.querySelector(".st-key-train-live-panel .js-plotly-plot")
  window.seen = { frames: 0, blank: 0, replaced: 0, ends: new Set(), node }
  const look = () => {
    const now = document.querySelector(".st-key-train-live-panel .js-plotly-plot")
    window.seen.frames += 1
    if (now !== node) window.seen.replaced += 1
    if (!now?.querySelector(".scatterlayer path.js-line")) window.seen.blank += 1
    else window.seen.ends.add(now.data[0].x.at(-1))
    window.seen.next = requestAnimationFrame(look)
  }
  look()
}"""
SEEN = "() => ({ frames: seen.frames, blank: seen.blank, replaced: seen.replaced, range: [...seen.node.layout.xaxis.range] })"


def fill(page: Page, label: str, value: int) -> None:
    """Type a number into a field of the form, and leave it."""
    field = page.get_by_label(label, exact=True)
    field.fill(str(value))
    field.press("Tab")
    settle(page)


def start_a_long_small_training(page: Page) -> None:
    """The small network on 1,500 images, for so many epochs that the test decides when it ends."""
    page.goto("/train?preset=quick")
    settle(page)
    page.get_by_role("tab", name="Data").click()
    fill(page, "Training images", 2_000)
    fill(page, "Validation images", 500)
    fill(page, "Epochs", 900)
    page.get_by_role("button", name="Start training").click()


def zoom_into_the_first_panel(page: Page) -> list[float]:
    """Drag over a part of the first curve; returns the range that is shown then."""
    area = page.locator(".st-key-train-live-panel .js-plotly-plot .nsewdrag[data-subplot=xy]").bounding_box()
    assert area
    page.mouse.move(area["x"] + area["width"] * 0.2, area["y"] + area["height"] * 0.3)
    page.mouse.down()
    page.mouse.move(area["x"] + area["width"] * 0.6, area["y"] + area["height"] * 0.31, steps=6)
    page.mouse.up()
    page.wait_for_function("() => !seen.node.layout.xaxis.autorange")
    return page.evaluate(SEEN)["range"]


def test_a_training_started_by_a_click_is_watched_over_a_reload_and_stopped(server: Server, page: Page) -> None:
    start_a_long_small_training(page)
    panel = page.locator(".st-key-train-live-panel")
    expect(panel).to_contain_text(re.compile("Starting|Checking the images|Testing what|Epoch"))
    expect(panel).to_contain_text(re.compile(r"Epoch (?!1 |2 )\d+ of 900"))  # two epochs are done
    expect(panel.locator(".js-plotly-plot path.js-line").first).to_be_visible()
    expect(panel).to_contain_text("How it sees these 12 validation images right now")

    page.reload()
    expect(panel).to_contain_text(re.compile(r"Epoch \d+ of 900"))
    expect(panel.locator(".js-plotly-plot path.js-line").first).to_be_visible()

    panel.get_by_role("button", name="Stop and keep").click()
    expect(panel).to_contain_text("Test accuracy")
    expect(panel).to_contain_text("stopped")
    (run,) = server.store().runs()
    assert run.status == Status.STOPPED
    assert run.accuracy is not None
    assert run.accuracy > 0.3  # it has learnt something: guessing gives 0.1


def test_the_curves_keep_their_zoom_and_never_blank_while_data_streams(server: Server, page: Page) -> None:
    start_a_long_small_training(page)
    expect(page.locator(".st-key-train-live-panel .js-plotly-plot path.js-line").first).to_be_visible()
    page.wait_for_function("() => document.querySelector('.st-key-train-live-panel .js-plotly-plot').data[0].x.length > 4")
    page.evaluate(WATCH)
    zoomed = zoom_into_the_first_panel(page)
    page.evaluate("() => seen.ends.clear()")
    page.wait_for_function("() => seen.ends.size > 5")  # the point it had, and five ticks more

    seen = page.evaluate(SEEN)
    assert seen["range"] == zoomed
    assert (seen["blank"], seen["replaced"]) == (0, 0), f"of {seen['frames']} frames"
    assert seen["frames"] > 20

    page.get_by_text("Logarithmic loss").click()  # another scale: the zoom is given up, the chart stays the same
    page.wait_for_function("() => seen.node.layout.yaxis.type === 'log' && seen.node.layout.xaxis.autorange")
    assert page.evaluate(SEEN)["replaced"] == 0


def test_two_tabs_that_press_start_at_once_make_two_runs_one_after_the_other(server: Server, new_page: Callable[..., Page]) -> None:
    tabs = [new_page(viewport={"width": 1280, "height": 1000}) for _ in range(2)]
    for tab in tabs:
        tab.goto("/train?preset=quick")
        settle(tab)
    for tab in tabs:
        tab.get_by_role("button", name="Start training").dblclick(no_wait_after=True)
    store = server.store()
    for tab in tabs:
        expect(tab.locator(".st-key-train-live-panel")).to_contain_text("training")
        expect(tab.get_by_text("Waiting: 1")).to_be_visible()
    assert len(store.runs()) == 2  # a double click is one click
    assert (len(store.running()), len(store.queue())) == (1, 1)

    tabs[0].locator("[class*=st-key-train-queue-cancel]").get_by_role("button").click()
    expect(tabs[1].get_by_text("Waiting: 1")).to_be_hidden()
    tabs[1].locator(".st-key-train-live-panel").get_by_test_id("stPopover").get_by_role("button").click()
    tabs[1].get_by_role("button", name="Yes, cancel it").click()
    for tab in tabs:
        expect(tab.locator(".st-key-train-live-panel")).to_contain_text("cancelled")
    assert {run.status for run in store.runs()} == {Status.CANCELLED}
