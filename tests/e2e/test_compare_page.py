"""Three runs side by side under a mouse and a keyboard: one address, another axis, a line taken away, runs picked on an axis."""

import re
import threading
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from fmnist import data, outputs, prediction, runner
from fmnist.config import TrainConfig
from fmnist.liveness import this_process
from fmnist.run import Run
from fmnist.store import Store
from tests.e2e.conftest import settle

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
CONFIG = TrainConfig(network="linear", epochs=3, batch_size=64, train_size=900, validation_size=300, device="cpu", precision="float32")


@pytest.fixture(autouse=True)
def three(home: Path) -> list[Run]:
    """Two seeds and another learning rate, trained and judged before the server starts."""
    store, images = Store(), data.load()
    made = []
    for changes in ({}, {"seed": 1}, {"learning_rate": 1e-4}):
        run = store.claim("cpu", this_process(), store.create(CONFIG.model_copy(update=changes), device="cpu").id)
        assert run
        made.append(runner.train(store, run, threading.Event()))
        outputs.get(prediction.load(run.id, store), "test", images)
    store.close()
    return made


def chart(page: Page) -> Locator:
    return page.locator(".fm-curves .js-plotly-plot")


def lines(page: Page) -> Locator:
    """The lines that are drawn in the panel of the accuracy."""
    return chart(page).locator(".xy .scatterlayer .trace .js-line")


def axis_title(page: Page) -> Locator:
    return chart(page).locator(".xtitle").first


def test_a_link_shows_the_verdict_the_curves_and_the_differences_and_keeps_what_is_chosen(page: Page) -> None:
    page.goto("/compare?runs=1,2,3")
    settle(page)
    expect(page.get_by_text(re.compile(r"^Run 1 \(2 seeds\) (is better|and Run 3)|^Run 3 and"))).to_be_visible()
    expect(page.get_by_text("Another seed moves a run by")).to_be_visible()
    table = page.get_by_test_id("stDataFrame")
    table.scroll_into_view_if_needed()
    for row, name in ((1, "Learning rate"), (2, "Seed"), (3, "Test accuracy")):  # what differs, then the figures
        expect(table.locator(f"#glide-cell-0-{row}")).to_have_text(name)
    expect(lines(page)).to_have_count(3)
    expect(axis_title(page)).to_have_text("epoch")

    page.get_by_role("radio", name="Seconds").click()
    expect(axis_title(page)).to_have_text("seconds")
    expect(page).to_have_url(re.compile("x=seconds"))
    page.get_by_role("radio", name="Mean ± SD").click()
    expect(lines(page)).to_have_count(3)  # a band, its mean, and the single run
    expect(page.get_by_role("button", name="Run 1 (2 seeds)")).to_be_visible()
    page.get_by_role("button", name="Run 3", exact=True).click()
    expect(lines(page)).to_have_count(2)
    expect(page.get_by_role("button", name="Run 3", exact=True)).to_have_attribute("aria-pressed", "false")

    page.reload()
    settle(page)
    expect(axis_title(page)).to_have_text("seconds")
    expect(lines(page)).to_have_count(3)


def test_runs_are_picked_by_a_drag_along_an_axis_and_by_the_keyboard_and_then_kept(page: Page) -> None:
    page.goto("/compare?runs=1,2,3&section=connections")
    settle(page)
    rate = page.get_by_role("group", name=re.compile("^Learning rate: drag"))
    expect(rate).to_be_visible()
    rate.scroll_into_view_if_needed()
    box = rate.locator(".reach").bounding_box()
    assert box
    middle = box["x"] + box["width"] / 2
    page.mouse.move(middle, box["y"] + 2)
    page.mouse.down()
    page.mouse.move(middle, box["y"] + box["height"] / 3, steps=4)
    page.mouse.up()
    expect(page.get_by_text("2 of 3 picked: Run 1, Run 2").first).to_be_visible()
    rate.press("Escape")
    expect(page.get_by_role("button", name="Compare only these")).to_have_count(0)
    rate.press("ArrowDown")  # the lowest quarter
    expect(page.get_by_text("1 of 3 picked: Run 3").first).to_be_visible()
    page.get_by_role("button", name="Compare only these").click()
    expect(page).to_have_url(re.compile(r"runs=3(&|$)"))
    expect(page.get_by_text("These runs do not differ in any setting.")).to_be_visible()
    page.go_back()  # nothing was lost
    expect(page).to_have_url(re.compile("runs=1(,|%2C)2(,|%2C)3"))
    expect(lines(page)).to_have_count(3)
