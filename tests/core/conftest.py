"""What the tests of the core share: a whole copy of the dataset, an installation that has nothing else, and a run that was trained."""

import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from fmnist import data, runner
from fmnist.config import TrainConfig
from fmnist.liveness import this_process
from fmnist.run import Run, Status
from fmnist.store import Store


@pytest.fixture(scope="session")
def whole() -> Path:
    """A folder with a whole copy of the dataset; nobody may change it."""
    return data.locate()


@pytest.fixture
def copies(tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder of an installation whose only source is a copy of the four files, free to be damaged; no network, no apt-get."""
    monkeypatch.setenv("FMNIST_HOME", str(tmp_path))
    monkeypatch.setattr(data, "SYSTEM_FOLDER", tmp_path / "system")
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody listens on the discard port
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    folder = tmp_path / "data" / "fashion-mnist"
    folder.mkdir(parents=True)
    for archive in data.ARCHIVES.values():
        shutil.copy(whole / archive.name, folder)
    return folder


@pytest.fixture
def train(plain_store: Store) -> Callable[..., Run]:
    """Train a config here and now, as a run of the store."""

    def trained(config: TrainConfig, name: str | None = None) -> Run:
        made = plain_store.create(config, device="cpu", name=name)
        claimed = plain_store.claim("cpu", this_process(), made.id)
        assert claimed
        ended = runner.train(plain_store, claimed, threading.Event())
        assert ended.status == Status.FINISHED, ended.message
        return ended

    return trained
