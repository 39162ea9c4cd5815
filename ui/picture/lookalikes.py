"""Which training images a model finds most like an image, and how they are labelled."""

from typing import TYPE_CHECKING

import streamlit as st

from ui import boundary, judged, state, thumbnails
from ui.labels import duration, plain
from ui.picture import clock

if TYPE_CHECKING:
    from torch import Tensor

    from fmnist.outputs import Outputs

COUNT = 10
TICK_SECONDS = 0.7


def show(model_word: str, image: "Tensor", label: int, own: int | None, *, key: str) -> None:
    """Ten training images with their labels; the first time for a model it has to look at all 60,000, which the progress bar shows.

    Args:
        image: uint8 (28, 28).
        label: its true label.
        own: where the image itself stands among the training images, so that it is not its own neighbour; None for a test image.
    """
    train = looked_through(model_word, key)
    if train is None:
        return
    from fmnist.data import CLASS_NAMES
    from fmnist.outputs import compute

    _, features = compute(judged.model(model_word), image[None])
    indices, likeness = _nearest(train, features[0], own)
    labels, name = train.labels[indices].tolist(), CLASS_NAMES[label]
    agree = sum(each == label for each in labels)
    st.markdown(
        f"**{agree} of the {len(labels)} most alike training images are labelled {plain(name)}** like this one; the others have a frame."
    )
    notes = [f"{index} · {cosine:.2f}" for index, cosine in zip(indices.tolist(), likeness.tolist(), strict=True)]
    captions = [CLASS_NAMES[each] for each in labels]
    st.html(thumbnails.grid(state.dataset().train.images[indices], captions, notes, [each != label for each in labels]))
    st.caption(
        "Alike means: with nearly the same features, the numbers that the last layer decides on. Below each label is the number of the "
        "training image and the cosine of the angle between the two (1 is the same direction)."
    )


def _nearest(train: "Outputs", features: "Tensor", own: int | None) -> "tuple[Tensor, Tensor]":
    from fmnist.neighbours import nearest

    indices, likeness = nearest(train.features, features, COUNT + (own is not None))
    others = indices != (-1 if own is None else own)
    return indices[others][:COUNT], likeness[others][:COUNT]


def looked_through(word: str, key: str) -> "Outputs | None":
    """What a model says of the training images; None while it is being found out or after an error, which is shown."""
    job = judged.begin(word, "train")
    if job.error:
        boundary.show(job.error)
        st.button("Try again", icon=":material/refresh:", key=f"{key}.again", on_click=job.begin)
    elif job.result is None:
        left = f" About {duration(job.seconds_left)} left." if job.seconds_left else ""
        st.progress(job.fraction, text=f"Looking at all training images, once for this model.{left}")
        clock.look_again(TICK_SECONDS, key=f"{key}.clock")
    return job.result
