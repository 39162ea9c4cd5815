"""The figures of a model on a split, beside those of the published reference."""

import streamlit as st

from ui.evaluation.evaluated import View
from ui.labels import REFERENCE_ACCURACY, REFERENCE_LOSS, percent, points


def show(view: View) -> None:
    """Accuracy with its interval, loss, macro F1 and calibration error; on test images the difference to the reference."""
    report, on_test = view.report, view.split == "test"
    low, high = report.accuracy_interval
    right = sum(report.confusion[label][label] for label in range(len(report.confusion)))
    with st.container(horizontal=True, gap="medium", key="evaluate-headline"):
        st.metric(
            "Accuracy",
            percent(report.accuracy),
            points(report.accuracy - REFERENCE_ACCURACY) if on_test else None,
            width="content",
            help=f"{right:,} of {len(view.outputs):,} images. The difference is to the published reference, {percent(REFERENCE_ACCURACY)}.",
        )
        st.metric(
            "95 % interval",
            f"{100 * low:.2f} – {percent(high)}",
            width="content",
            help="Where the accuracy on any number of such images lies, 95 times in 100 (Wilson's interval).",
        )
        st.metric(
            "Loss",
            f"{report.loss:.4f}",
            f"{report.loss - REFERENCE_LOSS:+.4f}" if on_test else None,
            delta_color="inverse",
            width="content",
            help=f"Mean cross-entropy: it also counts how sure a wrong answer is. The reference has {REFERENCE_LOSS:.4f}.",
        )
        st.metric("Macro F1", f"{report.macro_f1:.4f}", width="content", help="The mean F1 of the ten classes, each weighted alike.")
        st.metric(
            "Calibration error",
            percent(report.ece),
            width="content",
            help="How far its confidence is from its accuracy, on average (ECE, 15 bins): 0 is perfect. See Calibration below.",
        )
    st.caption(_about(view))


def _about(view: View) -> str:
    when = f"After epoch {view.epoch}, on" if view.epoch else "On"
    judged = f"{when} {len(view.outputs):,} {view.split} images"
    if view.split == "test":
        return f"{judged}. Differences are to the published reference: {percent(REFERENCE_ACCURACY)}, loss {REFERENCE_LOSS:.4f}."
    return f"{judged}, which were held back from its training. The published reference is known on the test images only."
