"""A run or weights that somebody sends become a run like any other: checked in every way first, measured here, and named as imported."""

import hashlib
import math
import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from fmnist import evaluation, files
from fmnist.checkpoint import checkpoints_folder
from fmnist.config import TrainConfig
from fmnist.data import Split
from fmnist.errors import CheckpointError, ReportError
from fmnist.events import Epoch, Step
from fmnist.handover import bundle, metrics, weights
from fmnist.home import run_folder
from fmnist.models import Classifier
from fmnist.run import Checkpoint, Run, Status
from fmnist.store import Store

TAG = "imported"
MOST_BYTES = bundle.MOST_BYTES
DOUBT = 0.001  # of accuracy: what rounding on another machine may change; more is said


@dataclass(frozen=True)
class Arrived:
    """What became of a file."""

    run: Run
    known: bool = False  # it was here already, so nothing was changed
    remark: str | None = None  # what a person should know of it


@dataclass(frozen=True)
class _Sent:
    """A file, checked."""

    name: str
    network: Classifier
    card: weights.Card
    config: TrainConfig
    file: bytes  # the weights
    log: bytes
    steps: list[Step]
    epochs: list[Epoch]

    @property
    def step(self) -> int:
        return self.card.step or self.config.total_steps

    @property
    def epoch(self) -> int:
        return self.step // self.config.steps_per_epoch


def read_file(path: Path) -> bytes:
    """The content of a file that is not too large.

    Raises:
        ReportError: it cannot be read, or is.
    """
    try:
        return files.read(path, MOST_BYTES)
    except OSError as error:
        raise ReportError(f"The file {path} cannot be read: {error.strerror}.") from error


def take_in(store: Store, content: bytes, name: str, test: Split, progress: Callable[[float], object] = lambda share: None) -> Arrived:
    """Make a run of a bundle or of weights with their card. The same file twice is the same run.

    Args:
        name: what the file is called; never used as a path.
        test: the test images. How good it is is measured on them: what the file says of itself selects nothing here.
        progress: is told the share that is done, 0-1.

    Raises:
        ReportError, CheckpointError: what is wrong with the file; nothing was changed.
    """
    sha256 = hashlib.sha256(content).hexdigest()
    if known := store.find_token(sha256):
        return Arrived(known, known=True)
    sent = _check(content, Path(name).name[:100])
    report = evaluation.evaluate(sent.network, test, progress)
    if not math.isfinite(report.loss):
        raise CheckpointError(f"{sent.name} holds numbers so large that its answers are none. {bundle.ADVICE}")
    run = _adopt(store, sent, sha256, report)
    return Arrived(run, remark=_doubt(sent.card, report.accuracy))


def _check(content: bytes, name: str) -> _Sent:
    packed = content.startswith(b"PK\x03\x04")
    parts = bundle.read(content, name) if packed else {bundle.WEIGHTS: content}
    network, card, config = weights.read(parts[bundle.WEIGHTS], name)
    steps, epochs = metrics.read_csv(_text(parts[bundle.METRICS], name)) if packed else ([], [])
    sent = _Sent(name, network, card, config, parts[bundle.WEIGHTS], parts.get(bundle.LOG, b""), steps, epochs)
    last = max((event.step for event in (*steps, *epochs)), default=0)
    if max(sent.step, last) > config.total_steps or any(epoch.step != epoch.epoch * config.steps_per_epoch for epoch in epochs):
        raise CheckpointError(f"{name} tells of steps and epochs that its settings do not allow. {bundle.ADVICE}")
    return sent


def _text(content: bytes, name: str) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise ReportError(f"The table of metrics in {name} is not text. {bundle.ADVICE}") from error


def _adopt(store: Store, sent: _Sent, sha256: str, report: evaluation.Report) -> Run:
    """Files first, then the run: what the store says is there is there."""
    run_id, place = uuid.uuid4().hex, f"step-{sent.step:08d}.weights.safetensors"
    checkpoint = Checkpoint(sent.step, sent.epoch, place, hashlib.sha256(sent.file).hexdigest(), None, None)
    folder = checkpoints_folder(run_id)
    run: Run | None = None
    try:
        folder.mkdir(parents=True)
        files.write_bytes(folder / place, sent.file)
        if sent.log:
            files.write_bytes(run_folder(run_id) / "worker.log", sent.log)
        run = store.adopt(
            run_id,
            sent.config,
            checkpoint,
            (sent.steps, sent.epochs),
            token=sha256,
            name=sent.card.name or sent.name,
            note=sent.card.note,
            status=Status.FINISHED if sent.step == sent.config.total_steps else Status.STOPPED,
            tags=(*(tag for tag in sent.card.tags if tag != TAG), TAG),
            seconds=sent.card.seconds,
            environment={**sent.card.environment, "imported": f"{sent.name}, {datetime.now(UTC):%Y-%m-%d}"},
            accuracy=report.accuracy,
            loss=report.loss,
        )
        return run
    except OSError as error:
        raise ReportError(f"The run cannot be kept: {error.strerror}. Make room, then import it again.") from error
    finally:
        if run is None or run.id != run_id:  # not kept, or somebody else imported the same file at the same moment
            shutil.rmtree(run_folder(run_id), ignore_errors=True)


def _doubt(card: weights.Card, accuracy: float) -> str | None:
    said = card.test.get("accuracy")
    if said is None or abs(said - accuracy) <= DOUBT:
        return None
    return f"The file says that it has a test accuracy of {said:.2%}; measured here it is {accuracy:.2%}."
