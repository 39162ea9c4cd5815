"""Whether a model is as sure as it is right, what a temperature does to that, and what it gains by keeping silent when it is unsure."""

from typing import TYPE_CHECKING

import streamlit as st

from ui import background, judged
from ui.evaluation import figures, time_machine
from ui.evaluation.evaluated import View
from ui.evaluation.matrix import Chosen
from ui.labels import percent, points

if TYPE_CHECKING:
    from torch import Tensor

ABSTAINS = 0.05  # the share of images that the threshold begins with
NEAR_ONE = 0.02  # a temperature as near to 1 as this changes nothing that a person could see


def show(view: View, chosen: Chosen | None) -> None:
    """Reliability and confidence before and after, then coverage against accuracy; all on the images that the filter leaves."""
    kept = _kept(view, chosen)
    if not bool(kept.any()):
        st.info("No image fits this filter, so there is nothing to measure.", icon=":material/filter_alt_off:")
        return
    logits = time_machine.logits(view.past, view.epoch) if view.past and view.epoch else view.outputs.logits
    logits, labels = logits[kept], view.outputs.labels[kept]
    st.subheader("Calibration", anchor=False)
    _calibration(view, logits, labels)
    st.subheader("May it keep silent?", anchor=False)
    _silence(view, chosen, logits, labels)


def _kept(view: View, chosen: Chosen | None) -> "Tensor":
    """bool (N,): the images of the filter."""
    import torch

    truth, guess = chosen or Chosen(None, None)
    kept = torch.ones(len(view.judgements), dtype=torch.bool)
    if truth is not None:
        kept &= view.judgements.truth == truth
    if guess is not None:
        kept &= view.judgements.guess == guess
    return kept


def _calibration(view: View, logits: "Tensor", labels: "Tensor") -> None:
    from fmnist.calibration import reliability

    before = reliability(logits.softmax(1), labels)
    temperature = None if view.epoch else _temperature(view)
    after = reliability((logits / temperature).softmax(1), labels) if temperature else None
    _said(view, temperature, before.error, after.error if after else None)
    for column, chart in zip(st.columns(2), (figures.reliability(before, after), figures.confidence(before, after)), strict=True):
        column.plotly_chart(chart.figure, alt=chart.alt, config={"displaylogo": False})


def _said(view: View, temperature: float | None, before: float, after: float | None) -> None:
    """What the temperature does, or why there is none."""
    if temperature and after is not None:
        kind = "about as sure as it should be"
        if abs(temperature - 1) > NEAR_ONE:
            kind = "too sure of itself" if temperature > 1 else "less sure of itself than it could be"
        same = " Here it is shown on the very images that it was fitted on." if view.split == "validation" else ""
        st.markdown(
            f"Its calibration error is **{percent(before)}**. Divided by a temperature of **{temperature:.3f}**, its logits have "
            f"**{percent(after)}** ({points(after - before)}): it is {kind}. The temperature was fitted on its validation images only; "
            f"its guesses stay the same.{same}"
        )
    elif view.epoch:
        st.markdown(f"Its calibration error was **{percent(before)}**. A temperature is fitted for the newest epoch only.")
    elif not _has_validation(view):
        st.markdown(
            f"Its calibration error is **{percent(before)}**. A temperature could lower it, but this model was trained on every image, "
            "so it has no validation images to fit one on; on test images it would be peeking."
        )


def _has_validation(view: View) -> bool:
    from fmnist.outputs import available

    return "validation" in available(view.model)


def _temperature(view: View) -> float | None:
    """Fitted on validation images; while what the model says of them is computed, a bar shows how far that is."""
    if not _has_validation(view):
        return None
    job = judged.begin(view.word, "validation")
    if job.result is None:
        background.show(job, "Fitting a temperature needs what it says of its validation images.")
        return None
    return _fitted(view.model.sha256, job.result.logits, job.result.labels)


@st.cache_data(show_spinner=False, max_entries=32)
def _fitted(sha256: str, _logits: "Tensor", _labels: "Tensor") -> float:
    from fmnist.calibration import fit_temperature

    return fit_temperature(_logits, _labels)


def _silence(view: View, chosen: Chosen | None, logits: "Tensor", labels: "Tensor") -> None:
    from fmnist.calibration import at_coverage, at_threshold, coverage

    confidence, guess = logits.softmax(1).max(1)
    right = guess == labels
    first = at_coverage(confidence, right, 1 - ABSTAINS).threshold
    about = hash((*view.key, chosen))
    threshold = st.slider(
        "It answers only when it is at least this sure",
        0.0,
        100.0,
        round(100 * first, 1),
        0.1,
        format="%.1f %%",
        key=f"evaluate.threshold.{about}",
        width=520,
    )
    kept = at_threshold(confidence, right, threshold / 100)
    st.markdown(sentence(1 - kept.share, kept.accuracy))
    chart = figures.coverage(coverage(confidence, right), kept)
    st.plotly_chart(chart.figure, alt=chart.alt, config={"displaylogo": False})


def sentence(abstains: float, accuracy: float | None) -> str:
    """What silence is worth, in words."""
    if accuracy is None:
        return "At this threshold it says nothing at all."
    if not abstains:
        return f"If it must answer always, it is right on **{percent(accuracy)}**."
    return f"If it may abstain on **{100 * abstains:.1f} %**, it is right on **{percent(accuracy)}** of the rest."
