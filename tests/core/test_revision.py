"""The version of the code, against git itself."""

import subprocess
from pathlib import Path

import pytest

from fmnist import revision


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of one commit, in the place of this code."""
    for words in (["init", "-q"], ["add", "code.py"], ["-c", "user.name=A", "-c", "user.email=a@b", "commit", "-q", "-m", "first"]):
        (tmp_path / "code.py").write_text("x = 1\n")
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    monkeypatch.setattr(revision, "ROOT", tmp_path)
    return tmp_path


def test_the_commit_is_told_and_whether_something_was_changed_since(repository: Path) -> None:
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=repository, capture_output=True, text=True, check=True).stdout.strip()
    assert revision.describe() == {"commit": head, "uncommitted_changes": "no"}
    (repository / "a note of mine.txt").write_text("not part of the code")
    assert revision.describe()["uncommitted_changes"] == "no"
    (repository / "code.py").write_text("x = 2\n")
    assert revision.describe() == {"commit": head, "uncommitted_changes": "yes"}


def test_a_copy_inside_of_another_repository_says_nothing_of_that_one(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (repository / "copy").mkdir()
    monkeypatch.setattr(revision, "ROOT", repository / "copy")
    assert revision.describe() == {}


def test_without_git_and_without_a_repository_nothing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revision, "ROOT", tmp_path)
    assert revision.describe() == {}
    monkeypatch.setenv("PATH", str(tmp_path))
    assert revision.describe() == {}
