"""What the Evaluate page is about: a model on a split, as it is now or after an earlier epoch. Computed once, shared by all sessions."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from fmnist.run import Run
from ui import address, judged, model_choice, state
from ui.evaluation import time_machine
from ui.labels import plain

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
        word = model_word("Model", "model")
        model = judged.model(word)
        split = _split([name for name in available(model) if name in SPLITS])
    outputs = judged.outputs(word, split)
    run = run_of(word)
    past = time_machine.of(run, split)
    epoch = time_machine.ask(past) if past else None
    report, judgements = _figures(model.sha256, split, epoch, outputs, past)
    return View(word, model, run, split, outputs, past, epoch, judgements, report)


def model_word(label: str, key: str, without: str | None = None) -> str:
    """Let a person choose a model; its word stands in the address under this key. A link to what is gone says so.

    Args:
        without: a model that is not offered, because the page has it already.
    """
    named = {word: name for word, name in model_choice.names().items() if word not in _words(without)}
    default = next(iter(named))
    asked = st.query_params.get(key, default)
    if asked not in named:
        named[asked] = f"{asked[:40]} (not available)"
    address.follow(key, named, default)
    return st.selectbox(
        label, list(named), format_func=lambda word: named[word], key=key, on_change=address.tell, args=(key, default), width=420
    )


def _words(word: str | None) -> set[str | None]:
    """Every word for the same model: the best run has a number, too."""
    run = run_of(word) if word else None
    if run is None:
        return {word}
    best = max(
        (other for other in state.store().runs() if other.accuracy is not None), key=lambda other: other.accuracy or 0.0, default=None
    )
    return {word, str(run.number), *([model_choice.BEST] if best and best.id == run.id else [])}


def called(word: str, model: "Model") -> str:
    """What a model is called in a sentence."""
    return "the bundled model" if word == model_choice.BUNDLED else plain(model.name)


def run_of(word: str) -> Run | None:
    """The run that a model comes from; None for the bundled one and for a file."""
    return None if word == model_choice.BUNDLED or word.endswith(".safetensors") else state.store().find(word)


def images(view: View, positions: "Tensor") -> "Tensor":
    """The images at some rows of the judgements: uint8 (M, 28, 28)."""
    split = state.dataset().test if view.split == "test" else state.dataset().train
    return split.images[view.judgements.index[positions]]


def _split(offered: "list[SplitName]") -> "SplitName":
    address.follow("split", offered, "test")
    chosen: SplitName | None = st.segmented_control(
        "Images",
        offered,
        required=True,
        key="split",
        on_change=address.tell,
        args=("split", "test"),
        format_func=str.capitalize,
        disabled=len(offered) == 1,
        help="Test images were never seen in training. Validation images were held back from this model, and choices may look at them.",
    )
    return chosen or "test"


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
