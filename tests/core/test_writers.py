"""Runs in TensorBoard and MLflow, read back by their own readers: EventAccumulator, and the client of a real server."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.first_page import NO_PROXY
from fmnist.config import TrainConfig
from fmnist.errors import ReportError
from fmnist.handover import metrics, mlflow, tensorboard
from fmnist.run import Run
from fmnist.store import Store

Train = Callable[..., Run]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def run(train: Train, tiny_config: TrainConfig, plain_store: Store) -> Run:
    made = train(tiny_config, "A <b>name</b>")
    plain_store.annotate(made.id, "what came out")
    return plain_store.get(made.id)


def expected(store: Store, run: Run) -> dict[str, list[tuple[int, float]]]:
    """What a reader must find: name -> step and value, from the store."""
    steps, epochs = store.steps(run.id), store.epochs(run.id)
    return {
        "train/loss": [(step.step, step.loss) for step in steps],
        "learning_rate": [(step.step, step.learning_rate) for step in steps],
        "images_per_second": [(step.step, step.images_per_second) for step in steps],
        "train/epoch_loss": [(epoch.step, epoch.train_loss) for epoch in epochs],
        "train/epoch_accuracy": [(epoch.step, epoch.train_accuracy) for epoch in epochs],
        "validation/loss": [(epoch.step, epoch.loss) for epoch in epochs],
        "validation/accuracy": [(epoch.step, epoch.accuracy) for epoch in epochs],
        "test/accuracy": [(run.step, run.accuracy or 0)],
        "test/loss": [(run.step, run.loss or 0)],
    }


# ---- TensorBoard ----


def test_tensorboard_reads_every_figure(run: Run, plain_store: Store, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder = tensorboard.write(plain_store, run, str(tmp_path / "logs"))
    assert Path(folder) == tmp_path / "logs" / f"run-1-{run.id[:8]}"
    read = EventAccumulator(folder, size_guidance={"scalars": 0, "tensors": 0}).Reload()
    found = {tag: [(event.step, event.value) for event in read.Scalars(tag)] for tag in read.Tags()["scalars"] if "hparam" not in tag}
    wanted = expected(plain_store, run)
    assert found.keys() == wanted.keys()
    for name, points in wanted.items():
        assert found[name] == [(step, pytest.approx(value, rel=1e-6)) for step, value in points], name
    moments = [event.wall_time for event in read.Scalars("validation/loss")]
    assert moments == pytest.approx([(run.started or 0) + epoch.seconds for epoch in plain_store.epochs(run.id)], abs=1e-3)
    assert "A <b>name</b>" in read.Tensors("run/text_summary")[0].tensor_proto.string_val[0].decode()
    assert any("hparams" in tag for tag in read.summary_metadata)


def test_a_run_is_not_drawn_over_itself(run: Run, plain_store: Store, tmp_path: Path) -> None:
    folder = Path(tensorboard.write(plain_store, run, str(tmp_path)))
    before = {path.name: path.stat().st_size for path in folder.iterdir()}
    with pytest.raises(ReportError, match=r"exists already\. Remove it, or choose another folder"):
        tensorboard.write(plain_store, run, str(tmp_path))
    assert {path.name: path.stat().st_size for path in folder.iterdir()} == before


def test_a_folder_that_cannot_be_written_is_said(run: Run, plain_store: Store, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ReportError, match="cannot be written: Not a directory"):
        tensorboard.write(plain_store, run, str(tmp_path / "file"))


# ---- MLflow ----


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real MLflow server on loopback, in a folder that goes away."""
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}", "--artifacts-destination", str(folder / "artifacts")]
    environment = {**os.environ, **mlflow.SETTINGS, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}  # seven processes that nobody needs
    options: dict[str, Any] = {"cwd": folder, "env": environment, "start_new_session": True}
    with (folder / "log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log, **options) as process:
        try:
            _wait_for(f"http://127.0.0.1:{port}", process, folder / "log")
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, signal.SIGKILL)  # with the worker that it has
            process.wait(30)


def _wait_for(address: str, process: subprocess.Popen[Any], log: Path) -> None:
    give_up = time.monotonic() + 240
    while time.monotonic() < give_up and process.poll() is None:
        try:
            with NO_PROXY.open(f"{address}/health", timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"the MLflow server does not answer:\n{log.read_text()}")


@pytest.mark.filterwarnings("default")  # of mlflow, at its import
@pytest.mark.timeout(600)
def test_mlflow_has_every_figure_and_setting(server: str, run: Run, plain_store: Store) -> None:
    address = mlflow.write(plain_store, run, server)
    from mlflow import MlflowClient

    client = MlflowClient(server)
    assert address.startswith(f"{server}/#/experiments/")
    sent = client.get_run(address.rpartition("/")[2])
    assert (sent.info.run_name, sent.info.status) == (run.name, "FINISHED")
    assert sent.data.params == {name: str(value) for name, value in run.config.model_dump().items()} if run.config else False
    assert (sent.data.tags["studio.run"], sent.data.tags["mlflow.note.content"]) == (run.id, "what came out")
    assert sent.data.tags["studio.torch"] == run.environment["torch"]
    wanted = expected(plain_store, run)
    assert sent.data.metrics.keys() == wanted.keys()
    for name, points in wanted.items():
        history = sorted(client.get_metric_history(sent.info.run_id, name), key=lambda each: each.step)
        assert [(each.step, each.value) for each in history] == points, name
    with pytest.raises(ReportError, match="is on this server already"):
        mlflow.write(plain_store, run, server)


@pytest.mark.filterwarnings("default")
def test_a_server_that_is_not_there_is_one_sentence_without_the_password(run: Run, plain_store: Store) -> None:
    with pytest.raises(ReportError, match=r"^The MLflow server at http://127\.0\.0\.1:9 does not take the run: ") as caught:
        mlflow.write(plain_store, run, "http://somebody:secret@127.0.0.1:9")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("place", ["mlruns", "file:///tmp/mlruns", "sqlite:///mlflow.db", "http://", "databricks"])
def test_what_is_no_address_of_a_server_is_refused(place: str, run: Run, plain_store: Store) -> None:
    with pytest.raises(ReportError, match="is not the address of an MLflow server"):
        mlflow.write(plain_store, run, place)


# ---- both ----


def test_where_test_images_are_the_monitor_they_are_named_once(plain_store: Store, tiny_config: TrainConfig, train: Train) -> None:
    run = train(tiny_config.model_copy(update={"validation_size": 0, "train_size": 200}))
    found = metrics.scalars([], plain_store.epochs(run.id), run)
    assert [(scalar.step, scalar.value) for scalar in found if scalar.name == "test/accuracy"] == [
        (epoch.step, epoch.accuracy) for epoch in plain_store.epochs(run.id)
    ]


@pytest.mark.parametrize(("kind", "missing"), [("tensorboard", "tensorboard"), ("mlflow", "mlflow")])
def test_without_the_extra_one_sentence_says_how_to_get_it(kind: str, missing: str, plain_store: Store, tmp_path: Path) -> None:
    plain_store.create(TrainConfig(), device="cpu")
    code = f"import sys; sys.modules['{missing}'] = None; from fmnist.cli import main; sys.exit(main(sys.argv[1:]))"
    words = ["export", "1", "--format", kind, "http://127.0.0.1:9"]
    said = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, cwd=ROOT)
    assert (said.returncode, said.stdout) == (1, "")
    assert f"pip install -r requirements-{kind}.txt" in said.stderr
    assert "Traceback" not in said.stderr
