"""The commands that hand over: `fmnist export`, `fmnist import`, `fmnist reproduce`. Nothing here imports torch before it is needed."""

import argparse
import hashlib
import os
from pathlib import Path

from fmnist import tuning
from fmnist.commands import err, out, print_json, progress_bar
from fmnist.errors import ReportError
from fmnist.handover.formats import FORMATS
from fmnist.run import Status
from fmnist.store import Store


def export(options: argparse.Namespace) -> int:
    """`fmnist export MODEL --format FORMAT OUT`"""
    if options.format in ("tensorboard", "mlflow"):
        return _write_elsewhere(options)
    with err.status(f"Making the {FORMATS[options.format].title.lower()}"):
        content = FORMATS[options.format].make(Store(), options.model)
    from fmnist.files import write_bytes

    path = Path(options.out)
    try:
        write_bytes(path, content)
    except OSError as error:
        raise ReportError(f"The file {path} cannot be written: {error.strerror}. Choose another place.") from error
    told = {"model": options.model, "format": options.format, "file": str(path), "size_bytes": len(content)}
    if options.json:
        print_json({**told, "sha256": hashlib.sha256(content).hexdigest()})
    else:
        out.print(f"{path}: {len(content) / 1000:,.1f} kB. {FORMATS[options.format].words}", highlight=False)
    return 0


def _write_elsewhere(options: argparse.Namespace) -> int:
    """TensorBoard's folder and MLflow's server: not a file, but a place."""
    from fmnist.handover import mlflow, tensorboard

    store = Store()
    writer = tensorboard if options.format == "tensorboard" else mlflow
    with err.status("Writing every point of the curves"):
        place = writer.write(store, store.find(options.model), options.out)
    if options.json:
        print_json({"model": options.model, "format": options.format, "place": place})
    else:
        out.print(f"Written to {place}.", highlight=False)
    return 0


def bring_in(options: argparse.Namespace) -> int:
    """`fmnist import FILE`"""
    from fmnist import data
    from fmnist.handover import arrival

    content = arrival.read_file(options.file)
    test = data.load(say=lambda words: err.print(words, highlight=False)).test
    with progress_bar("Measuring it on the 10,000 test images") as tell:
        arrived = arrival.take_in(Store(), content, options.file.name, test, tell)
    run = arrived.run
    if options.json:
        test_figures = {"accuracy": run.accuracy, "loss": run.loss}
        print_json({"run": run.id, "number": run.number, "known": arrived.known, "remark": arrived.remark, "test": test_figures})
    else:
        how = "is here already" if arrived.known else "is here now"
        out.print(f"{run.name} {how}, as run {run.number}, with a test accuracy of {run.accuracy or 0:.2%}.", highlight=False)
        if arrived.remark:
            err.print(arrived.remark, highlight=False)
    return 0


def reproduce(options: argparse.Namespace) -> int:
    """`fmnist reproduce RUN`: exit status 1 when the result is another one."""
    tuning.tune()
    store = Store()
    first = store.find(options.run)
    if isinstance(threads := first.environment.get("threads"), int):
        os.environ["OMP_NUM_THREADS"] = str(threads)  # before torch is imported: the order of sums depends on it
    from fmnist.foreground import train_here
    from fmnist.handover import reproduction

    reproduction.check(store, first)
    again = store.create(reproduction.exact(first), device=first.device, name=f"{first.name[:58]} again", origin=first.id)
    for step, factor in first.rate_changes:
        store.change_rate(again.id, step, factor)
    again = train_here(store, again, err)
    if again.status != Status.FINISHED:
        raise ReportError(f"{again.name} is {again.status.value}, so there is nothing to compare. {again.message or ''}".strip())
    found = reproduction.compare(store, first, again)
    if options.json:
        print_json({"run": first.id, "again": again.id, **found.as_json()})
    else:
        out.print(f"{first.name} and {again.name}: {found.words}", highlight=False)
    return 0 if found.same else 1
