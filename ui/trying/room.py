"""The page Try it below its sections: a picture, what is said of it, and what the model sees. Drawn anew by itself with each stroke."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ui import background, boundary, model_choice
from ui.labels import plain
from ui.picture import clock
from ui.trying import answer, canvas, film_strip, judgement, likeness, models, settings_panel
from ui.trying.judgement import Picture, Verdict

if TYPE_CHECKING:
    from fmnist.pictures import Prepared

TICK_SECONDS = 0.6
STYLE = f"<style>{Path(__file__).with_suffix('.css').read_text(encoding='utf-8')}</style>"


@dataclass(frozen=True)
class Answered:
    """A picture that was answered."""

    prepared: "Prepared"
    first: Verdict | None  # of the first model that could be asked


@st.fragment
def show(section: str) -> None:
    """The input at the left, the answer at the right, the film strip below; the answer is sent to the browser before what it rests on.

    Args:
        section: where the picture comes from: draw, upload, camera, samples.
    """
    st.html(STYLE)
    ready = models.warming()
    top = st.container()
    with st.container(key="try-room"):  # the style sheet places its three parts: on a phone the answer comes between the other two
        given, said, more = st.container(), st.container(), st.container()
    below = st.container()
    with said:
        words_here = st.container()
        words = models.ask()
    picture = _picture(section, top, given, words, bool(ready.result))
    with words_here:
        answered = _answer(section, picture, words, ready)
    if section == "draw":
        with more:
            canvas.actions()
    if answered:
        with below:
            _grounds(answered, len(words) > 1)


def show_mine() -> None:
    """The pictures that were kept, and what the models make of them."""
    word = model_choice.ask("Model", "model")
    ready = models.warming()
    if not ready.result:
        background.show(ready, "Getting ready.")
        return
    from ui.mine import collection

    collection.show(word)


def _picture(section: str, top: DeltaGenerator, given: DeltaGenerator, words: list[str], ready: bool) -> Picture | None:
    """Ask for a picture, in the way that the section is for."""
    if section == "upload":
        from ui.trying import uploads

        with top:
            picture = uploads.show(words, ready)
        with given:
            uploads.preview(picture)
        return picture
    with given:
        if section == "draw":
            return canvas.show()
        if section == "samples":
            from ui.trying import samples

            return samples.show()
        from ui.trying import camera

        return camera.show()


def _invite(section: str) -> None:
    if section == "draw":
        st.subheader("Draw a piece of clothing", anchor=False)
        st.markdown("A T-shirt, trousers, a shoe, a bag: after each stroke the model says what it takes it for. Or begin with these.")
        canvas.begin_with()


def _wait(ready: "background.Job[bool]") -> None:
    """Until models can answer."""
    if ready.error:
        boundary.show(ready.error)
        st.button("Try again", icon=":material/refresh:", key="try.again", on_click=ready.begin)
        return
    st.info(f"{ready.step}. The answer comes in a few seconds; draw or choose meanwhile.", icon=":material/hourglass_top:")
    clock.look_again(TICK_SECONDS, key="try.clock")


def _answer(section: str, picture: Picture | None, words: list[str], ready: "background.Job[bool]") -> Answered | None:
    """What the models say; None when there is nothing to say it of, or nobody who could."""
    if not ready.result and (ready.error or picture or section == "upload"):
        return _wait(ready)
    if picture is None:
        return _invite(section)
    prepared = judgement.prepare(picture, settings_panel.settings())
    verdicts = judgement.judge(prepared, words)
    answer.show(verdicts, prepared)
    first = next((verdict for verdict in verdicts if verdict.prediction), None)
    if section != "samples" and prepared.found:
        from ui.mine import keep

        guess = first.prediction.index if first and first.prediction else None
        keep.offer(picture.image, guess, "try.keep", "drawing" if prepared.kind == "drawing" else "photo")
    return Answered(prepared, first)


def _grounds(answered: Answered, several: bool) -> None:
    """How the picture came to be what the model saw, and what that is like."""
    prepared, first = answered.prepared, answered.first
    if first and first.prediction:
        film_strip.show(prepared, first.word, first.prediction, plain(first.who) if several else None)
    film_strip.panel()
    if first and first.prediction and prepared.found:
        likeness.show(prepared.image, first.prediction.index, first.word)
