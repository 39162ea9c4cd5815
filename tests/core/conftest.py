"""What the tests of the core share besides: a whole copy of the dataset, and an installation that has nothing else."""

import shutil
from pathlib import Path

import pytest

from fmnist import data


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
