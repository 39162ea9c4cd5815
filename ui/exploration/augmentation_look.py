"""What each augmentation does to an image, before somebody trains with it."""

from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from ui import choices, state, thumbnails

if TYPE_CHECKING:
    from torch import Tensor

    from fmnist.config import TrainConfig
    from fmnist.data import Split

IMAGES = 10  # in a row: one of each class, or ten of one
_SEED = "explore.augmentation.seed"
_STYLE = """
<style>
.fm-rows { display: grid; gap: 0.75rem; max-width: 64rem; }
.fm-rows > div { display: grid; grid-template-columns: 11rem 1fr; align-items: center; gap: 0.75rem; }
.fm-rows strong { display: block; font-size: 0.9rem; }
.fm-rows span { display: block; font-size: 0.8rem; line-height: 1.3; opacity: 0.75; }
.fm-rows img { display: block; width: 100%; border-radius: 4px; background: #000; image-rendering: pixelated; }
@media (max-width: 640px) { .fm-rows > div { grid-template-columns: 1fr; gap: 0.25rem; } }
</style>
"""


def show() -> None:
    """The same images under each augmentation, as the training would draw them."""
    from fmnist.data import CLASS_NAMES

    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        label = choices.class_of(CLASS_NAMES)
        shift = st.slider("Shift by up to (pixels)", 1, 6, 2, key="shift", bind="query-params", width=220)
        st.button("Draw again", icon=":material/shuffle:", on_click=_draw_again, key="explore.augmentation.again")
    some = _images(label, st.session_state.setdefault(_SEED, 0))
    st.html(rows(drawn(some, shift, st.session_state[_SEED])))
    st.caption(
        "These are the training's own functions. In a training each epoch draws anew: it mirrors half of the images and covers a part of "
        "the share that is chosen. Test and validation images are never changed."
    )


def drawn(split: "Split", shift: int, seed: int) -> "list[tuple[str, str, Tensor]]":
    """Name, explanation, and the images: uint8 (N, 28, 28) as they are, and under each augmentation."""
    from fmnist.config import TrainConfig

    at_work = TrainConfig(flip=True, shift=shift, erase=1.0, views=1.0, outliers=0.5, seed=seed, clean_epochs=0)
    return [
        ("As it is", "", split.images),
        ("Flip", "mirrored, left to right", _changed(split, at_work, "flip")),
        ("Shift", f"moved by up to {shift} pixel{'s' if shift > 1 else ''}", _changed(split, at_work, "shift")),
        ("Random erasing", "a black rectangle of 5 to 14 pixels a side", _changed(split, at_work, "erase")),
        ("Drawn or photographed", "as somebody may have drawn or photographed it", _changed(split, at_work, "view")),
        ("No clothes", "what is shown in its place, and the network shall not be sure about", _changed(split, at_work, "outlier")),
        ("The first three together", "as one epoch would show them", _changed(split, at_work, "flip", "shift", "erase")),
        ("The next epoch", "the same images, drawn anew", _changed(split, at_work, "flip", "shift", "erase", epoch=1)),
    ]


def _changed(split: "Split", config: "TrainConfig", *kinds: str, epoch: int = 0) -> "Tensor":
    """The images in their own order, changed in these ways only; on its own, a way that takes a share of the images takes every one."""
    from dataclasses import replace

    import torch

    from fmnist import augment

    plan = augment.plan(config, epoch, len(split))
    nothing = dict.fromkeys(("flip", "shift", "erase", "view", "outlier"))
    wanted = {kind: getattr(plan, kind) for kind in kinds}
    if kinds in (("flip",), ("view",), ("outlier",)):
        wanted = {kinds[0]: torch.ones(len(split), dtype=torch.bool)}
    plan = replace(plan, **nothing | wanted | {"order": torch.arange(len(split))})
    return augment.batch(augment.stock(split, config), config, plan, slice(0, len(split)))


def rows(found: "list[tuple[str, str, Tensor]]") -> str:
    """A row of images for each augmentation as HTML."""
    made = []
    for name, what, images in found:
        strip = thumbnails.png(images.permute(1, 0, 2).reshape(28, -1).numpy())
        words = f"<div><strong>{escape(name)}</strong><span>{escape(what)}</span></div>"
        made.append(f'<div>{words}<img src="{strip}" alt="{len(images)} images: {escape(name)}, {escape(what)}"></div>')
    return f'{_STYLE}<div class="fm-rows">{"".join(made)}</div>'


@st.cache_data(show_spinner=False, max_entries=64)
def _images(label: int | None, seed: int) -> "Split":
    """One training image of each class, or ten of one."""
    import torch

    train, generator = state.dataset().train, torch.Generator().manual_seed(seed)
    classes = range(IMAGES) if label is None else [label] * IMAGES
    of_class = [(train.labels == each).nonzero()[:, 0] for each in classes]
    return train.take(torch.stack([indices[torch.randint(len(indices), (1,), generator=generator)[0]] for indices in of_class]))


def _draw_again() -> None:
    st.session_state[_SEED] += 1
