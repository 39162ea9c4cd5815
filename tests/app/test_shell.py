"""What the pages share: names stay names, the dataset is got ready while people look on, figures are written for people."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from fmnist import data
from fmnist.run import Run, Status
from fmnist.store import Store
from ui import labels
from ui.preparation import Preparation

PATIENCE = 120  # seconds: the first test imports PyTorch
EVIL = "![x](http://evil.example/x.png) [y](http://evil.example) <b>b</b> :red[r]"


@pytest.mark.parametrize("name", ["overview", "train"])
def test_a_name_with_markup_is_shown_as_it_was_typed(
    name: str, visit: Callable[..., AppTest], runs: dict[str, Run], runs_store: Store
) -> None:
    for run in runs.values():
        runs_store.rename(run.id, EVIL)
    at = visit(name)
    assert not at.exception
    written = [element.value for kind in ("markdown", "caption", "subheader") for element in at.get(kind)]
    written += [element.proto.label for element in at.get("page_link")]
    found = [text for text in written if "evil" in text]
    assert found
    for text in found:
        assert "](" not in text
        assert "://" not in text
        assert ":red[" not in text


# ---- the dataset ----


@pytest.fixture
def nowhere(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without the dataset, without apt-get and without a network; the folder where a copy would be found."""
    monkeypatch.setenv("FMNIST_HOME", str(tmp_path / "elsewhere"))
    monkeypatch.setattr(data, "SYSTEM_FOLDER", tmp_path / "no-system-folder")
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody listens on the discard port
    monkeypatch.setenv("PATH", str(tmp_path / "no-programs"))
    return tmp_path / "elsewhere" / "data" / "fashion-mnist"


def test_a_dataset_that_cannot_be_had_is_a_sentence_and_can_be_tried_again(nowhere: Path, whole_copy: Path) -> None:
    preparation = Preparation()
    preparation.begin()
    preparation.wait(PATIENCE)
    assert isinstance(preparation.error, data.DataError)
    assert preparation.dataset is None
    shutil.copytree(whole_copy, nowhere, dirs_exist_ok=True)
    preparation.begin()
    preparation.wait(PATIENCE)
    assert preparation.error is None
    assert preparation.dataset is not None
    assert len(preparation.dataset.train) == 60_000


def test_every_step_of_the_preparation_is_said(nowhere: Path, whole_copy: Path) -> None:
    shutil.copytree(whole_copy, nowhere)
    preparation = Preparation()
    preparation.begin()
    preparation.wait(PATIENCE)
    assert preparation.fraction == 1.0
    assert str(nowhere) in " ".join(preparation.said)


def test_the_page_shows_the_reason_and_a_way_to_try_again(nowhere: Path, whole_copy: Path) -> None:
    def page() -> None:
        import streamlit as st

        from ui import preparation

        shown = st.session_state.shown
        if shown.dataset is None:
            preparation.show(shown)
        else:
            st.write("here it is")

    failed = Preparation()
    failed.begin()
    failed.wait(PATIENCE)
    app = AppTest.from_function(page, default_timeout=PATIENCE)
    app.session_state["shown"] = failed
    app.run()
    assert "The dataset cannot be had" in app.error[0].value
    shutil.copytree(whole_copy, nowhere, dirs_exist_ok=True)
    app.button[0].click().run()
    failed.wait(PATIENCE)
    app.run()
    assert not app.error
    assert app.markdown[0].value == "here it is"


@pytest.fixture(scope="session")
def whole_copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The four archives in a folder of their own."""
    found, folder = data.locate(), tmp_path_factory.mktemp("whole")
    for archive in data.ARCHIVES.values():
        shutil.copy(found / archive.name, folder)
    return folder


# ---- words ----


def test_figures_and_times_are_written_for_people() -> None:
    assert labels.percent(0.92541) == "92.54\N{NO-BREAK SPACE}%"
    assert labels.percent(None) == "–"
    assert labels.points(0.0031) == "+0.31 points"
    assert labels.points(-0.02) == "-2.00 points"
    assert [labels.duration(seconds) for seconds in (0, 0.2, 59.4, 60, 75, 3_600, 3_725, 90_061, None)] == [
        "0 s",
        "under 1 s",
        "59 s",
        "1 min",
        "1 min 15 s",
        "1 h",
        "1 h 2 min",
        "1 d 1 h",
        "–",
    ]
    assert [labels.ago(1000.0, now) for now in (1000.0, 1059.0, 1061.0, 1000.0 + 7200, 1000.0 + 86_400)] == [
        "just now",
        "just now",
        "1 minute ago",
        "2 hours ago",
        "1 day ago",
    ]
    assert [labels.size(count) for count in (12, 1_000, 6_710_000, 2_300_000_000)] == ["12 bytes", "1.0 kB", "6.7 MB", "2.3 GB"]


def test_every_status_has_a_word_of_its_own() -> None:
    assert set(labels.LOOKS) == set(Status)
    assert len({look.word for look in [*labels.LOOKS.values(), labels.DAMAGED]}) == len(Status) + 1
