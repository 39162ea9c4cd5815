"""How an image travels through a network: what it has become at each stage, with the shape it has there."""

from html import escape
from math import isqrt, prod, sqrt
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from ui import thumbnails
from ui.picture import heat

if TYPE_CHECKING:
    from torch import Tensor

    from fmnist.inside import Stage
    from fmnist.prediction import Model

BRIGHT = 0.995  # of the numbers of a stage are at most white; the few beyond it would make all others dark

_STYLE = f"<style>{Path(__file__).with_suffix('.css').read_text(encoding='utf-8')}</style>"


_LEGEND = (
    "From the pixels to the scores. Maps: black is 0, the brighter the more was found there. Where numbers can be below zero: "
    "blue is below, white is 0, red is above. All maps of a stage are on one scale."
)


def show(model: "Model", image: "Tensor") -> None:
    """The filters that look at the pixels, then every stage from the pixels to the ten scores."""
    st.html(_drawing(model.sha256, image.numpy().tobytes(), model, image))


@st.cache_data(show_spinner=False, max_entries=32)
def _drawing(sha256: str, pixels: bytes, _model: "Model", _image: "Tensor") -> str:
    from fmnist.inside import activations, first_filters

    filters = first_filters(_model.network)
    stages = activations(_model.network, _image)
    items = [_stage(number, stage) for number, stage in enumerate(stages)]
    if filters is not None:
        items.insert(1, _filters(filters))
    return f'{_STYLE}<p class="fm-legend">{_LEGEND}</p><ol class="fm-stages">{"".join(items)}</ol>'


def _stage(number: int, stage: "Stage") -> str:
    match stage.shape:
        case (_, height, width) if height * width > 1:
            body = _maps(stage.values, f"fm-stage-{number}", f"{stage.shape[0]} maps of {height} × {width} at the {stage.name}")
        case (10,):
            body = _scores(stage.values)
        case _:
            body = _numbers(stage.values.flatten(), stage.name)
    return _item(stage.name, _shape(stage.shape), stage.what, body)


def _item(name: str, shape: str, what: str, body: str) -> str:
    title = f'<div class="fm-title"><b>{escape(name[0].upper() + name[1:])}</b><span class="fm-shape">{escape(shape)}</span></div>'
    return f'<li>{title}<div class="fm-what">{escape(what)}</div>{body}</li>'


def _shape(shape: tuple[int, ...]) -> str:
    """(32, 28, 28) -> "32 × 28 × 28 = 25,088 numbers"."""
    whole = f"{prod(shape):,} numbers"
    return whole if len(shape) == 1 else f"{' × '.join(map(str, shape))} = {whole}"


def _maps(values: "Tensor", name: str, alternative: str, classes: str = "") -> str:
    """One small square for each map, cut out of a single sheet: float (C, H, W)."""
    count, side = values.shape[0], values.shape[-1]
    sheet = thumbnails.png(_painted(values.permute(1, 0, 2).reshape(values.shape[1], -1)))
    cells = "".join(f'<div style="background-position: {100 * index / max(1, count - 1):.4f}% 0"></div>' for index in range(count))
    shape = f"<style>.{name} > div {{ background-image: url({sheet}); background-size: {100 * count}% 100%; }}</style>"
    pixels = side * max(round(2 * sqrt(28 / side)), 27 // side)  # a whole number for each of the map, so that all are equally large
    opening = f'<div class="fm-maps {classes} {name}" style="--side: {pixels}px" role="img" aria-label="{escape(alternative)}">'
    return f"{shape}{opening}{cells}</div>"


def _painted(values: "Tensor") -> np.ndarray:
    """Grey where nothing is below zero, else blue, white and red: all maps of a stage on one scale, so that they can be compared."""
    most = max(float(np.quantile(values.abs().numpy(), BRIGHT)), 1e-9)
    return heat.signed(values / most) if bool((values < 0).any()) else heat.grey(values / most)


def _filters(filters: "Tensor") -> str:
    count = len(filters)
    body = _maps(filters, "fm-stage-filters", f"The {count} filters of the first convolution, 3 × 3 weights each", "fm-filters")
    what = "what it looks for: each filter slides over the image; red weights want bright pixels, blue ones dark pixels"
    return _item("filters of the 1st convolution", _shape(tuple(filters.shape)), what, body)


def _numbers(values: "Tensor", name: str) -> str:
    """A row of numbers, broken into lines: one square each."""
    count = len(values)
    rows = next(rows for rows in range(max(1, isqrt(count // 4)), 0, -1) if count % rows == 0)
    source = thumbnails.png(_painted(values.reshape(rows, -1)))
    return f'<img class="fm-numbers" style="aspect-ratio: {count // rows} / {rows}" src="{source}" alt="{count:,} numbers: {escape(name)}">'


def _scores(values: "Tensor") -> str:
    from fmnist.data import CLASS_NAMES

    most = int(values.argmax())
    cells = (
        f"<div{' class=fm-most' * (index == most)}><span>{_with_sign(score)}</span>{escape(CLASS_NAMES[index])}</div>"
        for index, score in enumerate(values.tolist())
    )
    return f'<div class="fm-scores">{"".join(cells)}</div>'


def _with_sign(number: float) -> str:
    return f"{number:+.2f}".replace("-", "−")
