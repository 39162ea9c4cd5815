"""A second model on the same images: which is better, whether that is chance, what it fixes and what it breaks."""

from typing import TYPE_CHECKING

import streamlit as st

from fmnist.errors import FmnistError
from fmnist.run import Run
from ui import boundary, choices, judged, model_choice, state
from ui.evaluation import cell_filter, image_list, matrix
from ui.evaluation.evaluated import View
from ui.evaluation.matrix import Chosen
from ui.labels import points

if TYPE_CHECKING:
    from torch import Tensor

    from fmnist.comparison import Comparison

CHANGES = {"fixed": "Fixed", "broken": "Broken", "both wrong": "Both wrong"}


def show(view: View, chosen: Chosen | None) -> None:
    """Choose another model and see both side by side; the model of the page is the first one."""
    if len(model_choice.names()) < 2:
        st.info("There is only one model. Train another one, and compare both here, image by image.", icon=":material/compare_arrows:")
        return
    word = model_choice.ask("Compare it with", "other", without=view.word)
    try:
        other = judged.model(word)
        outputs = judged.outputs(word, view.split)
    except FmnistError as error:  # the first model's figures above stay
        boundary.show(error)
        return
    if len(outputs) != len(view.outputs) or not bool((outputs.indices == view.outputs.indices).all()):
        st.warning("These two models held back different validation images, so they cannot be compared on them. Choose the test images.")
        return
    _compare(view, model_choice.called(word, other), word, outputs.logits, chosen)


def _compare(view: View, name: str, word: str, logits: "Tensor", chosen: Chosen | None) -> None:
    from fmnist import comparison

    first, truth = view.judgements.guess, view.judgements.truth
    confidence, second = logits.softmax(1).max(1)
    found = comparison.compare(first, second, truth)
    names = (_called(view), name)
    _verdict(view, model_choice.run_of(word), names, second)
    _figures(found, names)
    table, beside = st.columns([7, 3], gap="large")
    with table:
        st.caption(f"How the matrix of {names[1]} differs from that of {names[0]}: blue is better, orange is worse.")
        wanted = matrix.show(
            comparison.difference_matrix(first, second, truth).tolist(),
            order=list(range(10)),
            mode="difference",
            diagonal=True,
            selected=chosen,
            key="evaluate.difference",
        )
    with beside:
        _counts(found, names)
    if wanted != chosen:
        cell_filter.write(wanted)
        st.rerun()  # the filter stands further up
    _pictures(view, chosen, names[1], second, confidence)


def _verdict(view: View, other: Run | None, names: tuple[str, str], second: "Tensor") -> None:
    """The sentence, and on the test images what it rests on: there the runs of other seeds have figures too."""
    from fmnist import seeds, verdict

    recipes = [seeds.recipe(run.config) for run in (view.run, other) if run and run.config]
    known = seeds.spread(state.store().runs(), recipes) if view.split == "test" else None
    sides = (verdict.Side(names[0], view.judgements.guess[None]), verdict.Side(names[1], second[None]))
    found = verdict.judge(*sides, view.judgements.truth, known)
    st.markdown(f"**{verdict.sentence(found)}**")
    if view.split == "test":
        st.caption(" ".join(verdict.reasons(found)))


def _called(view: View) -> str:
    name = model_choice.called(view.word, view.model)
    return f"{name} after epoch {view.epoch}" if view.epoch else name


def _figures(found: "Comparison", names: tuple[str, str]) -> None:
    low, high = found.interval
    with st.container(horizontal=True, gap="medium"):
        st.metric("Difference", points(found.difference), width="content", help=f"The accuracy of {names[1]} less that of {names[0]}.")
        st.metric(
            "95 % interval",
            f"{100 * low:+.2f} to {100 * high:+.2f}",
            width="content",
            help="Of the difference, in points (Newcombe's method 10).",
        )
        p = "< 0.001" if found.p_value < 0.001 else f"{found.p_value:.3f}"
        st.metric(
            "McNemar's p", p, width="content", help="How often two models that are as good as each other differ so much by chance alone."
        )


def _counts(found: "Comparison", names: tuple[str, str]) -> None:
    st.metric("Fixed", f"{found.fixed:,}", help=f"{names[0]} is wrong, {names[1]} is right.")
    st.metric("Broken", f"{found.broken:,}", help=f"{names[0]} is right, {names[1]} is wrong.")
    st.metric("Both right", f"{found.both_right:,}")
    st.metric("Both wrong", f"{found.both_wrong:,}")


def _pictures(view: View, chosen: Chosen | None, name: str, second: "Tensor", confidence: "Tensor") -> None:
    """The images that the second model fixes, breaks, or gets wrong as well."""
    from fmnist import comparison
    from fmnist.data import CLASS_NAMES

    found = {
        change: cell_filter.fitting(
            chosen,
            comparison.positions(view.judgements.guess, second, view.judgements.truth, change),
            view.judgements.truth,
            view.judgements.guess,
            second,
        )
        for change in CHANGES
    }
    change = choices.one_of("Images", {each: f"{word} ({len(found[each]):,})" for each, word in CHANGES.items()}, key="change")
    if not len(found[change]):
        st.info("No such image here.", icon=":material/check:")
        return
    notes = [f"other: {CLASS_NAMES[guess]} {share:.0%}" for guess, share in zip(second.tolist(), confidence.tolist(), strict=True)]
    st.caption(f"Each image shows what {_called(view)} says; the line below it is what {name} says.")
    image_list.pages(view, found[change], (*view.key, name, chosen, change), notes, key="evaluate.changes")
