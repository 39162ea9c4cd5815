"""What the model sees: the picture after each step on its way to 28 x 28, and what the model would have said of it there."""

import base64
import io
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st
from PIL import Image

from ui import state
from ui.picture.answers import share
from ui.trying import judgement, settings_panel

if TYPE_CHECKING:
    from fmnist.pictures import Prepared, Step
    from fmnist.prediction import Prediction

STYLE = f"<style>{Path(__file__).with_suffix('.css').read_text(encoding='utf-8')}</style>"
LARGEST = 256  # pixels of a side: a frame is 150 wide, on a sharp screen twice as many
SMALL = 64  # up to here pixels are shown as squares


def show(prepared: "Prepared", word: str, said: "Prediction", who: str | None) -> None:
    """The strip, and below it what can be set.

    Args:
        word: the model that is asked at each step.
        said: what it says of the image.
        who: its name, if there are several.
    """
    with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
        st.subheader("What the model sees", anchor=False, width="content")
        if changed := settings_panel.changed():
            with st.container(horizontal=True, vertical_alignment="center", width="content"):
                st.caption(f"Set by you: {', '.join(changed).lower()}", width="content")
                _back("try.automatic")
    guesses = [*judgement.guesses_on_the_way(prepared, word), (said.index, said.confidence)]
    st.html(
        STYLE + f'<ol class="fm-film" tabindex="0" aria-label="The steps, from your picture to the image">{_frames(prepared, guesses)}</ol>'
    )
    st.caption(
        f"Below each step is what {who or 'the model'} would have said if it had got the picture like this, only made grey and small. "
        f"The last one is what it did get.{_also_asked(prepared, word)}"
    )


def _also_asked(prepared: "Prepared", word: str) -> str:
    """Which other views of the picture the answer is the mean of, as a sentence behind another one."""
    if not state.model(word).knows_pictures or prepared.kind == "image" or not prepared.found:
        return ""
    if not prepared.others:
        return " It was also asked about the same mirrored, and the answer is the mean."
    otherwise = {"drawing": "the lines alone", "photo": "the garment cut out by its colour alone"}[prepared.kind]
    return f" It was also asked about {otherwise}, and about both mirrored; in the mean, what seems more familiar counts more."


def panel() -> None:
    """What can be set, folded."""
    with st.expander("Change how the picture is prepared", icon=":material/tune:"):
        settings_panel.show()
        with st.container(horizontal=True, vertical_alignment="center"):
            _back("try.automatic.panel", disabled=not settings_panel.changed())
            st.caption("Everything is automatic until you change it; what you set holds for all pictures on this page.", width="content")


def _back(key: str, disabled: bool = False) -> None:
    st.button("Back to automatic", icon=":material/restart_alt:", key=key, on_click=settings_panel.back_to_automatic, disabled=disabled)


def _frames(prepared: "Prepared", guesses: list[tuple[int, float]]) -> str:
    frames, before = [], None
    for step, (index, probability) in zip(prepared.steps, guesses, strict=True):
        frames.append(_frame(step, index, probability, before is not None and before != index))
        before = index
    return "".join(frames)


def _frame(step: "Step", index: int, probability: float, turns: bool) -> str:
    from fmnist.data import CLASS_NAMES

    guess = f"{CLASS_NAMES[index]}, {share(probability)}"
    small = ' class="fm-small"' if max(step.picture.shape[:2]) <= SMALL else ""
    mark = '<div class="fm-turn">turns the answer</div>' if turns else ""
    note = f'<div class="fm-note">{escape(step.note)}</div>' if step.note else ""
    return (
        f'<li><div class="fm-frame"><img{small} src="{address(step)}" alt="The picture after the step {escape(step.name)}"></div>'
        f'<div class="fm-name">{escape(step.name)}</div><div class="fm-guess">{escape(guess)}</div>{mark}{note}</li>'
    )


def address(step: "Step") -> str:
    """The picture of a step as a data address of a PNG; what is not larger than a frame keeps every pixel."""
    picture = Image.fromarray(step.picture)
    picture.thumbnail((LARGEST, LARGEST), Image.Resampling.BOX)
    file = io.BytesIO()
    picture.save(file, format="PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
