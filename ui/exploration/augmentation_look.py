"""What each augmentation does to an image, before somebody trains with it."""

from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from ui import choices, state, thumbnails

if TYPE_CHECKING:
    from torch import Tensor

    from fmnist.config import TrainConfig

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
    images = _images(label, st.session_state.setdefault(_SEED, 0))
    st.html(rows(drawn(images, shift, st.session_state[_SEED])))
    st.caption(
        "These are the training's own functions. In a training each epoch draws anew: it mirrors half of the images and covers a part of "
        "the share that is chosen. Test and validation images are never changed."
    )


def drawn(images: "Tensor", shift: int, seed: int) -> "list[tuple[str, str, Tensor]]":
    """Name, explanation, and the images: uint8 (N, 28, 28) as they are, and under each augmentation."""
    from fmnist.config import TrainConfig

    at_work = TrainConfig(flip=True, shift=shift, erase=1.0, seed=seed, clean_epochs=0)
    return [
        ("As it is", "", images),
        ("Flip", "mirrored, left to right", _changed(images, at_work, "flip")),
        ("Shift", f"moved by up to {shift} pixel{'s' if shift > 1 else ''}", _changed(images, at_work, "shift")),
        ("Random erasing", "a black rectangle of 5 to 14 pixels a side", _changed(images, at_work, "erase")),
        ("All together", "as one epoch would show them", _changed(images, at_work, "flip", "shift", "erase")),
        ("The next epoch", "the same images, drawn anew", _changed(images, at_work, "flip", "shift", "erase", epoch=1)),
    ]


def _changed(images: "Tensor", config: "TrainConfig", *kinds: str, epoch: int = 0) -> "Tensor":
    """The images in their own order, changed in these ways only; a flip on its own mirrors every one, so that it is seen."""
    from dataclasses import replace

    import torch

    from fmnist import augment

    plan = augment.plan(config, epoch, len(images))
    plan = replace(
        plan,
        order=torch.arange(len(images)),
        flip=(torch.ones_like(plan.flip) if kinds == ("flip",) else plan.flip) if "flip" in kinds and plan.flip is not None else None,
        shift=plan.shift if "shift" in kinds else None,
        erase=plan.erase if "erase" in kinds else None,
    )
    return augment.batch(augment.padded(images, config), config, plan, slice(0, len(images)))


def rows(found: "list[tuple[str, str, Tensor]]") -> str:
    """A row of images for each augmentation as HTML."""
    made = []
    for name, what, images in found:
        strip = thumbnails.png(images.permute(1, 0, 2).reshape(28, -1).numpy())
        words = f"<div><strong>{escape(name)}</strong><span>{escape(what)}</span></div>"
        made.append(f'<div>{words}<img src="{strip}" alt="{len(images)} images: {escape(name)}, {escape(what)}"></div>')
    return f'{_STYLE}<div class="fm-rows">{"".join(made)}</div>'


@st.cache_data(show_spinner=False, max_entries=64)
def _images(label: int | None, seed: int) -> "Tensor":
    """One training image of each class, or ten of one: uint8 (10, 28, 28)."""
    import torch

    train, generator = state.dataset().train, torch.Generator().manual_seed(seed)
    classes = range(IMAGES) if label is None else [label] * IMAGES
    of_class = [(train.labels == each).nonzero()[:, 0] for each in classes]
    return train.images[torch.stack([indices[torch.randint(len(indices), (1,), generator=generator)[0]] for indices in of_class])]


def _draw_again() -> None:
    st.session_state[_SEED] += 1
