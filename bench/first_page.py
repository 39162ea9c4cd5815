"""How soon a person can read the first page: from the moment a fresh server answers to the moment its heading is on the screen."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 5
PATIENCE = 60.0  # seconds
NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # urlopen keeps the proxies of whoever called it first


def run() -> dict[str, Any]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"])
        times = sorted(_once(browser) for _ in range(ROUNDS))
        browser.close()
    up, readable = (median(column) for column in zip(*times, strict=True))
    print(f"server answers after   {up:>5.2f} s")  # noqa: T201
    print(f"first page readable    {readable:>5.2f} s later (median of {ROUNDS} fresh servers and visitors)")  # noqa: T201
    return {"server_seconds": round(up, 2), "readable_seconds": round(readable, 2), "rounds": [[round(v, 2) for v in row] for row in times]}


def _once(browser: Browser) -> tuple[float, float]:
    """Seconds until a fresh server answers, and from then on until the first visitor reads the heading of the first page."""
    begun = time.monotonic()
    with dashboard() as url:
        up = time.monotonic()
        page = browser.new_context().new_page()
        page.goto(url)
        page.get_by_role("heading", level=1, name="Fashion-MNIST studio").wait_for()
        return up - begun, time.monotonic() - up


@contextmanager
def dashboard() -> Iterator[str]:
    """The address of a fresh server with an empty store, which has just answered for the first time."""
    with tempfile.TemporaryDirectory() as home, serving(Path(home)) as url:
        yield url


@contextmanager
def serving(home: Path) -> Iterator[str]:
    """The address of a server whose data, runs and pictures lie in this folder; its store is `store_url(home)`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    lend_data(home)
    command = [sys.executable, "-m", "streamlit", "run", "app.py", f"--server.port={url.rpartition(':')[2]}"]
    environment = {**os.environ, "FMNIST_HOME": str(home), "FMNIST_DB": store_url(home)}
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, env=environment) as server:
        try:
            _until_it_answers(url, server)
            yield url
        finally:
            server.terminate()


def store_url(home: Path) -> str:
    return f"sqlite:///{home / 'runs' / 'studio.db'}"


def lend_data(home: Path) -> None:
    """The dataset of the real home, so that nothing is fetched."""
    from fmnist.home import data_folder

    if data_folder().exists():
        (home / "data").symlink_to(data_folder())


def _until_it_answers(url: str, server: subprocess.Popen[bytes]) -> None:
    give_up = time.monotonic() + PATIENCE
    while time.monotonic() < give_up and server.poll() is None:
        try:
            with NO_PROXY.open(f"{url}/_stcore/health", timeout=2):
                return
        except OSError:
            time.sleep(0.02)
    raise TimeoutError(f"the server at {url} does not answer" + ("" if server.poll() is None else f": it ended with {server.poll()}"))
