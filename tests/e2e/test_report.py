"""A run's report in a real browser, as a colleague opens it: from the disk, without a network and without an error."""

import threading
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from fmnist import data, runner
from fmnist.config import TrainConfig
from fmnist.handover import report
from fmnist.liveness import this_process
from fmnist.run import Run
from fmnist.store import Store

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
EVIL = "<script>document.title='owned'</script>"


@pytest.fixture
def file(home: Path, tiny_config: TrainConfig) -> Path:
    """The report of a run whose name is a script."""
    store = Store()
    made = store.create(tiny_config, device="cpu", name=EVIL)
    claimed = store.claim("cpu", this_process(), made.id)
    assert claimed
    run: Run = runner.train(store, claimed, threading.Event())
    (home / "report.html").write_bytes(report.write(store, run, data.load()))
    store.close()
    return home / "report.html"


def opened(browser: Browser, file: Path, scheme: str, width: int) -> tuple[Page, list[str]]:
    """The page of the report without a network, and all that it complains about or asks for."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True)  # type: ignore[arg-type]
    page, heard = context.new_page(), []
    page.on("console", lambda message: heard.append(message.text))
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.on("request", lambda request: heard.append(request.url) if not request.url.startswith("data:") else None)
    page.goto(file.as_uri())
    return page, heard


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_a_colleague_opens_the_report_offline(scheme: str, width: int, browser: Browser, file: Path) -> None:
    page, heard = opened(browser, file, scheme, width)
    expect(page.get_by_role("heading", level=1)).to_have_text(EVIL)
    expect(page).to_have_title(f"{EVIL} – Fashion-MNIST studio")
    expect(page.get_by_role("img", name="Accuracy: training ends at")).to_be_visible()
    expect(page.locator(".images img")).to_have_count(report.WORST)
    assert page.evaluate("[...document.images].every(image => image.naturalWidth === 28)")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(16, 21, 30)")
    assert heard == [file.as_uri()]
    page.context.close()
