"""What each model says of one image: every run of the store that has weights, and the bundled one."""

from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from fmnist.errors import FmnistError
from ui import judged, state
from ui.labels import plain
from ui.model_choice import has_weights
from ui.picture.answers import share

if TYPE_CHECKING:
    from torch import Tensor

    from fmnist.outputs import SplitName
    from fmnist.prediction import Model

_STYLE = f"<style>{Path(__file__).with_suffix('.css').read_text(encoding='utf-8')}</style>"


@dataclass(frozen=True)
class Opinion:
    """What one model says."""

    who: str
    probabilities: list[float] | None  # None: it cannot be asked
    reason: str = ""  # why not
    asked: bool = False  # it is the one that the panel is about


def answer(model: "Model", image: "Tensor") -> list[float]:
    """Ten probabilities of one uint8 (28, 28) image."""
    return _answer(model.sha256, image.numpy().tobytes(), model, image)


@st.cache_data(show_spinner=False, max_entries=4096)
def _answer(sha256: str, pixels: bytes, _model: "Model", _image: "Tensor") -> list[float]:
    from fmnist.prediction import predict

    return predict(_model, _image[None])[0].tolist()


def show(image: "Tensor", label: int, split: "SplitName", asked: str) -> None:
    """A line for each model: its guess, how sure it is, and whether it is right.

    Args:
        asked: SHA-256 of the model that the panel is about.
    """
    from fmnist.data import CLASS_NAMES

    with st.spinner("Asking every model"):
        found = [_opinion(word, name, image, asked) for word, name in names().items()]
    able = [each.probabilities for each in found if each.probabilities]
    right = sum(_guess(probabilities) == label for probabilities in able)
    verdict = f"{right} of {len(able)} models {'is' if right == 1 else 'are'} right" if len(able) > 1 else "No other model to ask yet"
    st.markdown(f"**{verdict}**: it is labelled {plain(CLASS_NAMES[label])}.")
    st.html(_STYLE + _table(found, label))
    if split != "test":
        st.caption("It is a training image: a model that has learnt from it may know it by heart.")


def names() -> dict[str, str]:
    """The models that can be asked, word -> name: the bundled one, then the runs that have weights, the newest first."""
    from fmnist.prediction import BUNDLED

    runs = sorted(state.store().runs(archived=False), key=lambda run: -run.number)
    bundled = {"bundled": "The bundled model"} if BUNDLED.exists() else {}
    return bundled | {run.id: run.name for run in runs if has_weights(run)}


def _opinion(word: str, name: str, image: "Tensor", asked: str) -> Opinion:
    """A model that cannot be read says why; the others are asked all the same."""
    try:
        model = judged.model(word)
    except FmnistError as error:
        return Opinion(name, None, str(error))
    return Opinion(name, answer(model, image), asked=model.sha256 == asked)


def _guess(probabilities: list[float]) -> int:
    return max(range(len(probabilities)), key=probabilities.__getitem__)


def _table(found: list[Opinion], label: int) -> str:
    head = "<thead><tr><th>Model</th><th class='fm-says'>It says</th><th class='fm-sure'>How sure</th></tr></thead>"
    return f'<table class="fm-opinions">{head}<tbody>{"".join(_row(each, label) for each in found)}</tbody></table>'


def _row(opinion: Opinion, label: int) -> str:
    from fmnist.data import CLASS_NAMES

    who = escape(opinion.who) + (' <span class="fm-note">(this one)</span>' if opinion.asked else "")
    if opinion.probabilities is None:
        return f'<tr><td class="fm-who">{who}</td><td colspan="2" class="fm-note">{escape(opinion.reason)}</td></tr>'
    guess = _guess(opinion.probabilities)
    mark, kind = ("✓", "fm-good") if guess == label else ("✗", "fm-bad")
    says = f"{mark} {CLASS_NAMES[guess]}"
    sure = share(opinion.probabilities[guess])
    return f'<tr><td class="fm-who">{who}</td><td class="{kind}">{escape(says)}</td><td class="fm-sure">{escape(sure)}</td></tr>'
