"""Logging in with a real browser, without a script and with one; and what the policy of the pages forbids, forbidden by the browser."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import PATIENCE, ROOT, Server, free_port, running, settle

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]
AWAY = "http://127.0.0.1:9/"  # another origin, where nobody listens
LOOKS = [("light", 1280), ("dark", 1280), ("light", 390), ("dark", 390)]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A dashboard on loopback that demands a token."""
    home = tmp_path_factory.mktemp("guarded")
    (home / "data").symlink_to(ROOT / "data")
    with pytest.MonkeyPatch.context() as changed:
        changed.setenv("FMNIST_HOME", str(home))
        with running(home, free_port(), "--token") as server:
            yield server


@pytest.fixture
def token(guarded: Server) -> str:
    (found,) = re.findall(r"\?token=([\w-]+)", guarded.log.read_text())
    return found


def test_the_page_that_asks_for_the_token_fits_and_can_be_read_in_every_look(guarded: Server, browser: Browser) -> None:
    for scheme, width in LOOKS:
        context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 700}, java_script_enabled=False)  # type: ignore[arg-type]
        page, heard = context.new_page(), []
        page.on("console", lambda message, heard=heard: heard.append(message.text))
        page.goto(f"{guarded.url}/runs?run=1")
        expect(page.get_by_role("heading", name="Log in")).to_be_visible()
        expect(page.get_by_label("Token")).to_be_focused()
        box = page.get_by_role("main").bounding_box()
        assert box
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        if folder := os.environ.get("FMNIST_TEST_PICTURES"):
            page.screenshot(path=Path(folder) / f"login-{scheme}-{width}.png")
        assert not [line for line in heard if "401" not in line]
        context.close()


def test_a_wrong_token_is_refused_and_the_right_one_leads_to_the_page_that_was_asked_for_without_a_script(
    guarded: Server, browser: Browser, token: str
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{guarded.url}/compare?runs=1")
    page.get_by_label("Token").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_contain_text("This is not the token")
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Log in").click()
    expect(page).to_have_url(f"{guarded.url}/compare?runs=1")
    expect(page.get_by_role("heading", name="Log in")).not_to_be_attached()
    (cookie,) = [each for each in context.cookies() if each["name"].startswith("fmnist-")]
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["value"] != token) == (True, "Strict", True)
    context.close()


def test_the_address_from_the_terminal_opens_the_dashboard_and_the_token_is_gone_from_it(
    guarded: Server, browser: Browser, token: str
) -> None:
    context = browser.new_context()
    context.set_default_timeout(PATIENCE * 1_000)
    page = context.new_page()
    page.goto(f"{guarded.url}/?token={token}")
    expect(page.get_by_role("heading", level=1, name="Fashion-MNIST studio")).to_be_visible()
    settle(page)
    assert page.url == f"{guarded.url}/"
    assert token not in page.evaluate(
        "document.cookie + document.referrer + performance.getEntriesByType('resource').map(e => e.name).join()"
    )
    context.close()


def test_the_browser_runs_no_foreign_script_and_sends_nothing_away(server: Server, browser: Browser) -> None:
    """What an injected text would try, tried by the test itself in a page of the studio."""
    context = browser.new_context(base_url=server.url)
    page, failed = context.new_page(), {}
    page.on("requestfailed", lambda request: failed.update({request.url: request.failure}))
    page.goto("/")
    settle(page)
    tried = _tried(page)
    assert tried == dict.fromkeys(tried, "forbidden")
    assert {why for url, why in failed.items() if url.startswith(AWAY)} == {"csp"}
    context.close()


def _tried(page: Page) -> dict[str, str]:
    return page.evaluate(
        """async away => {
      const added = (tag, values) => new Promise(done => {
        const element = Object.assign(document.createElement(tag), values)
        element.onload = () => done("allowed")
        element.onerror = () => done("forbidden")
        document.head.append(element)
      })
      const inline = document.createElement("script")
      inline.textContent = "window.canary = 1"
      document.head.append(inline)
      const handler = document.createElement("div")
      handler.setAttribute("onclick", "window.canary = 2")
      document.body.append(handler)
      handler.click()
      setTimeout("window.canary = 3", 0)
      await new Promise(done => setTimeout(done, 200))
      const violated = new Set()
      document.addEventListener("securitypolicyviolation", event => violated.add(event.effectiveDirective))
      const forbidden = async (directive, attempt) => {
        await Promise.race([Promise.resolve(attempt()).catch(() => 0), new Promise(done => setTimeout(done, 1000))])
        for (let look = 0; look < 100 && !violated.has(directive); look++) await new Promise(done => setTimeout(done, 50))
        return violated.has(directive) ? "forbidden" : "allowed"
      }
      const frame = Object.assign(document.createElement("iframe"), { src: away })
      return {
        "a script between tags, in an attribute, in a string": window.canary === undefined ? "forbidden" : `ran ${window.canary}`,
        "a script from elsewhere": await forbidden("script-src-elem", () => added("script", { src: away + "a.js" })),
        "a style from elsewhere": await forbidden("style-src-elem", () => added("link", { rel: "stylesheet", href: away + "a.css" })),
        "a picture from elsewhere": await forbidden("img-src", () => { new Image().src = away + "a.png" }),
        "fetch": await forbidden("connect-src", () => fetch(away, { mode: "no-cors" })),
        "a frame": await forbidden("frame-src", () => document.body.append(frame)),
        "a form": await forbidden("form-action", () => {
          const form = Object.assign(document.createElement("form"), { action: away })
          document.body.append(form)
          form.submit()
        }),
      }
    }""",
        AWAY,
    )
