"""Which models are asked, and what they need before they can answer: PyTorch takes seconds to import, and no page waits for it."""

from contextlib import suppress

import streamlit as st

from fmnist.errors import FmnistError
from ui import background, model_choice, state

MOST = 4  # models beside each other
KEY = "models"  # not "model", which other pages use for one


def ask() -> list[str]:
    """Let a person choose one model or several; their words stand in the address, separated by commas."""
    named = model_choice.names()
    asked = st.query_params.get(KEY, model_choice.BUNDLED)
    words = list(dict.fromkeys(word for word in asked.split(",") if word))[:MOST] or [model_choice.BUNDLED]
    named |= {word: f"{word[:40]} (not available)" for word in words if word not in named}
    if KEY not in st.session_state or st.session_state.get(f"{KEY}.said") != asked:
        st.session_state[KEY] = words
    st.session_state[f"{KEY}.said"] = asked
    chosen = st.multiselect(
        "Models",
        list(named),
        key=KEY,
        format_func=lambda word: named[word],
        max_selections=MOST,
        on_change=_tell,
        width="stretch",
        placeholder="The bundled model",
        help="One model, or up to four side by side. What it sees and what is most alike is said of the first.",
    )
    return chosen or [model_choice.BUNDLED]


def _tell() -> None:
    words = st.session_state[KEY] or [model_choice.BUNDLED]
    if words == [model_choice.BUNDLED]:
        st.query_params.pop(KEY, None)
    else:
        st.query_params[KEY] = ",".join(words)
    st.session_state[f"{KEY}.said"] = st.query_params.get(KEY, model_choice.BUNDLED)


def warming() -> "background.Job[bool]":
    """The import of what is heavy, once for the server; begun by the first who asks. Its result is there when models can answer."""
    job = _warming()
    if job.error is None:
        job.begin()
    return job


def called(word: str) -> str:
    """What a model is called above its answer."""
    return model_choice.names().get(word, word)


@st.cache_resource(show_spinner=False)
def _warming() -> "background.Job[bool]":
    return background.Job(_warm, "Starting PyTorch")


def _warm(job: "background.Job[bool]") -> bool:
    """One answer to nothing: after it everything that is imported late is there."""
    import torch
    from PIL import Image

    from fmnist import pictures
    from fmnist.prediction import classify

    job.say("Reading the model")
    torch.set_num_threads(1)
    with suppress(FmnistError):  # who asks for that model is told
        classify(state.model(model_choice.BUNDLED), [pictures.to_image(Image.new("L", (64, 64)))])
    return True
