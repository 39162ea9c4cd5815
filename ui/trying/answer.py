"""What models say of a picture: a word, how sure, ten bars; and calmly that it is like nothing known, when it is."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from ui import boundary
from ui.picture.answers import share
from ui.trying.judgement import Verdict

if TYPE_CHECKING:
    from fmnist.pictures import Prepared
    from fmnist.prediction import Prediction

LEAST = (("very sure", 0.9), ("fairly sure", 0.7))
BETWEEN = 0.7  # the two best together: below, it cannot tell
SECOND = 0.15  # below, the second is not worth a word

_STYLE = f"<style>{Path(__file__).with_suffix('.css').read_text(encoding='utf-8')}</style>"


def show(verdicts: Sequence[Verdict], prepared: "Prepared") -> None:
    """One answer, or several beside each other."""
    answered = [(verdict, verdict.prediction) for verdict in verdicts if verdict.prediction]
    if answered:
        columns = "".join(_column(verdict.who if len(verdicts) > 1 else "", found, prepared) for verdict, found in answered)
        st.html(f'{_STYLE}<div class="fm-says" role="status">{columns}</div>')
    for verdict in verdicts:
        if verdict.error:
            boundary.show(verdict.error)


def sureness(probabilities: Sequence[float]) -> str:
    """How sure a model is, in plain words; names the two classes that it hesitates between."""
    from fmnist.data import CLASS_NAMES

    first, second = sorted(range(len(probabilities)), key=probabilities.__getitem__, reverse=True)[:2]
    for words, least in LEAST:
        if probabilities[first] >= least:
            return words
    if probabilities[second] < SECOND:
        return "not very sure" if probabilities[first] >= 0.5 else "cannot tell"
    if probabilities[first] + probabilities[second] >= BETWEEN:
        return f"between {CLASS_NAMES[first]} and {CLASS_NAMES[second]}"
    return "cannot tell"


def sentence(words: str) -> str:
    """Of remarks and reasons, which begin small and have no full stop."""
    words = words.strip()
    return words[:1].upper() + words[1:] + ("" if words.endswith((".", "!", "?")) else ".") if words else ""


def _column(who: str, said: "Prediction", prepared: "Prepared") -> str:
    name = f'<div class="fm-who">{escape(who)}</div>' if who else ""
    if not prepared.found:
        heading, words = "Nothing to recognise", sentence(said.reason or prepared.reason or "")
    elif not said.familiar:
        heading = "Unlike anything the model was trained on"
        words = f"{sentence(said.reason or '')} If it had to choose: {said.label}, {share(said.confidence)}."
    else:
        heading, words = said.label, f"{sureness(said.probabilities).capitalize()}: {share(said.confidence)}"
        if sureness(said.probabilities).startswith("between"):
            second = sorted(said.probabilities)[-2]
            words = f"It is {sureness(said.probabilities)}: {share(said.confidence)} and {share(second)}"
    calm = "" if said.familiar and prepared.found else ' class="fm-calm"'
    bars = _bars(said.probabilities, said.index) if prepared.found else ""
    return f"<div{calm}>{name}<h3>{escape(heading)}</h3><p>{escape(words)}</p>{bars}{_remarks(prepared)}</div>"


def _remarks(prepared: "Prepared") -> str:
    if not prepared.remarks or not prepared.found:
        return ""
    return f'<p class="fm-remarks">What was noticed: {escape(", ".join(prepared.remarks))}.</p>'


def _bars(probabilities: Sequence[float], top: int) -> str:
    """Ten bars that a screen reader reads as ten lines."""
    from fmnist.data import CLASS_NAMES

    rows = "".join(
        f"<li{' class=fm-top' * (index == top)}><span>{escape(CLASS_NAMES[index])}</span>"
        f'<span class="fm-track" aria-hidden="true"><div class="fm-level" style="width: {100 * probability:.2f}%"></div></span>'
        f'<span class="fm-share">{escape(share(probability))}</span></li>'
        for index, probability in enumerate(probabilities)
    )
    return f'<ul class="fm-bars" aria-label="Probabilities of the ten classes">{rows}</ul>'
