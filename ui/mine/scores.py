"""How many of my pictures each model is right on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from fmnist.errors import FmnistError
from ui import background, model_choice, state
from ui.labels import plain

if TYPE_CHECKING:
    from fmnist.my_pictures import Picture
    from fmnist.my_score import Score
    from fmnist.prediction import Model

MOST = 12  # models beside each other, the newest runs


@dataclass(frozen=True)
class Scored:
    """One model's score."""

    word: str
    name: str
    score: "Score"


def prepared(pictures: "Sequence[Picture]") -> bool:
    """Whether the pictures are ready to be asked about; until then it is shown how far that is."""
    job = _preparation(tuple(picture.id for picture in pictures), pictures)
    if job.error is None:
        job.begin()
    if job.result is None:
        job.wait(1.0)  # a few pictures take no longer, and no progress bar flickers
    if job.result is None:
        background.show(job, f"Preparing {len(pictures):,} pictures.")
    return job.result is not None


def of(word: str, pictures: "Sequence[Picture]") -> Scored:
    """The score of a model by a person's word for it.

    Raises:
        FmnistError: there is none, or its weights are damaged.
    """
    model = state.model(word)
    about = tuple((picture.id, picture.words.label) for picture in pictures if picture.words)
    return Scored(word, _name(word, model.name), _score(model.sha256, about, model, pictures))


def of_all(pictures: "Sequence[Picture]") -> list[Scored]:
    """The bundled model's and those of the newest runs; what cannot be asked is left out."""
    found = []
    for word in [word for word in model_choice.names() if word != model_choice.BEST][: MOST + 1]:
        try:
            found.append(of(word, pictures))
        except FmnistError:  # damaged weights, or none: the page of that model says so
            continue
    return found


def before(word: str, scored: Sequence[Scored]) -> Scored | None:
    """The run before this one, if this is a run."""
    run = model_choice.run_of(word)
    older = [each for each in scored if run and each.word.isdecimal() and int(each.word) < run.number]
    return max(older, key=lambda each: int(each.word), default=None)


def sentence(mine: Scored, earlier: Scored | None) -> str:
    """ "Yours: 14 of 20, before 9"."""
    return f"Yours: {mine.score.right} of {mine.score.total}" + (f", before {earlier.score.right}" if earlier else "")


def _name(word: str, name: str) -> str:
    return "The bundled model" if word == model_choice.BUNDLED else plain(name)


@st.cache_resource(show_spinner=False, max_entries=256)
def _score(sha256: str, about: tuple[tuple[str, int], ...], _model: "Model", _pictures: "Sequence[Picture]") -> "Score":
    import torch

    from fmnist.my_score import score

    torch.set_num_threads(1)  # of this thread alone: it takes a moment, and a training may be under way
    return score(_model, _pictures)


@st.cache_resource(show_spinner=False, max_entries=4)
def _preparation(ids: tuple[str, ...], _pictures: "Sequence[Picture]") -> "background.Job[bool]":
    def work(job: "background.Job[bool]") -> bool:
        from fmnist.my_score import images

        images(_pictures, job.advance)
        return True

    return background.Job(work, "Each picture is prepared once")
