"""The Evaluate page under a mouse, a keyboard and a finger: every click shows exactly the images that the matrix counts."""

import re
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from playwright.sync_api import Locator, Page, expect

from fmnist import data, evaluation, history, outputs, prediction, runner
from fmnist.config import TrainConfig
from fmnist.data import CLASS_NAMES
from fmnist.liveness import this_process
from fmnist.outputs import Outputs
from fmnist.run import Run
from fmnist.store import Store
from tests.e2e.conftest import settle

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
CONFIG = TrainConfig(network="linear", epochs=3, batch_size=64, train_size=900, validation_size=300, device="cpu", precision="float32")
PAGE = 96
SHIRT, COAT, PULLOVER = 6, 4, 2


@pytest.fixture(autouse=True)
def trained(home: Path) -> Run:
    """A run of three epochs, and what it says: all there before the server starts."""
    store = Store()
    run = store.claim("cpu", this_process(), store.create(CONFIG, device="cpu").id)
    assert run
    run = runner.train(store, run, threading.Event())
    store.close()
    return run


@pytest.fixture
def said(trained: Run) -> Outputs:
    """What the run says of the test images; kept, so that the server need not compute it."""
    store = Store()
    found = outputs.get(prediction.load(trained.id, store), "test", data.load())
    store.close()
    return found


def cell(said: Outputs, truth: int, guess: int) -> list[int]:
    return said.indices[(said.labels == truth) & (said.guesses == guess)].tolist()


def mistakes(said: Outputs) -> list[tuple[int, int]]:
    """The cells of wrong answers that fill at most one page."""
    counts = evaluation.confusion_matrix(said.labels, said.guesses)
    return [(truth, guess) for truth in range(10) for guess in range(10) if truth != guess and 1 < counts[truth, guess] <= PAGE]


def button(page: Page, name: str) -> Locator:
    """A button of the matrix by the beginning of its label."""
    return page.get_by_role("grid").get_by_role("button", name=re.compile(f"^{re.escape(name)}"))


def images(page: Page) -> Locator:
    return page.get_by_role("group", name="Arrow keys move, Enter opens one").get_by_role("button")


def shown(page: Page, count: int) -> list[int]:
    """The indices in the gallery, when it has as many."""
    expect(page.get_by_text(re.compile(rf"^{count:,} (mistakes?|right answers?)"))).to_be_visible()
    expect(images(page)).to_have_count(min(count, PAGE))
    return [int(index) for index in images(page).evaluate_all("tiles => tiles.map(tile => tile.dataset.index)")]


def pressed(page: Page) -> str:
    """The label of the button of the matrix that is pressed, once there is one."""
    found = page.get_by_role("grid").locator("[aria-pressed=true]")
    expect(found).to_have_count(1)
    return found.get_attribute("aria-label") or ""


def test_cells_a_header_the_chip_and_the_link_show_what_the_matrix_counts(page: Page, said: Outputs, new_page: Callable[..., Page]) -> None:
    counts = evaluation.confusion_matrix(said.labels, said.guesses)
    page.goto("/evaluate?model=1")
    for truth, guess in mistakes(said)[:: len(mistakes(said)) // 5][:5]:
        count = int(counts[truth, guess])
        page.get_by_role("grid").locator("tbody tr").nth(truth).locator("td button").nth(guess).click()
        expect(page.get_by_text(f"{count:,} of 10,000 images")).to_be_visible()
        assert sorted(shown(page, count)) == cell(said, truth, guess)
        assert re.match(rf"{count} .* taken for {CLASS_NAMES[guess]}$", pressed(page))
    button(page, "All Shirts").click()
    expect(page.get_by_role("button", name="All Shirts", exact=True).first).to_be_visible()
    wrong = int(counts[SHIRT].sum() - counts[SHIRT, SHIRT])
    mine = shown(page, wrong)
    assert set(mine) <= {index for guess in range(10) if guess != SHIRT for index in cell(said, SHIRT, guess)}
    expect(page).to_have_url(re.compile(r"\?model=1&true=shirt$"))
    fresh = new_page(viewport={"width": 1280, "height": 1000})
    fresh.goto(page.url)
    assert shown(fresh, wrong) == mine
    assert pressed(fresh).startswith("All Shirts:")
    fresh.close()
    page.get_by_role("button", name="All Shirts", exact=True).first.click()
    expect(page.get_by_text("Everything below is about all 10,000 images")).to_be_visible()
    expect(page.get_by_role("grid").locator("[aria-pressed=true]")).to_have_count(0)
    expect(page).to_have_url(re.compile(r"\?model=1$"))
    settle(page)


def test_an_opened_image_is_the_one_that_was_clicked_and_the_gallery_is_not_sent_again(page: Page, said: Outputs) -> None:
    frames: list[bytes] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: frames.append(frame if isinstance(frame, bytes) else b"")))
    page.goto("/evaluate?true=shirt&predicted=pullover")
    first = shown(page, len(cell(said, SHIRT, PULLOVER)))[1]
    sheet = images(page).nth(1).locator(".image").evaluate("image => image.style.backgroundImage").encode()[500:800]
    assert any(sheet in frame for frame in frames)
    frames.clear()
    images(page).nth(1).click()
    expect(page.get_by_role("dialog")).to_contain_text(f"Test image {first}")
    settle(page)
    assert frames
    assert not any(sheet in frame for frame in frames)


def test_a_keyboard_chooses_a_cell_an_epoch_and_an_image(page: Page, trained: Run, said: Outputs) -> None:
    past = history.read(trained.id, [1, 2, 3])
    assert past is not None
    labels = data.hold_out(data.load().train, CONFIG)[1].labels
    page.goto("/evaluate?split=validation")
    expect(images(page).first).to_be_visible()
    settle(page)
    tab_to(page, "slider")
    for epoch in (2, 1):
        page.keyboard.press("ArrowLeft")
        expect(page).to_have_url(re.compile(f"epoch={epoch}"))
    then = evaluation.confusion_matrix(labels, past.guesses[0].long())
    coats = int(then[COAT].sum())
    expect(button(page, f"All Coats: {coats}, {coats - int(then[COAT, COAT])} of them taken for something else")).to_have_count(1)
    settle(page)  # what is drawn again would lose the focus
    tab_to(page, "grid")  # the first cell
    for key in ("ArrowDown",) * 4 + ("ArrowRight", "ArrowLeft", "ArrowLeft", "Enter"):
        page.keyboard.press(key)
    expect(page).to_have_url(re.compile("true=coat"))
    wrong = int((past.guesses[0] != labels)[labels == COAT].sum())
    shown(page, wrong)
    expect(images(page).first).to_contain_text(re.compile("is Coat(learnt in epoch [23]|not learnt)"))
    page.keyboard.press("Escape")
    expect(page.get_by_text("Everything below is about all 300 images")).to_be_visible()
    settle(page)
    tab_to(page, "group")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text("Training image")


def tab_to(page: Page, role: str) -> None:
    """Press Tab until something in such a part has the focus."""
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate(_FOCUSED_IN, role):
            return
    pytest.fail(f"no {role} was reached")


_FOCUSED_IN = """role => {
    let focused = document.activeElement
    while (focused?.shadowRoot?.activeElement) focused = focused.shadowRoot.activeElement
    return role === "slider" ? focused.matches("input[type=range], [role=slider]") : !!focused.closest(`[role=${role}]`)
}"""


_SPILLED = """buttons => buttons.filter(button => {
    const box = button.getBoundingClientRect()
    const outside = word => word.left < box.left - 1 || word.right > box.right + 1 || word.top < box.top - 1 || word.bottom > box.bottom + 1
    return [...button.querySelectorAll("span")].map(span => span.getBoundingClientRect()).some(word => word.width && outside(word))
}).map(button => button.ariaLabel)"""


def test_on_a_phone_nothing_overlaps_and_a_tap_chooses(new_page: Callable[..., Page], said: Outputs) -> None:
    page = new_page(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    page.goto("/evaluate")
    expect(images(page).first).to_be_visible()
    settle(page)
    assert page.evaluate("document.scrollingElement.scrollWidth") <= 390
    boxes = (
        page.get_by_role("grid")
        .locator("button")
        .evaluate_all("all => all.map(one => { const {x, y, right, bottom} = one.getBoundingClientRect(); return [x, y, right, bottom] })")
    )
    assert len(boxes) == 120
    assert all(x >= 0 and right <= 390 and right - x >= 20 and bottom - y >= 24 for x, y, right, bottom in boxes)
    corners = torch.tensor(boxes)
    meet = (corners[:, None, :2] < corners[None, :, 2:] - 0.5).all(2)
    assert int((meet & meet.T).sum()) == 120  # each overlaps itself alone
    assert page.get_by_role("grid").locator("button").evaluate_all(_SPILLED) == []
    truth, guess = mistakes(said)[0]
    few = cell(said, truth, guess)
    page.get_by_role("grid").locator("tbody tr").nth(truth).locator("td button").nth(guess).tap()
    assert sorted(shown(page, len(few))) == few
