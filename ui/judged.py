"""What models say of a split, shared by all sessions: computed once in the background."""

import threading
from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from ui import background, state

if TYPE_CHECKING:
    from torch import Tensor

    from fmnist.outputs import Outputs, SplitName
    from fmnist.prediction import Model

MOST_KEPT = 250  # answers: 60 MB
_LOADING = threading.Lock()


class Answer(NamedTuple):
    """What a model says of a split, without how sure it is."""

    indices: "Tensor"  # int64 (N,), as in `Outputs`
    guesses: "Tensor"  # int64 (N,)
    labels: "Tensor"  # int64 (N,)


def model(word: str) -> "Model":
    """A model by a person's word for it, as `state.model` has it.

    Raises:
        FmnistError: there is none, or its weights are damaged.
    """
    state.dataset()  # with it comes PyTorch; until then the page shows how far that is
    return state.model(word)


def outputs(word: str, split: "SplitName") -> "Outputs":
    """What a model says of each image of a split. Until it is computed the page shows how far it is, and stops here.

    Raises:
        FmnistError: there is no such model or split.
    """
    job = begin(word, split)
    if job.result is None:
        name = "the bundled model" if word == "bundled" else model(word).name
        background.show(job, f"Evaluating {name} on the {split} images.")
        st.stop()
    return job.result


def answer(word: str, split: "SplitName") -> Answer | None:
    """What one of many models says; None, and how far it is, until it is computed.

    Raises:
        FmnistError: there is no such model or split.
    """
    state.dataset()
    from fmnist.prediction import stored

    source, kept = stored(word, state.store()), _kept()
    if (source.sha256, split) not in kept:
        job = begin(word, split)
        if job.result is None:
            background.show(job, f"{source.name}: what it says of the {split} images.")
            return None
        kept[source.sha256, split] = found = Answer(job.result.indices, job.result.guesses, job.result.labels)
        while len(kept) > MOST_KEPT:
            kept.pop(next(iter(kept)), None)  # the oldest; it is read from its file again
        return found
    return kept[source.sha256, split]


@st.cache_resource(show_spinner=False)
def _kept() -> dict[tuple[str, str], Answer]:
    """By model and split: 240 KB each, where the outputs of 20 models would be 200 MB; at most MOST_KEPT."""
    return {}


def begin(word: str, split: "SplitName") -> "background.Job[Outputs]":
    """The computation behind `outputs`, for a page that goes on without it; begun by the first who asks."""
    from fmnist.outputs import check

    state.dataset()
    judge = model(word)
    check(split, judge)
    job = _job(judge.sha256, split, judge)
    if job.error is None:
        job.begin()
    if job.result is None:
        job.wait(0.3)  # from the disk it is there at once, and no progress bar flickers
    return job


def _threads() -> int:
    """One beside a training, with which every second thread would wait for a core; else all cores."""
    from fmnist.device import cores

    return 1 if state.store().running() else cores()


@st.cache_resource(show_spinner=False, max_entries=8)
def _job(sha256: str, split: "SplitName", _model: "Model") -> "background.Job[Outputs]":
    def work(job: "background.Job[Outputs]") -> "Outputs":
        import torch

        from fmnist.outputs import get

        torch.set_num_threads(_threads())  # of this thread alone
        with _LOADING:  # one at a time: two would only halve each other's speed
            job.step = "This happens once"
            return get(_model, split, state.dataset(), job.advance)

    return background.Job(work, "Waiting for its turn")
