"""The real server and a real browser. A test that opens a page fails on any error in the console, any request to another host,
any traceback in the server's log and any process that outlives the server."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

from bench.first_page import NO_PROXY
from fmnist.store import Store
from tests.faults.conftest import size  # noqa: F401 - a fixture

ROOT = Path(__file__).resolve().parents[2]
ARGUMENTS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-first-run"]
ARGUMENTS += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
ARGUMENTS += ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]  # a camera that films a test card, and is allowed
PATIENCE = 90.0  # seconds for what needs a worker: a busy machine of two cores is slow


@dataclass(frozen=True)
class Server:
    """A dashboard of its own, with an empty store."""

    url: str
    home: Path
    process: subprocess.Popen[bytes]
    log: Path

    def store(self) -> Store:
        return Store(f"sqlite:///{self.home / 'runs' / 'studio.db'}")


@pytest.fixture
def server(home: Path) -> Iterator[Server]:
    """`streamlit run app.py` on a free port with an empty home; ended politely, and nothing of it may stay."""
    with serving(home, free_port()) as started:
        yield started


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def serving(home: Path, port: int) -> Iterator[Server]:
    """A server on this port until the block ends; it may be killed inside."""
    with running(home, port) as server:
        yield server
    assert "Traceback" not in server.log.read_text(), server.log.read_text()


@contextmanager
def running(home: Path, port: int, *arguments: str) -> Iterator[Server]:
    """`serving`, but a traceback in the log is the caller's affair. Arguments are those of app.py itself."""
    log = home / f"server-{time.time_ns()}.log"
    command = [sys.executable, "-m", "streamlit", "run", "app.py", f"--server.port={port}", "--", *arguments]
    with log.open("wb") as output:
        environment = {**os.environ, "PYTHONFAULTHANDLER": "1"}
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output, start_new_session=True, env=environment)
    try:
        _wait_for_health(f"http://127.0.0.1:{port}", process, log)
        yield Server(f"http://127.0.0.1:{port}", home, process, log)
    finally:
        left = _end(process)
    assert not left, f"these outlived the server: {left}"


def _wait_for_health(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    give_up, last = time.monotonic() + PATIENCE, ""
    while time.monotonic() < give_up and process.poll() is None:
        try:
            with NO_PROXY.open(f"{url}/_stcore/health", timeout=2) as answer:
                if (last := answer.read().decode()) == "ok":
                    return
        except urllib.error.HTTPError as error:
            if error.code == 401:  # it answers, and asks for a login
                return
            last = str(error)
        except OSError as error:
            last = str(error)
        time.sleep(0.1)
    process.send_signal(signal.SIGABRT)  # so that its threads say where they stand
    process.wait()
    pytest.fail(f"the server does not answer ({last}):\n{log.read_text()}")


def _end(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Ask the server to go, then kill what is left of it; returns the workers that had to be killed."""
    children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    process.terminate()
    try:
        process.wait(40)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    _, left = psutil.wait_procs(children, timeout=5)
    for child in left:
        child.kill()
    return left


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        expect.set_options(timeout=PATIENCE * 1000)
        yield opened
        opened.close()


@pytest.fixture
def new_page(browser: Browser, server: Server) -> Iterator[Callable[..., Page]]:
    """Opens a tab of a visitor of their own; options are those of Playwright's new_context (viewport, color_scheme, has_touch)."""
    complaints: list[str] = []
    contexts = []

    def open_page(**options: object) -> Page:
        context = browser.new_context(**{"base_url": server.url, "reduced_motion": "reduce", **options})  # type: ignore[arg-type]
        contexts.append(context)
        context.set_default_timeout(PATIENCE * 1000)
        page = context.new_page()
        page.on("console", lambda message: complaints.extend(_complaint(message)))
        page.on("pageerror", lambda error: complaints.append(f"uncaught: {error}"))
        page.on("request", lambda request: complaints.extend(_foreign(request)))
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints, "\n".join(complaints)


@pytest.fixture
def page(new_page: Callable[..., Page]) -> Page:
    return new_page(viewport={"width": 1280, "height": 1000})


def _complaint(message: ConsoleMessage) -> list[str]:
    """Errors, but for the two addresses that Streamlit tries relative to a deep link before it finds the right ones."""
    tried = re.search(r"/\w+/_stcore/(health|host-config)$", message.location.get("url", ""))
    return [f"console: {message.text} {message.location}"] if message.type == "error" and not tried else []


def _foreign(request: Request) -> list[str]:
    """A request that leaves the machine."""
    address = urlsplit(request.url)
    here = address.scheme in ("data", "blob") or address.hostname in ("127.0.0.1", "localhost")
    return [] if here else [f"request to {request.url}"]


def settle(page: Page) -> None:
    """Wait until the page's script has run to its end, and stop at an error on it."""
    expect(page.locator("[data-testid=stApp][data-test-script-state=notRunning]")).to_be_visible()
    assert page.locator("[data-testid=stException]").all_inner_texts() == []


def until(page: Page, expression: str, argument: object = None) -> None:
    """Wait until JavaScript is true of a page. Playwright's own `wait_for_function` needs eval, which the studio forbids to its pages."""
    give_up = time.monotonic() + PATIENCE
    while not page.evaluate(expression, argument):
        assert time.monotonic() < give_up, f"never true: {expression}"
        page.wait_for_timeout(50)
