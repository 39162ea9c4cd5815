"""What leaves a studio and what comes into one: each file read by its own reader, and whatever is wrong with a file, one sentence."""

import io
import json
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import safetensors.torch
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fmnist import data, evaluation, prediction, runner
from fmnist.config import TrainConfig, parse
from fmnist.data import Split
from fmnist.errors import CheckpointError, FmnistError, ReportError, StoreError
from fmnist.handover import arrival, bundle, metrics, weights
from fmnist.handover.formats import FORMATS
from fmnist.liveness import this_process
from fmnist.run import Run, Status, folder
from fmnist.store import Store

TINY = TrainConfig(network="linear", epochs=2, batch_size=64, train_size=600, validation_size=100, device="cpu", precision="float32")
IMAGES = 500  # of the test split: enough to see that the figures are those of the weights


@pytest.fixture(scope="module")
def sender(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, Run]]:
    """A run in a studio of somebody else."""
    home = tmp_path_factory.mktemp("sender")
    (home / "data").symlink_to(data.locate().parent)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FMNIST_HOME", str(home))
        patch.delenv("FMNIST_DB", raising=False)
        store = Store()
        made = store.create(TINY, device="cpu", name="From <b>afar</b>")
        store.annotate(made.id, "the idea\nand what came out")
        claimed = store.claim("cpu", this_process(), made.id)
        assert claimed
        run = runner.train(store, claimed, threading.Event())
        (folder(run) / "worker.log").write_text("a line\n")
        yield store, run
        store.close()


@pytest.fixture(scope="module")
def files(sender: tuple[Store, Run]) -> dict[str, bytes]:
    """Every file that needs no network to be asked, by its format."""
    store, run = sender
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FMNIST_HOME", str(Path(store.url.removeprefix("sqlite:///")).parents[1]))
        return {name: FORMATS[name].make(store, run.id) for name in ("bundle", "safetensors", "csv", "parquet", "config")}


@pytest.fixture(scope="module")
def few() -> Split:
    """Some test images."""
    return data.load().test.take(torch.arange(IMAGES))


def rezipped(content: bytes, **changes: bytes | None) -> bytes:
    """A bundle with other files in it; None takes one away, a name with __ is one with a dot."""
    file, named = io.BytesIO(), {name.replace("__", "."): value for name, value in changes.items()}
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for name in dict.fromkeys((*old.namelist(), *named)):
            value = named[name] if name in named else old.read(name)
            if value is not None:
                new.writestr(name, value)
    return file.getvalue()


# ---- files, each opened by its own reader ----


def test_pandas_reads_the_same_table_from_csv_and_from_parquet(files: dict[str, bytes], sender: tuple[Store, Run]) -> None:
    store, run = sender
    from_csv, from_parquet = pd.read_csv(io.BytesIO(files["csv"])), pd.read_parquet(io.BytesIO(files["parquet"]))
    pd.testing.assert_frame_equal(from_csv, from_parquet)
    assert from_csv.columns.tolist() == list(metrics.COLUMNS)
    epochs = from_csv[from_csv.kind == "epoch"]
    assert epochs.monitor_accuracy.tolist() == [epoch.accuracy for epoch in store.epochs(run.id)]
    assert epochs.train_loss.tolist() == [epoch.train_loss for epoch in store.epochs(run.id)]
    assert from_csv[from_csv.kind == "step"].train_loss.tolist() == [step.loss for step in store.steps(run.id)]
    assert from_csv.step.is_monotonic_increasing
    assert epochs.index.tolist()[-1] == len(from_csv) - 1  # an epoch comes after its last point


def test_the_table_is_read_back_number_by_number(files: dict[str, bytes], sender: tuple[Store, Run]) -> None:
    store, run = sender
    assert metrics.read_csv(files["csv"].decode()) == (store.steps(run.id), store.epochs(run.id))


def test_safetensors_reads_the_weights_and_their_card(files: dict[str, bytes], sender: tuple[Store, Run]) -> None:
    _, run = sender
    tensors = safetensors.torch.load(files["safetensors"])
    assert {name: tuple(value.shape) for name, value in tensors.items()} == {"head.weight": (10, 784), "head.bias": (10,)}
    header = json.loads(files["safetensors"][8 : 8 + int.from_bytes(files["safetensors"][:8], "little")])
    card = json.loads(header["__metadata__"]["card"])
    assert (card["name"], card["epoch"], card["step"], card["classes"][9]) == (run.name, 2, 16, "Ankle boot")
    assert parse(card["config"]) == TINY
    assert card["test"] == {"accuracy": run.accuracy, "loss": run.loss}
    assert len(card["data_sha256"]) == 4


def test_train_reads_the_settings(files: dict[str, bytes]) -> None:
    assert parse(files["config"]) == TINY


def test_the_same_run_gives_the_same_bytes(files: dict[str, bytes], sender: tuple[Store, Run], monkeypatch: pytest.MonkeyPatch) -> None:
    store, run = sender
    monkeypatch.setenv("FMNIST_HOME", str(Path(store.url.removeprefix("sqlite:///")).parents[1]))
    assert FORMATS["bundle"].make(store, run.id) == files["bundle"]
    assert FORMATS["safetensors"].make(store, run.id) == files["safetensors"]


# ---- a run that comes in ----


def test_a_bundle_becomes_the_same_run_here(files: dict[str, bytes], sender: tuple[Store, Run], few: Split, plain_store: Store) -> None:
    store, sent = sender
    arrived = arrival.take_in(plain_store, files["bundle"], "somewhere/theirs.zip", few)
    run = arrived.run
    assert (arrived.known, arrived.remark is None) == (False, abs((run.accuracy or 0) - (sent.accuracy or 0)) <= arrival.DOUBT)
    assert (run.name, run.note, run.config, run.status) == (sent.name, sent.note, TINY, Status.FINISHED)
    assert (run.epoch, run.step, run.seconds, run.tags) == (2, 16, sent.seconds, ("imported",))
    assert run.id != sent.id
    assert run.environment["imported"].startswith("theirs.zip, 20")
    assert run.environment["torch"] == sent.environment["torch"]
    assert (plain_store.steps(run.id), plain_store.epochs(run.id)) == (store.steps(sent.id), store.epochs(sent.id))
    assert (folder(run) / "worker.log").read_text() == "a line\n"
    model = prediction.load(run.id, plain_store)
    report = evaluation.evaluate(model.network, few)
    assert (run.accuracy, run.loss) == (report.accuracy, report.loss)
    network, _, _ = weights.read(files["safetensors"], "theirs")
    assert torch.equal(evaluation.logits(model.network, few.images), evaluation.logits(network, few.images))


def test_weights_with_their_card_become_a_run_without_curves(files: dict[str, bytes], few: Split, plain_store: Store) -> None:
    run = arrival.take_in(plain_store, files["safetensors"], "theirs.safetensors", few).run
    assert (run.status, run.step, plain_store.steps(run.id), plain_store.epochs(run.id)) == (Status.FINISHED, 16, [], [])
    assert prediction.load(run.id, plain_store).config == TINY


def test_the_same_file_twice_is_one_run_and_nothing_is_replaced(files: dict[str, bytes], few: Split, plain_store: Store) -> None:
    mine = plain_store.create(TINY, device="cpu", name="Mine")
    first = arrival.take_in(plain_store, files["bundle"], "theirs.zip", few)
    plain_store.rename(first.run.id, "Theirs")
    again = arrival.take_in(plain_store, files["bundle"], "again.zip", few)
    assert again.known
    assert [(run.id, run.name) for run in plain_store.runs()] == [(first.run.id, "Theirs"), (mine.id, "Mine")]


def test_what_a_file_says_of_its_accuracy_is_measured_and_not_believed(few: Split, plain_store: Store) -> None:
    boasting = retold({"test": {"accuracy": 0.999, "loss": 0.001}})
    arrived = arrival.take_in(plain_store, boasting, "boasting.safetensors", few)
    assert arrived.run.accuracy is not None
    assert arrived.run.accuracy < 0.9
    assert arrived.remark
    assert "says that it has a test accuracy of 99.90%; measured here" in arrived.remark


def test_a_run_that_was_stopped_comes_in_as_stopped_and_is_not_resumed(few: Split, plain_store: Store) -> None:
    run = arrival.take_in(plain_store, retold({"epoch": 1, "step": 8}), "half.safetensors", few).run
    assert (run.status, run.epoch) == (Status.STOPPED, 1)
    with pytest.raises(StoreError, match="imported, without the state"):
        plain_store.resume(run.id)
    assert plain_store.get(run.id).status == Status.STOPPED


def test_a_full_disk_leaves_nothing(
    files: dict[str, bytes], few: Split, plain_store: Store, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(arrival.files, "write_bytes", full)
    with pytest.raises(ReportError, match=r"No space left on device\. Make room"):
        arrival.take_in(plain_store, files["bundle"], "theirs.zip", few)
    assert plain_store.runs() == []
    assert [path for path in (home / "runs").iterdir() if path.is_dir()] == []


# ---- whatever is wrong with it, one sentence ----


def retold(changes: dict[str, Any], tensors: dict[str, torch.Tensor] | None = None) -> bytes:
    """Weights of the linear network whose card says something else, sealed as if it were true."""
    found = tensors or {"head.weight": torch.linspace(-1, 1, 7840).view(10, 784), "head.bias": torch.zeros(10)}
    said = {"format": "fmnist-1", "network": "linear", "config": TINY.model_dump(), **changes}
    seal = weights._seal(said, found)
    return safetensors.torch.save(found, {"card": json.dumps({**said, "sha256": seal})})


GOOD = {"head.weight": torch.zeros(10, 784), "head.bias": torch.zeros(10)}
REFUSED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "no safetensors file"),
    "text": (b"hello, this is no network", "no safetensors file"),
    "a pickle": (b"\x80\x02}q\x00.", "a pickle, which may run programs"),
    "no card": (safetensors.torch.save(GOOD), "no card that says how it was trained"),
    "a card that is no JSON": (safetensors.torch.save(GOOD, {"card": "{"}), "card of .* cannot be read"),
    "a card that is a list": (safetensors.torch.save(GOOD, {"card": "[]"}), "card of .* cannot be read"),
    "a deep card": (safetensors.torch.save(GOOD, {"card": "[" * 100_000}), "card of .* cannot be read"),
    "not a number": (safetensors.torch.save(GOOD, {"card": '{"seconds": NaN}'}), "NaN is no number"),
    "a checkpoint as it lies in a run": (
        safetensors.torch.save(GOOD, {"card": json.dumps({"format": "fmnist-1", "network": "linear", "config": TINY.model_dump()})}),
        "sha256: field required",
    ),
    "another seal": (retold({}).replace(b'\\"epochs\\": 2', b'\\"epochs\\": 3'), "damaged or was changed"),
    "settings that are not allowed": (retold({"config": {**TINY.model_dump(), "epochs": 0}}), "Epochs: 0 is not allowed"),
    "two networks": (retold({"network": "mlp"}), "says two things of its network"),
    "an unknown network": (retold({"config": {"network": "vit"}, "network": "vit"}), "Network: 'vit' is not allowed"),
    "a missing tensor": (retold({}, {"head.weight": GOOD["head.weight"]}), "head.bias is missing"),
    "another shape": (retold({}, {**GOOD, "head.bias": torch.zeros(11)}), "head.bias is missing, unknown or of another shape"),
    "one tensor more": (retold({}, {**GOOD, "body.0.weight": torch.zeros(1)}), "body.0.weight is missing, unknown"),
    "another kind of number": (retold({}, {**GOOD, "head.bias": torch.zeros(10).double()}), "numbers of another kind"),
    "infinite": (retold({}, {**GOOD, "head.bias": torch.full((10,), torch.inf)}), "not finite"),
    "too many steps": (retold({"step": 17}), "steps and epochs that its settings do not allow"),
    "a name of halves": (retold({"name": "\ud800"}), "card of .* cannot be read"),
    "negative seconds": (retold({"seconds": -1.0}), "seconds: input should be greater than or equal to 0"),
    "too large": (b"\x10" + bytes(weights.MOST_BYTES), "at most 20 MB are read"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_weights_that_are_not_right_are_refused_in_one_sentence(what: str, few: Split, plain_store: Store) -> None:
    content, sentence = REFUSED[what]
    with pytest.raises(CheckpointError, match=sentence):
        arrival.take_in(plain_store, content, "theirs.safetensors", few)
    assert plain_store.runs() == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"metrics__csv": None}, "must hold weights.safetensors and metrics.csv"),
        ({"weights__safetensors": None}, "must hold weights.safetensors and metrics.csv"),
        ({"../../evil__py": b"import os"}, "'../../evil.py', which is no part of a bundle"),
        ({"weights__safetensors": b"PK\x03\x04"}, "a ZIP archive"),
        ({"metrics__csv": b"a,b\n1,2\n"}, "needs the columns kind, step"),
        ({"metrics__csv": b"\xff\xfe"}, "is not text"),
        ({"metrics__csv": b",".join(name.encode() for name in metrics.COLUMNS) + b"\nstep,1,nan,1,1,,,,1,1\n"}, "Line 2 of the table"),
        ({"metrics__csv": b",".join(name.encode() for name in metrics.COLUMNS) + b"\nstep,1\n"}, "Line 2 of the table"),
        ({"metrics__csv": b",".join(name.encode() for name in metrics.COLUMNS) + b"\nstep,99,1,1,1,,,,1,1\n"}, "do not allow"),
        ({"metrics__csv": b",".join(name.encode() for name in metrics.COLUMNS) + 2 * b"\nstep,9,1,1,1,,,,1,1"}, "a point twice"),
        ({"log__txt": bytes(bundle.MOST[bundle.LOG] + 1)}, "more than 5 MB"),
    ],
)
def test_bundles_that_are_not_right_are_refused_in_one_sentence(
    changes: dict[str, bytes | None], sentence: str, files: dict[str, bytes], few: Split, plain_store: Store, home: Path
) -> None:
    with pytest.raises(FmnistError, match=sentence):
        arrival.take_in(plain_store, rezipped(files["bundle"], **changes), "theirs.zip", few)
    assert plain_store.runs() == []
    assert not list(home.rglob("evil*"))


def test_a_zip_bomb_is_not_unpacked(files: dict[str, bytes], few: Split, plain_store: Store) -> None:
    """60 MB of zeros in 60 kB, in the place of the table."""
    bomb = rezipped(files["bundle"], metrics__csv=bytes(60_000_000))
    assert len(bomb) < 200_000
    with pytest.raises(ReportError, match=r"metrics.csv in bomb.zip has more than 40 MB"):
        arrival.take_in(plain_store, bomb, "bomb.zip", few)


def test_a_file_that_is_not_there_or_too_large_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ReportError, match="cannot be read: No such file"):
        arrival.read_file(tmp_path / "nowhere.zip")
    monkeypatch.setattr(arrival, "MOST_BYTES", 10)
    (tmp_path / "large.zip").write_bytes(bytes(11))
    with pytest.raises(ReportError, match="which is the most that is read"):
        arrival.read_file(tmp_path / "large.zip")


@pytest.mark.parametrize("kind", ["bundle", "safetensors"])
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chosen=st.data())
def test_a_changed_file_is_refused_in_one_sentence_or_is_the_same_run(
    kind: str, chosen: st.DataObject, files: dict[str, bytes], few: Split, plain_store: Store
) -> None:
    """A ZIP file has bytes that say nothing (times, attributes): changing these may change nothing."""
    content = bytearray(files[kind])
    for _ in range(chosen.draw(st.integers(1, 3))):
        place = chosen.draw(st.integers(0, len(content) - 1))
        content[place] ^= 1 << chosen.draw(st.integers(0, 7))
    content = content[: chosen.draw(st.one_of(st.just(len(content)), st.integers(0, len(content))))]
    said = None
    try:
        run = arrival.take_in(plain_store, bytes(content), "theirs", few).run
    except FmnistError as error:
        said = str(error)
    if said is not None:
        assert "\n" not in said
        assert 20 < len(said) < 600
    else:
        assert run.config == TINY
        network = prediction.load(run.id, plain_store).network
        assert torch.equal(network.head.weight, safetensors.torch.load(files["safetensors"])["head.weight"])
