"""The table of runs under a mouse and a keyboard; names that try to be more than names; what is done to ticked rows."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from fmnist.config import TrainConfig
from fmnist.run import Request, Run, folder
from fmnist.store import Store
from tests.e2e.conftest import Server, settle

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
EVIL = "![x](http://evil.example/x.png) http://evil.example <b>b</b>"
CHECKBOX, NAME, HEAD, ROW = 16, 33 + 50 + 60, 35, 35  # pixels: where the boxes and the names stand, and how high head and rows are


@pytest.fixture
def runs_store(server: Server) -> Iterator[Store]:
    """The store of the server."""
    opened = Store(f"sqlite:///{server.home / 'runs' / 'studio.db'}")
    yield opened
    opened.close()


@pytest.fixture
def two(runs_store: Store, tiny_config: TrainConfig) -> list[Run]:
    """Two runs that nobody will train, in the order of the table: the newest first."""
    made = [runs_store.create(tiny_config, device="mps", name=name) for name in ("A plain name", EVIL)]
    return [runs_store.ask(run.id, Request.CANCEL) for run in reversed(made)]


def canvas(page: Page) -> Locator:
    return page.get_by_test_id("stDataFrame").locator("canvas").first


def cell(page: Page, row: int) -> Locator:
    """The first cell of a row in the table that the grid keeps for screen readers; the active cell has the focus."""
    return page.locator(f"#glide-cell-1-{row}")


def click_in_table(page: Page, row: int, x: int) -> None:
    """Click into a row of the table, which is a canvas."""
    expect(cell(page, row)).to_be_attached()  # the grid takes clicks from here on
    canvas(page).click(position={"x": x, "y": HEAD + ROW * row + ROW // 2}, force=True)  # the grid listens on a layer above


def expect_run(page: Page, run: Run) -> None:
    expect(page).to_have_url(re.compile(f"run={run.id}"))
    expect(page.get_by_role("heading", level=3)).to_have_text(re.compile(f"^{re.escape(run.name)}"))
    settle(page)


def test_a_name_in_the_table_opens_its_run_and_never_becomes_a_link_or_a_picture(server: Server, two: list[Run], page: Page) -> None:
    for address in ("/", "/train", "/runs"):
        page.goto(address)
        settle(page)
        assert page.locator("a[href*=evil], img[src*=evil]").count() == 0
    click_in_table(page, 0, NAME)
    heading = page.get_by_role("heading", level=3)
    expect(page).to_have_url(re.compile(f"run={two[0].id}"))
    expect(heading).to_be_visible()
    assert heading.inner_text().replace("\N{WORD JOINER}", "").strip() == EVIL
    assert page.locator("a[href*=evil], img[src*=evil]").count() == 0


def open_ticked(page: Page) -> None:
    page.locator(".st-key-runs-bulk-open").get_by_role("button").click()  # by its key: a list that is closed has a button "Open", too


def search(page: Page, words: str) -> None:
    field = page.get_by_role("textbox", name="Search")
    field.fill(words)
    field.press("Enter")


def test_a_row_is_ticked_by_mouse_and_keyboard_and_the_search_outlives_a_look_at_the_run(
    server: Server, two: list[Run], page: Page
) -> None:
    page.goto("/runs?search=plain")
    settle(page)
    click_in_table(page, 0, CHECKBOX)
    open_ticked(page)
    expect_run(page, two[1])
    page.get_by_role("button", name="All runs", exact=True).click()
    expect(page).to_have_url(re.compile(r"/runs\?search=plain$"))
    expect(page.get_by_text("1 of 2 runs")).to_be_visible()
    search(page, "")
    expect(page.get_by_text("2 of 2 runs")).to_be_visible()
    expect(cell(page, 1)).to_be_attached()  # the row is back
    canvas(page).focus()
    expect(cell(page, 0)).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(cell(page, 1)).to_be_focused()  # the grid moves after its next frame
    page.keyboard.press("Shift+Space")
    open_ticked(page)
    expect_run(page, two[1])


def test_two_runs_are_tagged_found_by_the_tag_after_a_reload_deleted_and_brought_back(
    server: Server, runs_store: Store, two: list[Run], page: Page
) -> None:
    for run in two:
        folder(run).mkdir(parents=True)
    page.goto("/runs")
    settle(page)
    for row in (0, 1):
        click_in_table(page, row, CHECKBOX)
        expect(page.get_by_text(f"{row + 1} ticked")).to_be_visible()
    page.get_by_test_id("stPopoverButton").filter(has_text="Tag").click()
    page.get_by_role("combobox", name="Tags").fill("lunch")
    page.keyboard.press("Enter")
    for row in (0, 1):
        expect(page.locator(f"#glide-cell-4-{row}")).to_contain_text("lunch")  # the fourth column; saved without another click
    assert [run.tags for run in runs_store.runs()] == [("lunch",), ("lunch",)]
    page.keyboard.press("Escape")  # the list of tags
    page.keyboard.press("Escape")  # the popover, behind which the rest of the page cannot be reached
    expect(page.get_by_role("combobox", name="Tags")).to_be_hidden()

    search(page, "tag=lunch status=cancelled")
    expect(page.get_by_text("where has the tag lunch and status is cancelled")).to_be_visible()
    page.reload()
    expect(page.get_by_role("textbox", name="Search")).to_have_value("tag=lunch status=cancelled")
    expect(page.get_by_text("2 of 2 runs")).to_be_visible()

    settle(page)
    for row in (0, 1):
        click_in_table(page, row, CHECKBOX)
        expect(page.get_by_text(f"{row + 1} ticked")).to_be_visible()
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text("No run fits")).to_be_visible()
    assert runs_store.runs() == []
    page.get_by_role("button", name=re.compile("^Undo: 2 runs deleted")).click()
    expect(page.get_by_text("2 of 2 runs")).to_be_visible()
    assert [run.id for run in runs_store.runs()] == [run.id for run in two]
    assert all(folder(run).exists() for run in two)
