"""The errors that all runs share against those of this one alone: what is hard for everybody, and what only this one cannot do."""

from itertools import islice
from typing import TYPE_CHECKING

import streamlit as st

from fmnist.errors import FmnistError
from ui import choices, judged, model_choice
from ui.evaluation import cell_filter, figures, image_list
from ui.evaluation.evaluated import View
from ui.evaluation.matrix import Chosen

if TYPE_CHECKING:
    from torch import Tensor

MOST = 20  # other models: computing what each says of a split takes seconds, and more names would fill the screen
WHO = {"all": "Wrong for every model", "alone": "Wrong for this one alone"}


def show(view: View, chosen: Chosen | None) -> None:
    """This model beside every other one that can be judged on these images."""
    offered = [word for word in model_choice.names() if word not in (view.word, model_choice.BEST)]
    others = list(islice((word for word in offered if _other(view, word)), MOST))  # no more models are loaded than are shown
    if not others:
        st.info("There is no other model yet. Train some runs, and see here what all of them find hard.", icon=":material/groups:")
        return
    answers = _answers(view, others)
    if answers:
        if len(others) == MOST < len(offered):
            st.caption(f"These are {MOST} of {len(offered)} other models; of the runs, the newest.")
        _compare(view, chosen, answers)


def _other(view: View, word: str) -> bool:
    """Whether a word is another model than this one, that can be judged on this split."""
    from fmnist.outputs import available

    try:
        model = judged.model(word)
    except FmnistError:  # damaged weights: the page of that model says so
        return False
    return model.sha256 != view.model.sha256 and view.split in available(model)


def _answers(view: View, words: list[str]) -> "dict[str, Tensor]":
    """The guesses of the models by name; while some are computed, the first of those shows how far it is."""
    found: dict[str, Tensor] = {}
    for word in words:
        answer = judged.answer(word, view.split)
        if answer is None:
            return {}
        if answer.indices.equal(view.outputs.indices):
            found[model_choice.called(word, judged.model(word))] = answer.guesses
    return found


def _compare(view: View, chosen: Chosen | None, answers: "dict[str, Tensor]") -> None:
    import torch

    from fmnist.comparison import shared_errors

    guesses = torch.stack([view.judgements.guess, *answers.values()])
    shared = shared_errors(guesses, view.judgements.truth)
    counts = torch.bincount(shared.wrong, minlength=len(guesses) + 1)[1:].tolist()
    chart = figures.shared_errors(counts)
    words, drawn = st.columns([2, 3], gap="large")
    others = f"{len(answers)} other{'s' if len(answers) > 1 else ''} ({', '.join(answers)})"
    words.markdown(
        f"This model and {others}: **{counts[-1]:,}** images are wrong for all {len(guesses)}, **{int((shared.alone == 0).sum()):,}** for "
        "this one alone. What all get wrong is often a doubtful label, or an image that nobody could tell; what one gets wrong alone is "
        "its own weakness, or its luck."
    )
    drawn.plotly_chart(chart.figure, alt=chart.alt, config={"displaylogo": False})
    who = choices.one_of("Images", WHO, key="who")
    positions = shared.by_all if who != "alone" else (shared.alone == 0).nonzero().squeeze(1)
    positions = cell_filter.fitting(chosen, positions, view.judgements.truth, view.judgements.guess)
    if not len(positions):
        st.info("No such image here.", icon=":material/check:")
        return
    st.markdown(f"**{len(positions):,}** images")
    image_list.pages(view, positions, (*view.key, chosen, who, tuple(answers)), key="evaluate.shared")
