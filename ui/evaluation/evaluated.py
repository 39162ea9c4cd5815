"""What the Evaluate page is about: a model on a split, as it is now or after an earlier epoch. Computed once, shared by all sessions."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from fmnist.run import Run
from ui import choices, judged, model_choice, state
from ui.evaluation import time_machine

if TYPE_CHECKING:
    from torch import Tensor

    from fmnist.evaluation import Report
    from fmnist.judgements import Judgements
    from fmnist.outputs import Outputs, SplitName
    from fmnist.prediction import Model

SPLITS = ("test", "validation")


@dataclass(frozen=True)
class View:
    """A model on a split."""

    word: str  # how the address names the model
    model: "Model"
    run: Run | None  # None: the bundled model
    split: "SplitName"
    outputs: "Outputs"  # as the model is now
    past: time_machine.Past | None
    epoch: int | None  # the earlier epoch that is looked at; None: now
    judgements: "Judgements"  # of that epoch
    report: "Report"

    @property
    def key(self) -> tuple[str, str, int | None]:
        """What everything that is computed from this view is cached by."""
        return (self.model.sha256, self.split, self.epoch)


def ask() -> View:
    """Let a person choose model, split and epoch; the page stops here while the model's answers are computed.

    Raises:
        FmnistError: there is no such model, or its weights are damaged; another can still be chosen.
    """
    state.dataset()
    from fmnist.outputs import available

    with st.container(horizontal=True, vertical_alignment="bottom"):
        word = model_choice.ask("Model", "model")
        model = judged.model(word)
        offered = {name: name.capitalize() for name in available(model) if name in SPLITS}
        split: SplitName = choices.one_of("Images", offered, key="split", default="test", disabled=len(offered) == 1, help=_SPLITS)  # type: ignore[assignment]
    outputs = judged.outputs(word, split)
    run = model_choice.run_of(word)
    past = time_machine.of(run, split)
    epoch = time_machine.ask(past) if past else None
    report, judgements = _figures(model.sha256, split, epoch, outputs, past)
    return View(word, model, run, split, outputs, past, epoch, judgements, report)


def images(view: View, positions: "Tensor") -> "Tensor":
    """The images at some rows of the judgements: uint8 (M, 28, 28)."""
    split = state.dataset().test if view.split == "test" else state.dataset().train
    return split.images[view.judgements.index[positions]]


@st.cache_resource(show_spinner=False, max_entries=64)
def _figures(
    sha256: str, split: str, epoch: int | None, _outputs: "Outputs", _past: time_machine.Past | None
) -> "tuple[Report, Judgements]":
    from fmnist import evaluation
    from fmnist.judgements import judge

    if epoch is None or _past is None:
        return evaluation.report(_outputs.logits, _outputs.labels), judge(_outputs.logits, _outputs.labels, _outputs.indices)
    then = time_machine.logits(_past, epoch)
    return time_machine.report(_past, epoch, _outputs), judge(then, _outputs.labels, _outputs.indices)


_SPLITS = "Test images were never seen in training. Validation images were held back from this model, and choices may look at them."
