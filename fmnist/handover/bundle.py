"""A whole run as one ZIP file: its weights with their card, its figures, its settings and its log."""

import io
import json
import zipfile
import zlib

from fmnist import files
from fmnist.errors import ReportError, reason
from fmnist.handover import metrics, weights
from fmnist.prediction import load
from fmnist.run import Run, folder
from fmnist.store import Store

WEIGHTS, METRICS, SETTINGS, LOG = "weights.safetensors", "metrics.csv", "config.json", "log.txt"
MOST = {WEIGHTS: weights.MOST_BYTES, METRICS: 40_000_000, SETTINGS: 100_000, LOG: 5_000_000}  # bytes, unpacked
MOST_BYTES = sum(MOST.values())
ADVICE = "Ask for one that was made with: python -m fmnist export RUN --format bundle"


def write(store: Store, run: Run) -> bytes:
    """A run as a bundle."""
    model = load(run.id, store)
    parts = {
        WEIGHTS: weights.write(model, run, store.checkpoints(run.id)[0]),
        METRICS: metrics.write_csv(store.steps(run.id), store.epochs(run.id)),
        SETTINGS: settings(run),
        LOG: _log(run),
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)  # without a time: the same run, the same bytes
    return file.getvalue()


def settings(run: Run) -> bytes:
    """The config of a run as `train --config` reads it.

    Raises:
        ReportError: it cannot be read.
    """
    if run.config is None:
        raise ReportError(f"The settings of {run.name} cannot be read. {run.damage or ''}".strip())
    return (json.dumps(run.config.model_dump(), indent=2) + "\n").encode()


def _log(run: Run) -> bytes:
    """The end of what the worker wrote; empty for a run of the command line."""
    try:
        return files.read_end(folder(run) / "worker.log", MOST[LOG])[0]
    except OSError:
        return b""


def read(content: bytes, name: str) -> dict[str, bytes]:
    """The files of a bundle that somebody sends, by name. Nothing is unpacked to the disk, and no name in it becomes a path.

    Raises:
        ReportError: it is no bundle, or a file in it is too large, whatever it says of its size.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _check_names(archive, name)
            return {info.filename: _content(archive, info, name) for info in archive.infolist()}
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, ValueError, EOFError, OSError) as error:
        if isinstance(error, ReportError):
            raise
        raise ReportError(f"{name} is not a ZIP file that can be read: {reason(error)}. {ADVICE}") from error


def _check_names(archive: zipfile.ZipFile, name: str) -> None:
    names = [info.filename for info in archive.infolist()]
    if strange := [each for each in names if each not in MOST]:
        raise ReportError(f"{name} holds {strange[0][:60]!r}, which is no part of a bundle. {ADVICE}")
    if len(names) != len(set(names)) or not {WEIGHTS, METRICS} <= set(names):
        raise ReportError(f"{name} must hold {WEIGHTS} and {METRICS}, once each. {ADVICE}")


def _content(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> bytes:
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ReportError(f"{name} is packed in a way that is not read. {ADVICE}")
    most = MOST[info.filename]
    with archive.open(info) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise ReportError(f"{info.filename} in {name} has more than {most / 1e6:g} MB, which is the most that is read.")
    return content
