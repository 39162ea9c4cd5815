"""From an empty dashboard to a training on a real Ray cluster of two nodes, by clicks alone, watched live to its end."""

import re

import pytest
from playwright.sync_api import Page, expect

from fmnist.run import Status
from fmnist.trial_cluster import TrialCluster
from tests.e2e.conftest import Server, settle

pytestmark = [pytest.mark.ray, pytest.mark.browser, pytest.mark.timeout(1800)]
PATIENCE = 600_000  # milliseconds: a job on two busy cores begins with several imports of PyTorch


def test_submitted_from_the_dashboard_and_watched_live(server: Server, page: Page, trial_cluster: TrialCluster) -> None:
    page.goto("/cluster")
    settle(page)
    page.get_by_role("textbox", name="Name", exact=True).fill("lab")
    page.get_by_role("textbox", name="Address", exact=True).fill(trial_cluster.address)
    page.get_by_role("textbox", name="Storage", exact=True).fill(str(trial_cluster.storage))
    page.get_by_role("textbox", name="Token", exact=True).fill(trial_cluster.token_file.read_text().strip())
    page.get_by_role("button", name="Add the cluster").click()
    expect(page.get_by_text(re.compile(r"Ray 2\.\d+.*; 2 nodes, .* of 4 CPUs"))).to_be_visible(timeout=PATIENCE)

    page.goto("/train?preset=quick")
    settle(page)
    page.get_by_label("Epochs", exact=True).fill("3")
    page.get_by_label("Epochs", exact=True).press("Enter")
    settle(page)
    page.get_by_role("combobox", name="Where to run").click()
    page.get_by_role("option", name="lab").click()
    expect(page.get_by_text("It will run on lab")).to_be_visible()
    page.get_by_role("button", name="Start training").click()
    panel = page.locator(".st-key-train-live-panel")
    expect(panel.get_by_text("On lab")).to_be_visible()
    expect(panel.get_by_text("Training loss now")).to_be_visible(timeout=PATIENCE)  # the first point came home
    expect(panel.get_by_text("All 3 epochs done")).to_be_visible(timeout=PATIENCE)
    [run] = server.store().runs()
    assert run.status == Status.FINISHED
    assert run.accuracy is not None

    page.goto("/cluster")
    expect(page.get_by_text("Jobs: ")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("succeeded").first).to_be_visible()  # the newest job is the first; other tests had theirs there, too
    assert trial_cluster.token_file.read_text().strip() not in page.content()
