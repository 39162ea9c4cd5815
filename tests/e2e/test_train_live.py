"""The Train page in a real browser, with real small trainings that are started by clicking."""

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from fmnist.config import TrainConfig
from fmnist.run import Status
from fmnist.store import Store
from tests.e2e.conftest import Server, serving, settle, until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
EPOCHS = 60  # of the training whose server is killed: fast machines take five seconds for twelve, and the page must see the middle
LAST_POINT = "() => document.querySelector('.st-key-train-live-panel .js-plotly-plot')?.data[0].x.at(-1)"

# Counts what somebody who stares at the curves would see: frames without curves, other nodes, and every new last point.
WATCH = """() => {
  const node = document.querySelector(".st-key-train-live-panel .js-plotly-plot")
  window.seen = { since: performance.now(), frames: 0, blank: 0, replaced: 0, ends: new Set(), node }
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


def start_a_long_small_training(page: Page) -> None:
    """The small network on 1,500 of 2,000 images, for so many epochs that the test decides when it ends."""
    page.goto("/train?preset=quick")
    page.get_by_role("tab", name="Data").click()
    for label, value in (("Training images", 2_000), ("Validation images", 500), ("Epochs", 900)):
        field = page.get_by_label(label, exact=True)
        field.fill(str(value))
        field.press("Tab")
        settle(page)
    page.get_by_role("button", name="Start training").click()


def zoom_into_the_first_panel(page: Page) -> list[float]:
    """Drag over a part of the first curve; returns the range that is shown then."""
    area = page.locator(".st-key-train-live-panel .js-plotly-plot .nsewdrag[data-subplot=xy]").bounding_box()
    assert area
    page.mouse.move(area["x"] + area["width"] * 0.2, area["y"] + area["height"] * 0.3)
    page.mouse.down()
    page.mouse.move(area["x"] + area["width"] * 0.6, area["y"] + area["height"] * 0.31, steps=6)
    page.mouse.up()
    until(page, "() => !seen.node.layout.xaxis.autorange")
    return page.evaluate(SEEN)["range"]


def watch_a_zoom(page: Page) -> None:
    """Over five ticks: the same node, no frame without curves, the range that the person chose."""
    page.evaluate(WATCH)
    zoomed = zoom_into_the_first_panel(page)
    page.evaluate("() => { seen.ends.clear(); seen.since = performance.now() }")
    until(page, "() => seen.ends.size > 5")  # the point it had, and five ticks more
    assert page.evaluate("() => performance.now() - seen.since") < 30_000  # a tick a second, on a machine that trains at the same time
    seen = page.evaluate(SEEN)
    assert seen["range"] == zoomed
    assert (seen["blank"], seen["replaced"]) == (0, 0), f"of {seen['frames']} frames"
    assert seen["frames"] > 20
    page.get_by_text("Logarithmic loss").click()  # another scale: the zoom is given up, the chart stays the same
    until(page, "() => seen.node.layout.yaxis.type === 'log' && seen.node.layout.xaxis.autorange")
    assert page.evaluate(SEEN)["replaced"] == 0


def test_a_training_is_started_watched_zoomed_into_reloaded_and_stopped(server: Server, page: Page) -> None:
    start_a_long_small_training(page)
    panel = page.locator(".st-key-train-live-panel")
    expect(panel).to_contain_text(re.compile("Starting|Checking the images|Testing what|Epoch"))
    expect(panel).to_contain_text(re.compile(r"Epoch (?!1 |2 )\d+ of 900"))  # two epochs are done
    expect(panel).to_contain_text("How it sees these 12 validation images right now")
    expect(panel.locator(".js-plotly-plot path.js-line").first).to_be_visible()
    watch_a_zoom(page)

    (before,) = server.store().runs()
    page.reload()
    expect(panel.get_by_role("heading", name=before.name, exact=True)).to_be_visible()
    expect(panel.locator(".js-plotly-plot path.js-line").first).to_be_visible()
    until(page, f"last => ({LAST_POINT})() > last", page.evaluate(LAST_POINT))  # it still grows

    panel.get_by_role("button", name="Stop and keep").click()
    expect(panel).to_contain_text("Test accuracy")
    expect(panel).to_contain_text("stopped")
    (run,) = server.store().runs()
    assert (run.id, run.status) == (before.id, Status.STOPPED)
    assert run.accuracy is not None
    assert run.accuracy > 0.3  # it has learnt something: guessing gives 0.1


def test_two_tabs_that_press_start_at_once_make_two_runs_one_after_the_other(server: Server, new_page: Callable[..., Page]) -> None:
    tabs, store = [new_page(viewport={"width": 1280, "height": 1000}) for _ in range(2)], server.store()
    for tab in tabs:
        tab.goto("/train?preset=quick")
        settle(tab)
    with counting_the_running(store) as counts:
        for tab in tabs:
            tab.get_by_role("button", name="Start training").dblclick(no_wait_after=True)
        for tab in tabs:
            expect(tab.locator(".st-key-train-live-panel")).to_contain_text("training")
            expect(tab.get_by_text("Waiting: 1")).to_be_visible()
        assert [run.status for run in store.runs()] == [Status.QUEUED, Status.RUNNING]  # a double click is one click
        second, first = store.runs()

        cancel_the_one_that_runs(tabs[1])
        for tab in tabs:
            expect(tab.get_by_text("Waiting: 1")).to_be_hidden()
            expect(tab.locator(".st-key-train-live-panel").get_by_role("heading", name=second.name, exact=True)).to_be_visible()
        expect(tabs[0].locator(".st-key-train-live-panel")).to_contain_text("training")
        cancel_the_one_that_runs(tabs[0])
        for tab in tabs:
            expect(tab.locator(".st-key-train-live-panel")).to_contain_text("cancelled")
    assert {run.id: run.status for run in store.runs()} == {first.id: Status.CANCELLED, second.id: Status.CANCELLED}
    assert max(counts) == 1


def cancel_the_one_that_runs(page: Page) -> None:
    page.locator(".st-key-train-live-panel").get_by_test_id("stPopoverButton").filter(has_text="Cancel").click()
    page.get_by_role("button", name="Yes, cancel it").click()


@contextmanager
def counting_the_running(store: Store) -> Iterator[list[int]]:
    """How many runs were running, looked up twenty times a second as long as the block lasts."""
    counts, over = [], threading.Event()

    def look() -> None:
        while not over.wait(0.05):
            counts.append(len(store.running()))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield counts
    finally:  # or a failed test would leave the thread, and pytest would never end
        over.set()
        thread.join()


def test_the_learning_rate_of_a_training_is_changed_then_it_is_trained_again_with_that_and_longer(server: Server, page: Page) -> None:
    store = server.store()
    config = TrainConfig(network="small", epochs=900, train_size=2_000, validation_size=500, device="cpu")
    run = store.create(config, device="cpu", name="The first")
    page.goto("/train")
    panel = page.locator(".st-key-train-live-panel")
    expect(panel).to_contain_text(re.compile(r"Epoch (?!1 )\d+ of 900"))
    panel.get_by_role("button", name="Learning rate").click()
    field = page.get_by_label("New learning rate")
    field.fill("0.0003")
    field.press("Tab")
    page.get_by_role("button", name="Change it").click()
    expect(panel).to_contain_text(re.compile(r"Learning rate: 0\.001 at first, 0\.0003 since step"))
    until(page, "() => document.querySelector('.st-key-train-live-panel .js-plotly-plot').layout.shapes.length === 4")  # panels
    [(step, factor)] = store.get(run.id).rate_changes
    assert factor == pytest.approx(0.3)
    page.keyboard.press("Escape")
    panel.get_by_role("button", name="Stop and keep").click()
    expect(panel).to_contain_text("Test accuracy")
    after = [point.learning_rate for point in store.steps(run.id) if point.step > step]
    assert after
    assert after == pytest.approx([3e-4] * len(after))

    panel.get_by_role("button", name="Train again with…").click()
    expect(page).to_have_url(re.compile(r"/train\?from=1$"))
    epochs = page.get_by_label("Epochs", exact=True)
    expect(epochs).to_have_value("900")
    epochs.fill("1")
    epochs.press("Tab")
    expect(page.get_by_text("Changed from The first: Epochs 900 → 1")).to_be_visible()
    page.get_by_role("button", name="Start training").click()
    expect(panel.get_by_role("heading", name="Run 2", exact=True)).to_be_visible()
    expect(panel).to_contain_text("All 1 epochs done")
    second = store.find("2")
    assert second.origin == run.id
    assert second.config == config.model_copy(update={"epochs": 1})

    panel.get_by_role("link", name="Open in Runs").click()
    expect(page.get_by_text("Made from")).to_be_visible()
    page.get_by_role("button", name="Train longer").click()
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_text("Goes on from")).to_be_visible()
    expect(page.locator(".st-key-runs-panel")).to_contain_text("All 2 epochs done")
    third = store.find("3")
    assert (third.origin, third.continues, third.epoch) == (second.id, second.step, 2)


def test_a_training_goes_on_after_its_server_was_killed_and_started_again(server: Server, browser: Browser) -> None:
    store = server.store()
    config = TrainConfig(network="small", epochs=EPOCHS, train_size=2_000, validation_size=500, device="cpu")
    run = store.create(config, device="cpu")
    page = browser.new_page(base_url=server.url)  # its console may complain: it loses its server
    page.goto("/train")
    panel = page.locator(".st-key-train-live-panel")
    expect(panel).to_contain_text(re.compile(rf"Epoch (?!1 )\d+ of {EPOCHS}"))

    server.process.kill()
    server.process.wait()
    epoch_of_death = store.get(run.id).epoch
    port = urlsplit(server.url).port or 0
    with socket.create_server(("127.0.0.1", port)):
        pass  # nobody holds the port any more

    with serving(server.home, port):
        expect(panel).to_contain_text(f"All {EPOCHS} epochs done")  # the same tab, which nobody reloaded
        expect(panel).to_contain_text("Test accuracy")
        page.close()
    after = store.get(run.id)
    assert (after.status, after.step) == (Status.FINISHED, config.total_steps)
    assert epoch_of_death < EPOCHS  # it was in the middle
    assert [epoch.epoch for epoch in store.epochs(run.id)] == list(range(1, EPOCHS + 1))  # none twice, none left out
    assert after.accuracy is not None
    assert after.accuracy > 0.3
