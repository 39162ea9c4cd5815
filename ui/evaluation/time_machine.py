"""An earlier epoch of a run, from what its training recorded: what it said then, and when each image was learnt and forgotten."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import streamlit as st

from fmnist.events import Epoch
from fmnist.run import Run
from ui import address, state

if TYPE_CHECKING:
    from torch import Tensor

    from fmnist.evaluation import Report
    from fmnist.history import History
    from fmnist.outputs import Outputs

NOW = "now"  # in the address: as the model is now, of which all ten probabilities are known


@dataclass(frozen=True)
class Past:
    """What was recorded of a run on the images that are looked at."""

    history: "History"
    epochs: dict[int, Epoch]  # the figures of the store, by epoch
    complete: bool  # the last recorded epoch is the model as it is now

    @property
    def earlier(self) -> list[int]:
        """The epochs that are not the model as it is now."""
        return list(self.history.epochs[:-1] if self.complete else self.history.epochs)


def of(run: Run | None, split: str) -> Past | None:
    """What was recorded of a run on a split; None for the bundled model, for another split than the run watched, and for old runs."""
    if run is None or run.config is None or run.config.monitor != split:
        return None
    found, checkpoints = {epoch.epoch: epoch for epoch in state.store().epochs(run.id)}, state.store().checkpoints(run.id)
    history = _history(run.id, run.restarts, tuple(found))
    if history is None:
        return None
    last = found[history.epochs[-1]]
    return Past(history, found, bool(checkpoints) and checkpoints[0].step == last.step)


def ask(past: Past) -> int | None:
    """Let a person choose an epoch; None is the model as it is now."""
    options = [*map(str, past.earlier), NOW]
    if len(options) == 1:
        return None
    address.follow("epoch", options, NOW)
    last = f"{past.history.epochs[-1]}, now" if past.complete else NOW
    chosen = st.select_slider(
        "Epoch",
        options,
        format_func=lambda epoch: last if epoch == NOW else epoch,
        key="epoch",
        on_change=address.tell,
        args=("epoch", NOW),
        help="Go back to what the network said after an earlier epoch: figures, matrix and pictures follow.",
    )
    return None if chosen == NOW else int(chosen)


def logits(past: Past, epoch: int) -> "Tensor":
    """Logits whose guesses and confidences are those that were recorded after an epoch: float32 (N, 10).

    The other nine classes share what is left evenly, which nobody recorded: losses, margins and curves of them mean nothing.
    """
    import torch

    from fmnist.history import LEVELS

    row = past.history.epochs.index(epoch)
    guesses, share = past.history.guesses[row].long(), past.history.confidences[row] / LEVELS
    share = share.clamp(0.101, 1 - 1e-6)  # one byte may round a confidence to a tenth or to one
    others = ((1 - share) / 9)[:, None].repeat(1, 10)
    return torch.scatter(others, 1, guesses[:, None], share[:, None]).log()


def report(past: Past, epoch: int, outputs: "Outputs") -> "Report":
    """The figures after an epoch; its loss is the one that the training measured."""
    from fmnist import evaluation

    return replace(evaluation.report(logits(past, epoch), outputs.labels), loss=past.epochs[epoch].loss)


def notes(past: Past, truth: "Tensor") -> list[str]:
    """For each of N images when it was learnt for good, and how often it was forgotten, over all recorded epochs."""
    from fmnist.history import forgotten, learnt

    rows = learnt(past.history.guesses, truth).tolist()
    times = forgotten(past.history.guesses, truth).tolist()
    return [_note(past.history.epochs[row - 1] if row else None, count) for row, count in zip(rows, times, strict=True)]


def _note(epoch: int | None, times: int) -> str:
    first = f"learnt in epoch {epoch}" if epoch else "not learnt"
    return first if not times else f"{first}, forgotten {'once' if times == 1 else f'{times} times'}"


@st.cache_resource(show_spinner=False, max_entries=8)
def _history(run_id: str, restarts: int, epochs: tuple[int, ...]) -> "History | None":
    """Read again when the run was cut back or has gone on."""
    from fmnist import history

    return history.read(run_id, epochs)
