"""Pictures of the dataset for the first page: examples of each class, and the bundled model at work."""

from pathlib import Path
from random import Random

import streamlit as st

from ui import model_choice, preparation, state, thumbnails

COLUMNS = 12  # examples of each class, and pictures for the model
_BUNDLED = Path(__file__).parents[1] / "fmnist" / "assets" / "bundled.safetensors"  # the same path as fmnist.prediction, without torch


def dataset_at_a_glance() -> None:
    """Ten classes with twelve examples each; while the dataset is not there yet, how it is got."""
    prepared = state.dataset_preparation()
    if prepared.dataset is None:
        preparation.show(prepared)
        return
    st.html(_sheet())
    st.caption(f"The first {COLUMNS} training images of each class, 28 × 28 grey pixels each.")


@st.cache_data(show_spinner=False)
def _sheet() -> str:
    import torch

    from fmnist.data import CLASS_NAMES

    train = state.dataset().train
    first = [torch.nonzero(train.labels == label)[:COLUMNS, 0] for label in range(len(CLASS_NAMES))]
    return thumbnails.sheet(torch.stack([train.images[indices] for indices in first]), CLASS_NAMES)


def bundled_at_work() -> None:
    """Test images with what the bundled model says of them; nothing without the model or before the dataset is there."""
    if not _BUNDLED.exists() or state.dataset_preparation().dataset is None:
        return
    st.subheader("The bundled model at work")
    st.caption("A trained network comes with the studio. This is what it says of test images, and how sure it is; mistakes have a frame.")
    _guesses()


@st.fragment
def _guesses() -> None:
    from fmnist.data import CLASS_NAMES
    from fmnist.prediction import predict

    test = state.dataset().test
    chosen = test.take(Random(st.session_state.setdefault("examples.seed", 0)).sample(range(len(test)), COLUMNS))
    shares, indices = predict(state.model(model_choice.BUNDLED), chosen.images).max(1)
    guesses, truth = indices.tolist(), chosen.labels.tolist()
    wrong = [guess != label for guess, label in zip(guesses, truth, strict=True)]
    notes = [f"{share:.0%}" for share in shares.tolist()]
    notes = [f"{note}, truly {CLASS_NAMES[label]}" if bad else note for note, bad, label in zip(notes, wrong, truth, strict=True)]
    st.html(thumbnails.grid(chosen.images, [CLASS_NAMES[guess] for guess in guesses], notes, wrong))
    st.button("Show others", icon=":material/shuffle:", key="examples.others", on_click=_others)


def _others() -> None:
    st.session_state["examples.seed"] += 1
