"""The frame around the pages: every address works on a fresh server, in light and dark, on a desk and on a phone."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from fmnist.config import TrainConfig
from fmnist.run import Status
from tests.e2e.conftest import Server, settle

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
PAGES = {
    "/": "Fashion-MNIST studio",
    "/try_it": "Try it",
    "/train": "Train",
    "/runs": "Runs",
    "/compare": "Compare",
    "/sweep": "Sweep",
    "/cluster": "Clusters",
    "/evaluate": "Evaluate",
    "/explore": "Explore",
}  # address -> heading
# Pixels that somebody would have to scroll sideways; Streamlit scrolls an element of its own, not the document.
TOO_WIDE = """() => Math.max(document.scrollingElement.scrollWidth - window.innerWidth,
  ...[...document.querySelectorAll("[data-testid=stMain]")].map(main => main.scrollWidth - main.clientWidth))"""
BACKGROUND = "() => getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor"


@pytest.mark.parametrize("address", PAGES)
def test_a_page_opened_first_on_a_fresh_server_shows_itself_and_the_full_navigation(server: Server, page: Page, address: str) -> None:
    page.goto(address)
    expect(page.get_by_role("heading", level=1, name=PAGES[address], exact=True)).to_be_visible()
    links = page.get_by_test_id("stSidebarNav").get_by_role("link")
    expect(links).to_have_count(len(PAGES))
    assert [link.get_attribute("href") for link in links.all()] == [f"{server.url}{other}" for other in PAGES]
    assert not page.get_by_test_id("stException").all()
    expect(page).to_have_url(f"{server.url}{address}")


def test_every_page_fits_a_desk_and_a_phone_in_light_and_dark(
    server: Server, new_page: Callable[..., Page], tiny_config: TrainConfig
) -> None:
    store = server.store()
    looks = [
        (new_page(viewport=DESK, color_scheme="light"), "rgb(255, 255, 255)"),
        (new_page(viewport=DESK, color_scheme="dark"), "rgb(16, 21, 30)"),
        (new_page(viewport=PHONE, color_scheme="light", has_touch=True), "rgb(255, 255, 255)"),
    ]
    done = store.create(tiny_config, device="cpu", name="A name of some length, as people give them to tell runs apart")
    addresses = {**PAGES, f"/runs?run={done.id}": "Runs"}
    looks[0][0].goto("/train")
    expect(looks[0][0].locator(".st-key-train-live-panel")).to_contain_text("All 2 epochs done")
    assert store.get(done.id).status == Status.FINISHED
    for address, heading in addresses.items():
        for page, background in looks:
            page.goto(address)
            expect(page.get_by_role("heading", level=1, name=heading, exact=True)).to_be_visible()
            settle(page)
            assert page.evaluate(TOO_WIDE) <= 1, f"{address} at {page.viewport_size}"
            assert page.evaluate(BACKGROUND) == background
