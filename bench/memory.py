"""What the studio takes: memory of the dashboard at rest, of a further browser session, of a training; how long a light import takes.

The dashboard's server and the worker are the real ones, each with an empty store; Linux counts for them.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from playwright.sync_api import Browser, sync_playwright

from bench.first_page import ROOT, dashboard, lend_data

SESSIONS = 5
PATIENCE = 180_000  # ms: PyTorch is imported among it
REST_SECONDS = 3.0  # after the last thing that happened
QUEUE = """
from fmnist.config import preset
from fmnist.store import Store
Store().create(preset("reference").model_copy(update={"epochs": 2, "train_size": 6_400}), device="cpu")
"""  # two short epochs, so that evaluations and checkpoints are in it; all 70,000 images are in memory as ever
IMPORTS = {"python": ["-c", ""], "fmnist.config": ["-c", "import fmnist.config"], "python -m fmnist --help": ["-m", "fmnist", "--help"]}
IMPORT_ROUNDS = 7


def run() -> dict[str, Any]:
    result = {"dashboard": _dashboard(), "training": _training(), "import_seconds": _imports()}
    rest = result["dashboard"]["at_rest"]
    print(f"dashboard at rest, a model loaded {rest['rss_mb']:>6.0f} MB ({rest['pss_mb']:.0f} MB of it its own share)")  # noqa: T201
    print(f"each further browser session      {result['dashboard']['session_mb']:>6.1f} MB (mean of {SESSIONS})")  # noqa: T201
    print(f"training of the reference network {result['training']['peak_mb']:>6.0f} MB at most")  # noqa: T201
    for name, seconds in result["import_seconds"].items():
        print(f"{name:<33} {seconds:>6.2f} s (median of {IMPORT_ROUNDS})")  # noqa: T201
    return result


def _dashboard() -> dict[str, Any]:
    """The server's memory in MB: with one visitor who was answered once, and with as many more as SESSIONS, who were answered too."""
    with sync_playwright() as playwright, dashboard() as url:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"])
        server = server_process(url)
        _visit(browser, url)
        _visit(browser, url)  # what the first visitor alone needs is there, and what a second needs too
        rest, later = _memory(server), []
        for _ in range(SESSIONS):
            _visit(browser, url)
            later.append(_memory(server))
        browser.close()
    return {"at_rest": rest, "later": later, "session_mb": round((later[-1]["pss_mb"] - rest["pss_mb"]) / SESSIONS, 2)}


def server_process(url: str) -> psutil.Process:
    """The process that answers at an address."""
    port = f"--server.port={url.rpartition(':')[2]}"
    return next(child for child in psutil.Process().children() if port in child.cmdline())


def _visit(browser: Browser, url: str) -> None:
    """A visitor of the Try page who draws a line and reads the answer, and then stays."""
    page = browser.new_context(viewport={"width": 1280, "height": 1300}).new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(f"{url}/try_it")
    canvas = page.locator("canvas.upper-canvas")
    canvas.wait_for()
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
    box = canvas.bounding_box()
    assert box
    page.mouse.move(box["x"] + 100, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 300, steps=8)
    page.mouse.up()
    page.locator(".fm-says h3").wait_for()


def _memory(process: psutil.Process) -> dict[str, float]:
    """What a process holds once it rests; PSS counts what it shares with others in parts."""
    time.sleep(REST_SECONDS)
    counted = process.memory_full_info()
    return {"rss_mb": round(counted.rss / 1e6, 1), "pss_mb": round(counted.pss / 1e6, 1)}


def _training() -> dict[str, Any]:
    """The most that a worker holds until it has trained and evaluated some short epochs."""
    with tempfile.TemporaryDirectory() as home:
        lend_data(Path(home))
        environment = {**os.environ, "FMNIST_HOME": home}
        subprocess.run([sys.executable, "-c", QUEUE], cwd=ROOT, env=environment, check=True)
        with subprocess.Popen([sys.executable, "-m", "fmnist.worker", "--device", "cpu"], cwd=ROOT, env=environment) as worker:
            peak = 0
            while worker.poll() is None:
                peak = max(peak, _most_bytes(worker.pid))
                time.sleep(0.05)
        listed = subprocess.run(
            [sys.executable, "-m", "fmnist", "runs", "--json"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True
        )
    (trained,) = json.loads(listed.stdout)["runs"]
    if trained["status"] != "finished":
        raise RuntimeError(f"The training is {trained['status']}: {trained['message']}")
    return {"peak_mb": round(peak / 1e6, 1), "config": trained["config"]}


def _most_bytes(process: int) -> int:
    """The most that a process has held so far, as the kernel counts it; 0 when it has just ended."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    return 1024 * int(found[1]) if found else 0


def _imports() -> dict[str, float]:
    """Seconds of a fresh process, Python's own start among them."""
    return {name: round(median(_seconds(*words) for _ in range(IMPORT_ROUNDS)), 3) for name, words in IMPORTS.items()}


def _seconds(*words: str) -> float:
    begun = time.perf_counter()
    subprocess.run([sys.executable, *words], cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begun
