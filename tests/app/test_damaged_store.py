"""The file of the run store goes wrong under a running dashboard: every page says so, and nobody writes into what is gone."""

import os
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from fmnist import strays
from fmnist.errors import StoreError
from fmnist.run import Run, folder
from fmnist.store import Store
from tests.app.conftest import CONFIG

Visit = Callable[..., AppTest]
PAGES = ("overview", "train", "runs", "compare", "sweep", "evaluate")


def _noise(path: Path) -> None:
    path.write_bytes(random.Random(0).randbytes(40_000))


def _instead(path: Path, make: Callable[[Path], None]) -> None:
    path.unlink()
    make(path)


DAMAGES: dict[str, Callable[[Path], None]] = {
    "gone": Path.unlink,
    "empty": lambda path: os.truncate(path, 0),
    "random": _noise,
    "half": lambda path: os.truncate(path, path.stat().st_size // 2),
    "a folder": lambda path: _instead(path, Path.mkdir),
    "a pipe": lambda path: _instead(path, os.mkfifo),
}


def _file(store: Store) -> Path:
    return Path(store.url.removeprefix("sqlite:///"))


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_run_store_that_goes_wrong_is_a_sentence_on_every_page_until_it_is_put_back(
    visit: Visit, runs: dict[str, Run], runs_store: Store, tmp_path: Path, damage: str
) -> None:
    path = _file(runs_store)
    shutil.copy(path, tmp_path / "backup.db")
    DAMAGES[damage](path)
    for page in PAGES if damage == "gone" else PAGES[:2]:
        at = visit(page)
        assert not at.exception, page
        assert any("The run store at" in error.value for error in at.error), (page, [error.value for error in at.error])
    if path.is_dir():
        path.rmdir()
    path.unlink(missing_ok=True)
    shutil.copy(tmp_path / "backup.db", path)
    assert {run.id for run in runs_store.runs()} == {run.id for run in runs.values()}


def test_what_is_written_after_the_file_was_replaced_is_in_the_new_one(runs: dict[str, Run], runs_store: Store, tmp_path: Path) -> None:
    path = _file(runs_store)
    shutil.copy(path, tmp_path / "copy.db")
    (tmp_path / "copy.db").replace(path)
    made = runs_store.create(CONFIG, device="cpu")
    other = Store(f"sqlite:///{path}")
    assert other.get(made.id) == made
    other.close()


def test_nothing_is_written_into_a_file_that_is_gone(runs_store: Store) -> None:
    path = _file(runs_store)
    path.unlink()
    with pytest.raises(StoreError, match="is gone"):
        runs_store.create(CONFIG, device="cpu")
    assert not path.exists(), "an empty one in its place would look like a store without runs"


def test_run_folders_that_a_new_store_does_not_know_are_told_of_and_stay(visit: Visit, runs: dict[str, Run], runs_store: Store) -> None:
    lost, kept = folder(runs["finished"]), folder(runs["paused"])
    for path in (lost, kept, lost.with_name("f" * 32)):
        (path / "checkpoints" if path != lost.with_name("f" * 32) else path).mkdir(parents=True)
        os.utime(path, (time.time() - 3_600, time.time() - 3_600))
    assert strays.find(runs_store) == []
    runs_store.delete(runs["finished"].id)
    assert strays.find(runs_store) == [runs["finished"].id]
    at = visit("runs")
    assert not at.exception
    assert any("that the run store does not know" in warning.value for warning in at.warning)
    assert lost.exists()
