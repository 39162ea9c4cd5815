"""Why a model says what it says of one image: four maps beside each other, and how each is to be read."""

from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from ui import thumbnails
from ui.labels import plain
from ui.picture import heat
from ui.picture.answers import share

if TYPE_CHECKING:
    from torch import Tensor

    from fmnist.prediction import Model

LEAST_FALL = 0.01  # of a probability: smaller ones are drawn pale instead of being blown up

_STYLE = f"<style>{Path(__file__).with_suffix('.css').read_text(encoding='utf-8')}</style>"


@dataclass(frozen=True)
class Explanation:
    """One map as a person sees it."""

    name: str
    source: str  # the image with the colours over it: a data address
    scale: str  # CSS background of the legend
    ends: tuple[str, ...]  # what stands below the legend, from left to right
    words: str  # how to read it


def show(model: "Model", image: "Tensor", probabilities: list[float], *, key: str) -> None:
    """Ask which class is to be explained (the guess at first), and draw the four maps for it."""
    from fmnist.data import CLASS_NAMES

    guess = max(range(len(probabilities)), key=probabilities.__getitem__)
    target = st.selectbox(
        "Class to explain",
        range(len(CLASS_NAMES)),
        index=guess,
        format_func=lambda label: f"{CLASS_NAMES[label]} ({share(probabilities[label])}{', the guess' * (label == guess)})",
        key=f"{key}.target",
        width=320,
    )
    found = _explanations(model.sha256, image.numpy().tobytes(), target, model, image)
    st.html(_STYLE + f'<div class="fm-why">{"".join(_figure(each) for each in found)}</div>')
    if len(found) < 4:
        st.caption("Grad-CAM and HiResCAM need a convolution, and this network has none.")
    st.caption(
        f"All of them are about **{plain(CLASS_NAMES[target])}**, whether it is right or not. They show what this network reacts to, "
        "not why a person would decide so. The image is drawn dark on white below the colours."
    )


def _figure(shown: Explanation) -> str:
    ends = "".join(f"<span>{escape(end)}</span>" for end in shown.ends)
    return (
        f'<figure><img src="{shown.source}" alt="{escape(shown.name)}: {escape(shown.words)}"><figcaption>'
        f'<div class="fm-name">{escape(shown.name)}</div><div class="fm-scale" style="background: {shown.scale}"></div>'
        f'<div class="fm-ends">{ends}</div><p>{escape(shown.words)}</p></figcaption></figure>'
    )


@st.cache_data(show_spinner=False, max_entries=256)
def _explanations(sha256: str, pixels: bytes, target: int, _model: "Model", _image: "Tensor") -> list[Explanation]:
    """The maps that this network has."""
    from fmnist.data import CLASS_NAMES

    name = CLASS_NAMES[target]
    ways = (_occlusion, _hires_cam, _grad_cam, _gradient)
    return [found for way in ways if (found := way(_model, _image, target, name))]


def _grad_cam(model: "Model", image: "Tensor", target: int, name: str) -> Explanation | None:
    from fmnist.explain import grad_cam

    seen = grad_cam(model.network, image, target)
    if seen is None:
        return None
    words = f"Where the last convolution found what speaks for {name} on the whole image, wherever it stands. Red: much. White: nothing."
    if not seen.any():
        words = f"Nothing that the last convolution found speaks for {name} wherever it stands. HiResCAM asks place by place."
    return Explanation("Grad-CAM", _drawn(image, seen), heat.HALF_SCALE, ("nothing", "most"), words)


def _hires_cam(model: "Model", image: "Tensor", target: int, name: str) -> Explanation | None:
    from fmnist.explain import hires_cam

    seen = hires_cam(model.network, image, target)
    if seen is None:
        return None
    words = f"Where the last convolution found what speaks for {name} just there. Red: much. White: nothing, or what speaks against it."
    return Explanation("HiResCAM", _drawn(image, seen), heat.HALF_SCALE, ("nothing", "most"), words)


def _gradient(model: "Model", image: "Tensor", target: int, name: str) -> Explanation:
    from fmnist.explain import input_gradient

    slope = input_gradient(model.network, image, target)
    most = max(float(slope.abs().max()), 1e-9)
    words = (
        f"What a brighter pixel would do to the score of {name}. Red: raise it. Blue: lower it. Each pixel by itself, so it looks grainy."
    )
    return Explanation("Input gradient", _drawn(image, slope / most), heat.SCALE, (f"−{most:.2g}", "0", f"+{most:.2g}"), words)


def _occlusion(model: "Model", image: "Tensor", target: int, name: str) -> Explanation:
    from fmnist.explain import SQUARE, occlusion

    fall = occlusion(model.network, image, target)
    most = max(float(fall.abs().max()), LEAST_FALL)
    words = (
        f"A black square of {SQUARE} × {SQUARE} pixels hides each place in turn. Red: without it {name} becomes less likely. "
        f"Blue: without it {name} becomes more likely."
    )
    ends = (f"−{100 * most:.2g} points", "0", f"+{100 * most:.2g} points")
    return Explanation("Occlusion", _drawn(image, fall / most), heat.SCALE, ends, words)


def _drawn(image: "Tensor", values: "Tensor") -> str:
    return thumbnails.png(heat.over(image, values))
