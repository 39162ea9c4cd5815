"""A run as TensorBoard event files, for whoever looks at trainings there. An extra, and only ever by command: docs/decisions/0019."""

from pathlib import Path
from typing import TYPE_CHECKING

from fmnist.errors import ReportError
from fmnist.handover import metrics
from fmnist.run import Run
from fmnist.store import Store

if TYPE_CHECKING:
    from torch.utils.tensorboard.writer import SummaryWriter

NO_TENSORBOARD = "Event files need tensorboard, which is not installed. To have it: pip install -r requirements-tensorboard.txt"


def write(store: Store, run: Run, out: str) -> str:
    """Write a run into a folder of its own below `out`, which `tensorboard --logdir` takes; returns that folder.

    Raises:
        ReportError: tensorboard is not installed, the folder cannot be written, or has this run already.
    """
    try:
        from torch.utils.tensorboard.writer import SummaryWriter
    except ImportError as error:
        raise ReportError(NO_TENSORBOARD) from error
    folder = Path(out) / f"run-{run.number}-{run.id[:8]}"
    if folder.exists():  # TensorBoard would draw both over each other
        raise ReportError(f"{folder} exists already. Remove it, or choose another folder.")
    begun = run.started or run.created
    try:
        with SummaryWriter(str(folder)) as writer:
            for scalar in metrics.scalars(store.steps(run.id), store.epochs(run.id), run):
                writer.add_scalar(scalar.name, scalar.value, scalar.step, begun + scalar.seconds)
            _describe(writer, run)
    except OSError as error:
        raise ReportError(f"The folder {folder} cannot be written: {error.strerror}. Choose another place.") from error
    return str(folder)


def _describe(writer: "SummaryWriter", run: Run) -> None:
    """The settings and the result, for the tab of hyperparameters; name and note as text."""
    if run.config:
        figures = {"hparam/test_accuracy": run.accuracy, "hparam/test_loss": run.loss}
        known = {name: value for name, value in figures.items() if value is not None}
        writer.add_hparams(run.config.model_dump(), known, run_name=".")  # in the same folder, not in one below
    writer.add_text("run", f"    {run.name}\n" + "".join(f"\n    {line}" for line in run.note.splitlines()))  # Markdown: as it is
