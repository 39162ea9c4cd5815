"""The tab that hands a run over, and the button that takes one in."""

import threading
from collections.abc import Callable

from streamlit.testing.v1 import AppTest

from fmnist import runner
from fmnist.config import TrainConfig, preset
from fmnist.handover.formats import FORMATS
from fmnist.run import Run, Status
from fmnist.store import Store
from tests.app.conftest import NOBODY
from tests.app.test_runs_page import open_tab, opened

Visit = Callable[..., AppTest]
TINY = TrainConfig(network="linear", epochs=1, batch_size=64, train_size=600, validation_size=100, device="cpu", precision="float32")


def trained(store: Store, config: TrainConfig = TINY) -> Run:
    made = store.create(config, device="cpu")
    claimed = store.claim("cpu", NOBODY, made.id)
    assert claimed
    return runner.train(store, claimed, threading.Event())


def offered(app: AppTest) -> dict[str, bool]:
    """Each file that the tab offers, by the end of its name, and whether it can be had."""
    return {button.label.removesuffix(" file"): not button.disabled for button in app.get("download_button")}


def test_every_format_is_offered_for_a_trained_run(visit: Visit, runs_store: Store) -> None:
    run = trained(runs_store)
    app = open_tab(visit("runs", run=run.id), "Hand over")
    assert offered(app) == {kind.suffix: True for kind in FORMATS.values()}
    assert [code.value for code in app.code][:2] == [
        "python -m fmnist train --network linear --epochs 1 --train-size 600 --validation-size 100 --device cpu --precision float32",
        f"python -m fmnist reproduce {run.id[:12]}",
    ]


def test_what_cannot_be_made_says_why(visit: Visit, runs_store: Store, runs: dict[str, Run]) -> None:
    queued = runs_store.create(preset("studio"), device="cpu")
    app = open_tab(visit("runs", run=queued.id), "Hand over")
    assert {suffix for suffix, there in offered(app).items() if there} == {".json"}
    assert any("has no checkpoint yet" in info.value for info in app.info)
    assert any("no script of a run with drawn and photographed views" in text.value for text in app.markdown)
    lost = open_tab(visit("runs", run=runs["finished"].id), "Hand over")  # its files were never there
    assert {suffix for suffix, there in offered(lost).items() if there} == {".csv", ".parquet", ".json"}


def test_a_damaged_run_still_gives_its_figures(visit: Visit, runs: dict[str, Run]) -> None:
    app = open_tab(visit("runs", run=runs["damaged"].id), "Hand over")
    assert {suffix for suffix, there in offered(app).items() if there} == {".csv", ".parquet"}
    assert not app.exception


def test_an_imported_run_opens(visit: Visit, runs_store: Store) -> None:
    run = trained(runs_store)
    content = FORMATS["bundle"].make(runs_store, run.id)
    app = visit("runs")
    app.file_uploader[0].upload("theirs.zip", content, "application/zip")
    app.run()
    app.button(key="runs.import.take").click().run()
    assert not app.exception
    found = runs_store.get(opened(app))
    assert (found.id != run.id, found.status, found.tags) == (True, Status.FINISHED, ("imported",))
    assert any("imported as run 2" in toast.value for toast in app.toast)


def test_a_file_that_is_refused_says_why_and_changes_nothing(visit: Visit, runs_store: Store) -> None:
    app = visit("runs")  # no run yet: the invitation has the button too
    app.file_uploader[0].upload("evil.zip", b"PK\x03\x04 and then nothing", "application/zip")
    app.run()
    app.button(key="runs.import.take").click().run()
    assert any("is not a ZIP file that can be read" in error.value.replace("\\", "") for error in app.error)
    assert runs_store.runs() == []
