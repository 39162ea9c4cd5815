"""A sweep in a real browser: begun with a click, watched to its end, its best trial looked at."""

import re

import pytest
from playwright.sync_api import Page, expect

from fmnist.config import TrainConfig
from fmnist.sweep import Sweeps, best
from tests.e2e.conftest import PATIENCE, Server, settle

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]


def test_a_sweep_is_begun_with_a_click_and_shows_its_best_trial_at_the_end(server: Server, page: Page, tiny_config: TrainConfig) -> None:
    """Three trials of a run that is there already, so that a training takes under a second."""
    store = server.store()
    start = store.create(tiny_config, device="mps", name="Where it starts from")  # no worker takes it
    page.goto(f"/sweep?base={start.number}")
    settle(page)
    page.get_by_role("spinbutton", name="How many").fill("3")
    page.get_by_role("spinbutton", name="How many").press("Enter")
    page.get_by_role("textbox", name="Name (optional)").fill("Over lunch")
    page.get_by_role("textbox", name="Name (optional)").press("Enter")
    settle(page)
    page.get_by_role("button", name="Start the sweep").click()
    expect(page).to_have_url(re.compile(r"/sweep\?sweep=1$"))
    panel = page.locator(".st-key-sweep-panel")
    expect(panel).to_contain_text("Over lunch")
    expect(panel).to_contain_text("3 trials done", timeout=3_000 * PATIENCE)
    settle(page)

    sweep = Sweeps(store).find("1")
    winner = best(Sweeps(store).trials(sweep.id))
    assert winner
    assert winner.accuracy
    assert [run.name for run in store.runs()] == ["Over lunch #3", "Over lunch #2", "Over lunch #1", "Where it starts from"]
    expect(panel).to_contain_text(f"{winner.accuracy:.2%}".replace("%", "\N{NO-BREAK SPACE}%"))
    expect(page.get_by_text(f"Trial {winner.number} is the best:")).to_be_visible()
    expect(page.locator(".js-plotly-plot")).to_have_count(1)  # no importance from three trials
    expect(page.get_by_role("group", name="Parallel coordinates of 3 trials")).to_be_visible()
    page.get_by_role("link", name="Open its run").click()
    expect(page).to_have_url(re.compile(f"run={winner.run.id}"))
    expect(page.get_by_role("heading", level=3)).to_have_text(re.compile(f"^{re.escape(winner.run.name)}"))
