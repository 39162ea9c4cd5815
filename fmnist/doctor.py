"""What is wrong with this installation, and what to do about it."""

import importlib.metadata
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from fmnist import strays
from fmnist.errors import FmnistError, StoreError
from fmnist.home import home, runs_folder
from fmnist.run import Status
from fmnist.store import Store

LIBRARIES = ("torch", "torchvision", "streamlit", "plotly", "pandas", "sqlalchemy", "safetensors")
ROOM_BYTES = 1_000_000_000  # ten epochs of checkpoints take 0.1 GB


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    well: bool
    words: str


def examine() -> Iterator[Finding]:
    """Look at one thing after the other; none of them stops the others."""
    checks: dict[str, Callable[[], str]] = {
        "Python": _python,
        "Libraries": _libraries,
        "Compute": _compute,
        "Images": _images,
        "Run store": _store,
        "Disk": _disk,
        "Dashboard": _dashboard,
        "Bundled model": _bundled,
    }
    for what, check in checks.items():
        try:
            yield Finding(what, True, check())
        except (FmnistError, OSError, ImportError) as error:
            yield Finding(what, False, str(error))


def _python() -> str:
    if sys.version_info < (3, 11):  # noqa: UP036 - a person may start it with any Python
        raise ImportError(f"Python {sys.version.split()[0]} is too old: 3.11 or later is needed.")
    return sys.version.split()[0]


def _libraries() -> str:
    found = []
    for name in LIBRARIES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            raise ImportError(f"{name} is not installed. Run `make setup`, or `pip install -r requirements.txt`.") from None
    import torchvision  # noqa: F401 - a torch of another build breaks exactly here

    return ", ".join(found)


def _compute() -> str:
    from fmnist import device

    where = device.resolve("auto")
    device.prepare(where)
    precision = device.choose_precision("auto", "reference", 64, where)
    return f"{device.describe(where)['name']} ({where}); {precision.name}: {precision.reason}"


def _images() -> str:
    from fmnist import data

    return f"70,000 images, every hash right, from {data.load().source}"


def _store() -> str:
    store = Store()
    store.database.check()
    runs = store.runs()
    damaged = [run.name for run in runs if run.damage]
    if lost := strays.find(store):
        raise StoreError(strays.words(lost))
    words = f"{len(runs)} runs, {sum(run.status == Status.RUNNING for run in runs)} being trained"
    return words + (f"; damaged: {', '.join(damaged[:5])}" if damaged else "")


def _disk() -> str:
    folder = runs_folder() if runs_folder().exists() else home()
    free = shutil.disk_usage(folder).free
    if free < ROOM_BYTES:
        raise OSError(f"Only {free / 1e9:.1f} GB are free in {folder}. Delete runs that are not needed any more, or make room.")
    return f"{free / 1e9:.0f} GB free in {folder}"


def _dashboard() -> str:
    with socket.socket() as probe:
        running = probe.connect_ex(("127.0.0.1", 8501)) == 0
    return "port 8501 is in use, probably by the dashboard itself" if running else "port 8501 is free; start with `make app`"


def _bundled() -> str:
    from fmnist.prediction import load

    model = load("bundled", Store())
    return f"the network '{model.config.network}'" if model.config else "loads"
