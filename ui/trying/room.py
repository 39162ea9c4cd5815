"""The page Try it below its sections: a picture, what is said of it, and what the model sees. Drawn anew by itself with each stroke."""

from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ui import background, boundary, model_choice
from ui.labels import plain
from ui.picture import clock
from ui.trying import answer, canvas, film_strip, judgement, likeness, models, settings_panel
from ui.trying.judgement import Picture

TICK_SECONDS = 0.6
STYLE = f"<style>{Path(__file__).with_suffix('.css').read_text(encoding='utf-8')}</style>"


@st.fragment
def show(section: str) -> None:
    """The input at the left, the answer at the right, the film strip below.

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
    if section == "upload":
        from ui.trying import uploads

        with top:
            picture = uploads.show(words, bool(ready.result))
        with given:
            uploads.preview(picture)
    else:
        with given:
            picture = _picture(section)
    if section == "draw":
        with more:
            canvas.actions()
    with words_here:
        if picture is None:
            _invite(section)
        elif ready.error:
            boundary.show(ready.error)
            st.button("Try again", icon=":material/refresh:", key="try.again", on_click=ready.begin)
        elif ready.result:
            _answer(picture, words, below, keep=section != "samples")
        else:
            _wait(ready.step)


def show_mine() -> None:
    """The pictures that were kept, and what the models make of them."""
    word = model_choice.ask("Model", "model")
    ready = models.warming()
    if not ready.result:
        background.show(ready, "Getting ready.")
        return
    from ui.mine import collection

    collection.show(word)


def _picture(section: str) -> Picture | None:
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


def _wait(step: str) -> None:
    """Until models can answer."""
    st.info(f"{step}. The answer comes in a few seconds; draw or choose meanwhile.", icon=":material/hourglass_top:")
    clock.look_again(TICK_SECONDS, key="try.clock")


def _answer(picture: Picture, words: list[str], below: DeltaGenerator, keep: bool) -> None:
    """What the models say first, then how the picture came to be what they saw.

    Args:
        keep: whether it can be kept among a person's own pictures.
    """
    prepared = judgement.prepare(picture, settings_panel.settings())
    verdicts = judgement.judge(prepared, words)
    answer.show(verdicts, prepared)
    first = next((verdict for verdict in verdicts if verdict.prediction), None)
    if keep and prepared.found:
        from ui.mine import keep as keeping

        guess = first.prediction.index if first and first.prediction else None
        keeping.offer(picture.image, guess, "try.keep", "drawing" if prepared.kind == "drawing" else "photo")
    with below:
        if first and first.prediction:
            film_strip.show(prepared, first.word, plain(first.who) if len(words) > 1 else None)
        film_strip.panel()
        if first and first.prediction and prepared.found:
            likeness.show(prepared.image, first.prediction.index, first.word)
