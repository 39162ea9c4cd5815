"""The pages on a disk that cannot be written: everything opens, one sentence says why nothing can be changed, and Train refuses."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from streamlit.testing.v1 import AppTest

from fmnist.run import Run
from fmnist.store import Store

if TYPE_CHECKING:
    from tests.conftest import Disk

Visit = Callable[..., AppTest]
PAGES = ("overview", "train", "runs", "compare", "sweep", "evaluate", "explore", "try_it")


@pytest.fixture
def home(disk: "Disk") -> Path:
    """The home of these tests lies on a disk of its own."""
    return disk.place


def _words(found: Any) -> list[str]:
    return [each.value.replace("\\", "") for each in found]


@pytest.mark.parametrize(("state", "sentence"), [("full", "The disk is full"), ("read-only", "The disk is read-only")])
def test_every_page_opens_and_says_why_nothing_can_be_changed(
    disk: "Disk", runs_store: Store, runs: dict[str, Run], visit: Visit, state: str, sentence: str
) -> None:
    disk.fill() if state == "full" else disk.fail()
    for page in PAGES:
        at = visit(page)
        assert not at.exception, page
        assert [words for words in _words(at.warning) if sentence in words], page
        assert not [words for words in _words(at.error) if "logged as error" in words], page
    at = visit("runs", run=runs["finished"].id)
    assert not at.exception
    assert "A finished run" in _words(at.subheader)[0]


@pytest.mark.parametrize("state", ["full", "read-only"])
def test_train_says_why_it_cannot(disk: "Disk", runs_store: Store, visit: Visit, state: str) -> None:
    disk.fill() if state == "full" else disk.fail()
    at = visit("train")
    [start] = [button for button in at.button if button.label == "Start training"]
    assert start.disabled
    assert [words for words in _words(at.error) if f"The disk is {state}" in words]


@pytest.mark.parametrize("instead", ["nothing", "a file", "a broken link"])
def test_a_folder_of_runs_that_is_gone_or_replaced_is_said_on_every_page(
    home: Path, runs_store: Store, runs: dict[str, Run], visit: Visit, instead: str
) -> None:
    runs_store.close()
    aside = home.with_name("aside")
    shutil.move(home / "runs", aside)
    if instead == "a file":
        (home / "runs").write_text("not a folder")
    if instead == "a broken link":
        (home / "runs").symlink_to(home / "nowhere")
    for page in ("overview", "train", "runs"):
        at = visit(page)
        assert not at.exception, page
        assert [words for words in (*_words(at.warning), *_words(at.error)) if "runs" in words], page
        assert not [words for words in _words(at.error) if "logged as error" in words], page
    if instead != "nothing":
        (home / "runs").unlink()
    shutil.move(aside, home / "runs")
    at = visit("runs", run=runs["finished"].id)
    assert "A finished run" in _words(at.subheader)[0]
