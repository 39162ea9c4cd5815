"""The Explore page under a mouse, a keyboard and a finger: the lasso holds exactly what lies inside it."""

import csv
import re
import threading
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import torch
from playwright.sync_api import Locator, Page, expect

from fmnist import data, maps, outputs, prediction, runner
from fmnist.config import TrainConfig
from fmnist.data import CLASS_NAMES
from fmnist.liveness import this_process
from fmnist.outputs import Outputs
from fmnist.store import Store
from tests.e2e.conftest import Server, settle

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
CONFIG = TrainConfig(network="mlp", epochs=1, batch_size=64, train_size=1500, validation_size=100, device="cpu", precision="float32")
MARGIN = 22  # px around the points, as in ui/exploration/lasso_map.js
COUNT = 1_000


@pytest.fixture(autouse=True)
def said(home: Path) -> Outputs:
    """What a small run says of the test images, kept before the server starts."""
    store = Store()
    run = store.claim("cpu", this_process(), store.create(CONFIG, device="cpu").id)
    assert run
    found = outputs.get(prediction.load(runner.train(store, run, threading.Event()).id, store), "test", data.load())
    store.close()
    return found


def canvas(page: Page) -> Locator:
    return page.get_by_role("application")


def gallery(page: Page) -> Locator:
    return page.get_by_role("group", name="Arrow keys move, Enter opens one").get_by_role("button")


def places(page: Page, said: Outputs) -> torch.Tensor:
    """Where each image of the sample is on the screen, float64 (COUNT, 2): computed here again."""
    coordinates = maps.principal(said.features[maps.sample(len(said), COUNT)])[0].double()
    low, high = coordinates.amin(0), coordinates.amax(0)
    box = canvas(page).bounding_box()
    assert box
    share = ((coordinates - low) / (high - low) * 10_000).round() / 10_000
    share[:, 1] = 1 - share[:, 1]
    size = torch.tensor([box["width"], box["height"]], dtype=torch.float64)
    return torch.tensor([box["x"], box["y"]], dtype=torch.float64) + MARGIN + share * (size - 2 * MARGIN)


def test_the_lasso_holds_what_lies_inside_and_a_point_shows_and_opens_its_image(page: Page, said: Outputs, tmp_path: Path) -> None:
    page.set_viewport_size({"width": 1280, "height": 1400})
    page.goto(f"/explore?section=map&count={COUNT}")
    expect(canvas(page)).to_be_visible()
    settle(page)
    at, rows = places(page, said), maps.sample(len(said), COUNT)
    alone = int(torch.cdist(at, at).fill_diagonal_(torch.inf).amin(1).argmax())  # the image with most room around it
    page.mouse.move(*at[alone].tolist())
    label, guess = CLASS_NAMES[int(said.labels[rows[alone]])], CLASS_NAMES[int(said.guesses[rows[alone]])]
    card = page.locator(".card")
    expect(card).to_contain_text(f"{label}{'recognised' if label == guess else f'taken for {guess}'}")
    expect(card).to_contain_text(f"Image {int(said.indices[rows[alone]])}")
    assert "data:image/png" in card.locator(".image").evaluate("image => image.style.backgroundImage")
    (left, top), (right, bottom) = (at.amin(0) - 9).tolist(), at.quantile(0.5, dim=0).tolist()
    page.mouse.move(left, top)
    page.mouse.down()
    for x, y in ((right, top), (right, bottom), (left, bottom)):
        page.mouse.move(x, y, steps=4)
    page.mouse.up()
    inside = ((at[:, 0] < right) & (at[:, 1] < bottom)).nonzero()[:, 0]
    expect(page.get_by_text(f"{len(inside)} selected")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as CSV").click()
    download.value.save_as(tmp_path / "selection.csv")
    listed = list(csv.DictReader((tmp_path / "selection.csv").read_text().splitlines()))
    assert [int(row["index"]) for row in listed] == said.indices[rows[inside]].tolist()
    assert [row["predicted"] for row in listed] == [CLASS_NAMES[guess] for guess in said.guesses[rows[inside]].tolist()]
    first = int(said.indices[rows[inside[0]]])
    expect(gallery(page).first).to_have_attribute("data-index", str(first))
    page.get_by_role("button", name="Clear selection").click()
    expect(page.get_by_text("selected,")).to_be_hidden()
    settle(page)
    page.mouse.click(*at[alone].tolist())
    expect(page.get_by_role("dialog")).to_contain_text(f"Test image {int(said.indices[rows[alone]])}")
    settle(page)


def test_the_keyboard_selects_opens_and_turns_to_other_sections_and_tsne_dies_with_the_server(page: Page, server: Server) -> None:
    page.goto(f"/explore?section=map&count={COUNT}")
    expect(canvas(page)).to_be_visible()
    settle(page)
    canvas(page).focus()
    for key in ("ArrowRight", "ArrowLeft", "ArrowUp", "Space"):
        page.keyboard.press(key)
    expect(page.get_by_text("50 selected")).to_be_visible()
    expect(gallery(page)).to_have_count(50)
    canvas(page).focus()
    page.keyboard.press("Escape")
    expect(page.get_by_text("50 selected")).to_be_hidden()
    canvas(page).focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text("Test image")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.get_by_text("t-SNE", exact=True).click()
    page.get_by_role("button", name="Compute the t-SNE map").click()
    expect(page.get_by_text(re.compile(r"Iteration .* of 1,000\. About .* left\."))).to_be_visible()
    page.reload()  # who comes back joins it
    expect(page.get_by_text("What lies side by side")).to_be_visible()
    expect(canvas(page)).to_have_attribute("aria-label", re.compile("^t-SNE map of 1,000 test images"))
    page.goto("/explore?section=map&count=10000&method=tsne")
    page.get_by_role("button", name="Compute the t-SNE map").click()
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    page.get_by_text("Browse", exact=True).click()
    expect(page.get_by_text("60,000 images in the order of the file")).to_be_visible()
    settle(page)
    children = psutil.Process(server.process.pid).children(recursive=True)
    assert any("fmnist.maps" in child.cmdline() for child in children)  # that it is gone afterwards is what the server's fixture sees to


def test_on_a_phone_every_section_fits_and_a_tap_opens_an_image(new_page: Callable[..., Page]) -> None:
    page = new_page(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page.goto("/explore?section=map")
    for section, sign in (
        ("Map", "Circle points"),
        ("Classes", "Pixels in figures"),
        ("Augmentation", "The next epoch"),
        ("Duplicates", "Compare all 70,000 images"),
        ("Typical", "Least typical"),
        ("Browse", "60,000 images"),
    ):
        page.get_by_text(section, exact=True).first.tap()
        expect(page.get_by_text(sign).first).to_be_visible()
        settle(page)
        assert page.evaluate("document.scrollingElement.scrollWidth") <= 390, section
    tile = gallery(page).nth(4)
    tile.tap()
    expect(page.get_by_role("dialog")).to_contain_text("Training image 4")
    settle(page)
