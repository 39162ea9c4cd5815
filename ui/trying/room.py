"""The page Try it below its choices: a picture, what is said of it, and what the model sees. Drawn anew by itself with each stroke."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ui import boundary
from ui.labels import plain
from ui.picture import clock
from ui.trying import answer, canvas, film_strip, judgement, likeness, models, settings_panel
from ui.trying.judgement import Picture

TICK_SECONDS = 0.6
LEFT = 420  # pixels: the canvas fits, and so does a phone, where the answer goes below


@st.fragment
def show(section: str, words: list[str]) -> None:
    """The input at the left, the answer at the right, the film strip below.

    Args:
        section: where the picture comes from: draw, upload, camera, samples.
        words: of the models that are asked.
    """
    ready = models.warming()
    both = st.container(horizontal=True, gap="large")
    given, said = both.container(width=LEFT), both.container(width="stretch")
    with given:
        picture = _picture(section, words, bool(ready.result))
    below = st.container()
    with said:
        if picture is None and section not in ("upload", "camera"):
            _invite()
        elif ready.error:
            boundary.show(ready.error)
            st.button("Try again", icon=":material/refresh:", key="try.again", on_click=ready.begin)
        elif not ready.result:
            st.info(f"{ready.step}. The answer comes in a few seconds; draw or choose meanwhile.", icon=":material/hourglass_top:")
            clock.look_again(TICK_SECONDS, key="try.clock")
        elif picture is not None:
            _answer(picture, words, below)


def _picture(section: str, words: list[str], ready: bool) -> Picture | None:
    if section == "draw":
        return canvas.show()
    if section == "samples":
        from ui.trying import samples

        return samples.show()
    if section == "camera":
        from ui.trying import camera

        return camera.show()
    from ui.trying import uploads

    return uploads.show(words, ready)


def _invite() -> None:
    st.subheader("Draw a piece of clothing", anchor=False)
    st.markdown("A T-shirt, trousers, a shoe, a bag: after each stroke the model says what it takes it for. Or begin with one of these.")
    canvas.begin_with()


def _answer(picture: Picture, words: list[str], below: DeltaGenerator) -> None:
    """What the models say first, then how the picture came to be what they saw."""
    prepared = judgement.prepare(picture, settings_panel.settings())
    verdicts = judgement.judge(prepared, words)
    answer.show(verdicts, prepared)
    first = next((verdict for verdict in verdicts if verdict.prediction), None)
    with below:
        if first and first.prediction:
            film_strip.show(prepared, first.word, plain(first.who) if len(words) > 1 else None)
        film_strip.panel()
        if first and first.prediction and prepared.found:
            likeness.show(prepared.image, first.prediction.index, first.word)
