"""What an answer is like: the mean image of that class, and the training images that the model finds most alike."""

from html import escape
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from ui import state, thumbnails
from ui.picture import lookalikes
from ui.trying.film_strip import STYLE

if TYPE_CHECKING:
    from torch import Tensor

    from fmnist.outputs import Outputs
    from fmnist.prediction import Model

COUNT = 5


def show(image: "Tensor", guess: int, word: str) -> None:
    """The mean image of the class that was guessed and the five nearest training images.

    Args:
        image: uint8 (28, 28), what the model was given.
        guess: its class, 0-9.
        word: the model.
    """
    dataset = state.dataset_preparation().dataset
    if dataset is None:
        st.caption("What it resembles is shown once the dataset is here; the Overview says how far that is.")
        return
    from fmnist.data import CLASS_NAMES

    st.subheader("What it resembles", anchor=False)
    figures = [_figure(_mean_image(guess), f"Mean {CLASS_NAMES[guess]}", "of 6,000 training images")]
    found = _looked_through(word)
    if found is not None:
        indices, cosines = _nearest(found, state.model(word), image)
        labels = dataset.train.labels[indices].tolist()
        for index, label, cosine in zip(indices.tolist(), labels, cosines.tolist(), strict=True):
            pixels = dataset.train.images[index].numpy()
            figures.append(_figure(pixels, CLASS_NAMES[label], f"image {index}, alike {cosine:.2f}"))
    st.html(f'{STYLE}<div class="fm-like">{"".join(figures)}</div>')


def _looked_through(word: str) -> "Outputs | None":
    """What the model says of the training images, if that is known; else a way to find it out, which takes a minute once."""
    if not st.session_state.get("try.nearest") and not _on_disk(word):
        st.button(
            "Find the five nearest training images",
            icon=":material/search:",
            key="try.nearest.find",
            on_click=lambda: st.session_state.update({"try.nearest": True}),
            help="For this the model looks at all 60,000 training images, once. It takes a minute or so in the background.",
        )
        return None
    return lookalikes.looked_through(word, "try.nearest")


def _on_disk(word: str) -> bool:
    from fmnist.outputs import kept_in

    return kept_in(state.model(word), "train").exists()


def _nearest(train: "Outputs", model: "Model", image: "Tensor") -> "tuple[Tensor, Tensor]":
    import torch

    from fmnist.neighbours import nearest
    from fmnist.outputs import compute

    torch.set_num_threads(1)  # of this thread alone: one image is not worth waking others
    _, features = compute(model, image[None])
    return nearest(train.features, features[0], COUNT)


@st.cache_data(show_spinner=False)
def _mean_image(label: int) -> np.ndarray:
    """uint8 (28, 28)"""
    from fmnist.class_statistics import describe

    train = state.dataset().train
    [of_class] = describe(train.take(train.labels == label))
    return of_class.mean_image.round().numpy().astype(np.uint8)


def _figure(pixels: np.ndarray, name: str, note: str) -> str:
    return (
        f'<figure><img src="{thumbnails.png(pixels)}" alt="{escape(name)}, {escape(note)}">'
        f'<figcaption>{escape(name)}<div class="fm-note">{escape(note)}</div></figcaption></figure>'
    )
