"""One image opened from a gallery in a real browser: what only a browser shows of the panel."""

import re

import pytest
from playwright.sync_api import Page, expect

from fmnist.checkpoint import save
from fmnist.config import TrainConfig
from fmnist.events import Epoch
from fmnist.run import Process, Status
from fmnist.store import Store
from fmnist.train_state import TrainState
from tests.e2e.conftest import Server, settle

pytestmark = pytest.mark.browser
CONFIG = TrainConfig(network="linear", epochs=1, batch_size=64, train_size=600, validation_size=100, device="cpu")


@pytest.fixture
def run_number(server: Server) -> int:
    """A finished run with weights that have learnt nothing: nearly everything it says is wrong."""
    store = server.store()
    run = store.create(CONFIG, device="cuda", name="Knows nothing")  # the queue of a device that is not here: nobody begins it
    try:
        return _finish(store, run.id)
    finally:
        store.close()


def _finish(store: Store, run_id: str) -> int:
    assert store.claim("cuda", Process(pid=4321, started=1_700_000_000.0), run_id)
    training = TrainState(CONFIG)
    training.step = CONFIG.total_steps
    saved = save(run_id, training)
    store.commit(run_id, saved, Epoch(1, training.step, 1.0, 2.3, 0.1, 2.3, 0.1, 1e-3, 600.0))
    store.end(run_id, Status.FINISHED, accuracy=0.1, loss=2.3)
    return store.get(run_id).number


def test_an_image_is_opened_its_neighbours_come_by_themselves_and_other_sections_do_not_wait(
    server: Server, run_number: int, page: Page
) -> None:
    page.goto(f"/evaluate?model={run_number}")
    page.get_by_role("group").get_by_role("button", name="predicted").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("Grad-CAM and HiResCAM need a convolution")).to_be_visible()
    dialog.get_by_role("radio", name="Nearest").click()
    expect(dialog.locator(".fm-thumbs figure")).to_have_count(10)
    dialog.get_by_role("radio", name="Models").click()
    expect(dialog.get_by_role("cell", name="Knows nothing")).to_be_visible()
    expect(dialog.locator(".fm-thumbs")).to_have_count(0)
    expect(dialog).to_be_visible()


def test_a_row_of_a_table_opens_its_image_once(server: Server, run_number: int, page: Page) -> None:
    page.goto(f"/evaluate?model={run_number}&table=true&sort=index")
    table = page.get_by_test_id("stDataFrame").last
    index = table.locator("#glide-cell-1-2")  # of the third row, in what the grid keeps for screen readers
    expect(index).to_be_attached()
    table.locator("canvas").first.click(position={"x": 16, "y": 35 + 2 * 35 + 17}, force=True)  # its box
    expect(page.get_by_role("dialog")).to_contain_text(f"Test image {index.inner_text().replace(',', '')}")
    settle(page)
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.get_by_role("radio", name="loss").click()
    expect(page).to_have_url(re.compile("sort=loss"))
    settle(page)
    expect(page.get_by_role("dialog")).to_be_hidden()
