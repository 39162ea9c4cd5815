"""What can be made of a run or a model, one file each: the same list for the command line and the page."""

from collections.abc import Callable
from dataclasses import dataclass

from fmnist.store import Store


@dataclass(frozen=True)
class Format:
    """A kind of file."""

    title: str
    suffix: str
    mime: str
    words: str  # what it is good for
    make: Callable[[Store, str], bytes]  # from a person's word for a run or a model


def _report(store: Store, word: str) -> bytes:
    from fmnist import data
    from fmnist.handover import report

    return report.write(store, store.find(word), data.load())


def _script(store: Store, word: str) -> bytes:
    from fmnist.handover import script

    return script.write(store, store.find(word))


def _bundle(store: Store, word: str) -> bytes:
    from fmnist.handover import bundle

    return bundle.write(store, store.find(word))


def _safetensors(store: Store, word: str) -> bytes:
    from fmnist.handover import weights
    from fmnist.prediction import load

    model = load(word, store)
    if word == "bundled" or word.endswith(".safetensors"):
        return weights.write(model)
    run = store.find(word)
    return weights.write(model, run, store.checkpoints(run.id)[0])


def _onnx(store: Store, word: str) -> bytes:
    from fmnist import onnx_export
    from fmnist.prediction import load

    return onnx_export.export(load(word, store))


def _config(store: Store, word: str) -> bytes:
    from fmnist.handover import bundle

    return bundle.settings(store.find(word))


def _csv(store: Store, word: str) -> bytes:
    from fmnist.handover import metrics

    run = store.find(word)
    return metrics.write_csv(store.steps(run.id), store.epochs(run.id))


def _parquet(store: Store, word: str) -> bytes:
    from fmnist.handover import metrics

    run = store.find(word)
    return metrics.write_parquet(store.steps(run.id), store.epochs(run.id))


FORMATS = {
    "report": Format(
        "Report",
        ".html",
        "text/html",
        "One page with curves, confusion matrix, worst mistakes, settings and how to repeat it. Opens in any browser, offline.",
        _report,
    ),
    "bundle": Format(
        "Whole run",
        ".zip",
        "application/zip",
        "For another studio, which imports it: weights, figures, settings and log.",
        _bundle,
    ),
    "safetensors": Format(
        "Weights",
        ".safetensors",
        "application/octet-stream",
        "The network's numbers, with a card that says what they are. Another studio imports them.",
        _safetensors,
    ),
    "onnx": Format(
        "ONNX",
        ".onnx",
        "application/octet-stream",
        "For a program of your own, without PyTorch: bytes in, probabilities out.",
        _onnx,
    ),
    "script": Format(
        "Training script",
        ".py",
        "text/x-python",
        "The same training as one page of Python that needs PyTorch alone.",
        _script,
    ),
    "csv": Format("Figures, CSV", ".csv", "text/csv", "Every point of the curves and every epoch, for a spreadsheet.", _csv),
    "parquet": Format("Figures, Parquet", ".parquet", "application/vnd.apache.parquet", "The same for pandas, Polars or DuckDB.", _parquet),
    "config": Format("Settings", ".json", "application/json", "For `python -m fmnist train --config FILE`.", _config),
}
