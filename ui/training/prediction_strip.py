"""How a handful of pictures is classified right now: the preview that a worker writes about once a second."""

from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.components.v2 import component

from fmnist.config import TrainConfig
from fmnist.run import Run, Status
from ui import state, thumbnails

_FILES = Path(__file__).with_suffix("")
_draw = component(
    "prediction_strip",
    html='<div class="frame"><div class="strip" role="list" aria-label="Pictures and how they are classified right now"></div></div>',
    css=_FILES.with_suffix(".css").read_text(encoding="utf-8"),
    js=_FILES.with_suffix(".js").read_text(encoding="utf-8"),
)


def show(run: Run, *, key: str) -> None:
    """The pictures, the answer to each and how sure it is; nothing before the first preview or before the dataset is there."""
    if run.preview is None or run.config is None or state.dataset_preparation().dataset is None:
        return
    from fmnist.data import CLASS_NAMES  # with PyTorch, which the dataset has loaded by now

    probabilities: list[list[float]] = run.preview["probabilities"]
    shares = [max(row) for row in probabilities]
    guesses = [row.index(share) for row, share in zip(probabilities, shares, strict=True)]
    truth: list[int] = run.preview["labels"]
    right = sum(guess == label for guess, label in zip(guesses, truth, strict=True))
    which = f"these {len(truth)} {run.preview['split']} images"
    words = f"How it sees {which} right now" if run.status == Status.RUNNING else f"How it saw {which} at its last step"
    st.markdown(f"**{words}:** {right} of {len(truth)} right")
    data: dict[str, Any] = {
        "sheet": _sheet(run.config, tuple(run.preview["images"])),
        "truth": [CLASS_NAMES[label] for label in truth],
        "guess": [CLASS_NAMES[guess] for guess in guesses],
        "share": shares,
    }
    _draw(data=data, key=key)


@st.cache_data(show_spinner=False, max_entries=64)
def _sheet(config: TrainConfig, indices: tuple[int, ...]) -> str:
    """The pictures side by side in one PNG: a data address."""
    from fmnist.data import hold_out

    dataset = state.dataset()
    monitor = hold_out(dataset.train, config)[1] if config.monitor == "validation" else dataset.test
    return thumbnails.png(monitor.images[list(indices)].permute(1, 0, 2).reshape(28, -1).numpy())
