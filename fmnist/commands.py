"""What each command does. Progress goes to standard error; standard output carries the result, or JSON alone."""

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from fmnist import tuning
from fmnist.cli import chosen_config
from fmnist.errors import PictureError, ReportError
from fmnist.run import Run, Status, folder
from fmnist.store import Store

if TYPE_CHECKING:
    from fmnist.outputs import Outputs
    from fmnist.prediction import Model

PICTURE_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp"}
PICTURES_AT_ONCE = 64

WIDTH = None if sys.stdout.isatty() else 160  # a file or a pipe has no width to fit into
err = Console(stderr=True, soft_wrap=True)
out = Console(width=WIDTH, soft_wrap=True)


def print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, allow_nan=False) + "\n")
    sys.stdout.flush()


@contextmanager
def progress_bar(words: str) -> Iterator[Any]:
    """A bar on standard error; yields a function that takes the share that is done, 0-1, and new words."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task(words, total=1.0)
        yield lambda share, text=None: bar.update(task, completed=share, **({"description": text} if text else {}))


def data(options: argparse.Namespace) -> int:
    """`fmnist data`"""
    from fmnist import data as dataset

    with progress_bar("Looking for the images") as tell:
        found = dataset.load(say=lambda words: err.print(words, highlight=False), progress=tell)
    description = dataset.describe(found)
    if options.json:
        print_json(description)
    else:
        out.print_json(data=description)
    return 0


def train(options: argparse.Namespace) -> int:
    """`fmnist train`"""
    tuning.tune()
    from fmnist import device, ranks
    from fmnist.cluster_command import chosen_place
    from fmnist.foreground import train_here

    store = Store()
    if options.resume:
        run = store.resume(store.find(options.resume).id)
    else:
        config = chosen_config(options)
        place = chosen_place(store, options)
        ranks.check(config, place.workers)
        where = place.device if place.is_remote else device.resolve(config.device)
        run = store.create(config, device=where, name=options.name, placement=place)
    run = train_here(store, run, err)
    if options.json:
        print_json(summary(run))
    elif run.accuracy is not None:
        out.print(f"{run.name}: {run.status.value}, test accuracy {run.accuracy:.2%}, test loss {run.loss:.4f}", highlight=False)
    if run.status in (Status.FAILED, Status.DIVERGED):
        err.print(f"fmnist: {run.message}", highlight=False)
        return 1
    if run.status != Status.FINISHED:
        err.print(f"{run.name} is {run.status.value}. Go on with: python -m fmnist train --resume {run.id[:8]}", highlight=False)
    return 0


def summary(run: Run) -> dict[str, Any]:
    """A run as the last line of `train --json` and each item of `runs --json` have it."""
    config = run.config
    images = run.step / config.steps_per_epoch * config.train_images if config else 0
    return {
        "run": run.id,
        "name": run.name,
        "status": run.status.value,
        "message": run.message or run.damage,
        "config": config.model_dump() if config else None,
        "epochs": run.epoch,
        "seconds": round(run.seconds, 2),
        "images_per_second": round(images / run.seconds, 1) if run.seconds else None,
        "test": {"accuracy": run.accuracy, "loss": run.loss},
        "inexact": run.inexact,
        "tags": list(run.tags),
        "folder": str(folder(run)),
    }


def sweep(options: argparse.Namespace) -> int:
    """`fmnist sweep`: exit status 1 when it is over and no trial was trained to its end."""
    tuning.tune()
    from fmnist import sweep_command
    from fmnist.sweep import Sweeps, SweepStatus, best

    store = Store()
    found = sweep_command.search(store, options, err)
    trials = Sweeps(store).trials(found.id)
    if options.json:
        print_json(sweep_command.summary(found, trials))
    return 0 if best(trials) or found.status != SweepStatus.FINISHED else 1


def runs(options: argparse.Namespace) -> int:
    """`fmnist runs`"""
    every = [run for run in Store().runs(archived=options.archived) if options.tag is None or options.tag in run.tags]
    if options.json:
        print_json({"runs": [summary(run) for run in every]})
        return 0
    if not every and options.tag:
        out.print(f"No run has the tag '{options.tag}'.", highlight=False, markup=False)
        return 0
    if not every:
        out.print("No run yet. Train one: python -m fmnist train --preset reference", highlight=False)
        return 0
    table = Table(
        "No.", "Id", "Name", "Status", "Network", "Epochs", "Test accuracy", "Test loss", "Seconds", "Tags", box=None, pad_edge=False
    )
    for run in every:
        accuracy, loss = (f"{run.accuracy:.2%}", f"{run.loss:.4f}") if run.accuracy is not None else ("", "")
        network, epochs = (run.config.network, f"{run.epoch}/{run.config.epochs}") if run.config else ("damaged", "")
        cells = (str(run.number), run.id[:8], run.name, run.status.value, network, epochs, accuracy, loss, f"{run.seconds:.0f}")
        table.add_row(*map(Text, (*cells, ", ".join(run.tags))))  # what a person wrote is no markup
    out.print(table)
    return 0


def evaluate(options: argparse.Namespace) -> int:
    """`fmnist evaluate MODEL`: the figures of the dashboard's Evaluate page, from the same computation."""
    from fmnist.evaluation import report as report_of

    model, said = _said_of_test_images(options.model)
    report = report_of(said.logits, said.labels)
    if options.json:
        print_json({"model": options.model, **asdict(report)})
        return 0
    low, high = report.accuracy_interval
    out.print(
        f"{model.name}: accuracy {report.accuracy:.2%} (95 % interval {low:.2%} to {high:.2%}), loss {report.loss:.4f}, "
        f"macro F1 {report.macro_f1:.2%}, calibration error {report.ece:.2%}",
        highlight=False,
    )
    table = Table("Class", "Precision", "Recall", "F1", "Images", "Most often taken for", box=None, pad_edge=False)
    for name, figures in report.per_class.items():
        confused = ", ".join(f"{other} ({count})" for other, count in figures.confused_with)
        shares = (f"{value:.1%}" for value in (figures.precision, figures.recall, figures.f1))
        table.add_row(name, *shares, str(figures.support), confused)
    out.print(table)
    return 0


def errors(options: argparse.Namespace) -> int:
    """`fmnist errors MODEL --csv FILE`: every misclassified test image, the surest mistake first."""
    from fmnist import judgements

    model, said = _said_of_test_images(options.model)
    judged = judgements.judge(said.logits, said.labels, said.indices)
    wrong = judgements.choose(judged, "errors")
    if options.csv == Path("-"):
        judgements.write_csv(judged, wrong, sys.stdout)
    else:
        with _writing(options.csv) as file:
            judgements.write_csv(judged, wrong, file)
    if options.json and options.csv != Path("-"):
        print_json({"model": options.model, "errors": len(wrong), "images": len(judged), "file": str(options.csv)})
    else:
        err.print(f"{model.name}: {len(wrong)} of {len(judged):,} test images are wrong.", highlight=False)
    return 0


@contextmanager
def _writing(path: Path) -> Iterator[TextIO]:
    """A text file to write a result into.

    Raises:
        ReportError: it cannot be written.
    """
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            yield file
    except OSError as error:
        raise ReportError(f"The file {path} cannot be written: {error.strerror}. Choose another place.") from error


def _said_of_test_images(word: str) -> "tuple[Model, Outputs]":
    """A model and what it says of the 10,000 test images, with a bar while that is computed."""
    from fmnist import data as dataset
    from fmnist import outputs, prediction

    model = prediction.load(word, Store())
    images = dataset.load(say=lambda words: err.print(words, highlight=False))
    with progress_bar("Evaluating on 10,000 test images") as tell:
        return model, outputs.get(model, "test", images, tell)


def predict(options: argparse.Namespace) -> int:
    """`fmnist predict MODEL PATH...`: a file that cannot be read is said and passed over; the exit status is 1 then."""
    from fmnist import prediction

    model = prediction.load(options.model, Store())
    failed = False
    for answers in _in_batches(_picture_files(options.paths), model):
        for answer in answers:
            failed |= "error" in answer
            _show_prediction(answer, options.json)
    return 1 if failed else 0


def _picture_files(paths: list[Path]) -> list[Path]:
    """Files as they are named, folders as the pictures below them, in order."""
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            files += sorted(found for found in path.rglob("*") if found.suffix.lower() in PICTURE_SUFFIXES and found.is_file())
        else:
            files.append(path)
    return files


def _in_batches(files: list[Path], model: Any) -> Iterator[list[dict[str, Any]]]:
    from fmnist import pictures, prediction

    for start in range(0, len(files), PICTURES_AT_ONCE):
        answers: list[dict[str, Any]] = []
        prepared: dict[int, pictures.Prepared] = {}
        for file in files[start : start + PICTURES_AT_ONCE]:
            answers.append({"file": str(file)})
            try:
                prepared[len(answers) - 1] = pictures.to_image(pictures.read(file))
            except PictureError as error:
                answers[-1]["error"] = str(error)
        for index, found in zip(prepared, prediction.classify(model, list(prepared.values())), strict=True):
            answers[index] |= prediction.as_json(found)
        yield answers


def _show_prediction(answer: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(answer)
    elif "error" in answer:
        err.print(f"{answer['file']}: {answer['error']}", highlight=False)
    else:
        doubt = "" if answer["familiar"] else f"  (unsure: {answer['reason']})"
        out.print(f"{answer['file']}: {answer['label']} {answer['confidence']:.0%}{doubt}", highlight=False)


def doctor(options: argparse.Namespace) -> int:
    """`fmnist doctor`: exit status 1 when something is wrong."""
    from fmnist.doctor import examine

    findings = []
    for finding in examine():
        findings.append(finding)
        if not options.json:
            mark, colour = ("ok   ", "green") if finding.well else ("wrong", "red")
            out.print(f"[{colour}]{mark}[/]  [bold]{finding.what}[/]: ", end="")
            out.print(finding.words, highlight=False, markup=False)
    well = all(finding.well for finding in findings)
    if options.json:
        print_json({"well": well, "findings": [asdict(finding) for finding in findings]})
    return 0 if well else 1
