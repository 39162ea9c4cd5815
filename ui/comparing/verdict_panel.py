"""Which of the chosen runs is better, by how much, and whether that is more than chance."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import fmean, stdev
from typing import TYPE_CHECKING

import streamlit as st

from fmnist import seeds
from fmnist.config import TrainConfig
from fmnist.errors import FmnistError
from fmnist.run import Run
from ui import judged, state
from ui.comparing import chosen, looks
from ui.labels import duration, percent, plain

if TYPE_CHECKING:
    from fmnist.verdict import Side, Verdict

MOST = 24  # runs: what each says of the test images takes seconds to compute, once
MORE = 2  # seeds of each side: three in all have a spread
WORDS = {
    "equal": "as good",
    "images": "may be the choice of test images",
    "seeds": "may be the seed",
    "open": "worse, seeds not tried",
    "real": "worse",
}


def show(runs: Sequence[Run]) -> None:
    """The verdict in a sentence, and what it rests on; until it can be had, why not."""
    ended = sorted((run for run in runs if run.accuracy is not None), key=lambda run: -(run.accuracy or 0.0))
    answers = _answers(ended[:MOST])
    if answers is None:
        return
    kept = [run for run in runs if run.id in answers]
    groups = seeds.groups(kept)
    with st.container(border=True):
        if len(groups) > 1:
            _verdict(groups, answers)
        elif len(kept) > 1:
            _one_recipe(kept)
        else:
            st.markdown("**There is nothing to compare yet.** A verdict needs two runs that have reached their end.")
        _left_out([run for run in runs if run.id not in answers], len(ended))


def _answers(runs: Sequence[Run]) -> "dict[str, judged.Answer] | None":
    """What each run says of the test images, by id; None, and how far it is, while it is computed. A run without weights is missing."""
    found: dict[str, judged.Answer] = {}
    for run in runs:
        try:
            answer = judged.answer(run.id, "test")
        except FmnistError:  # no weights, or damaged ones: it is named among those that are left out
            continue
        if answer is None:
            return None
        found[run.id] = answer
    return found


def _verdict(groups: Sequence[Sequence[Run]], answers: "Mapping[str, judged.Answer]") -> None:
    from fmnist import verdict

    truth = answers[groups[0][0].id].labels
    sides = [(group, _side(group, answers)) for group in groups]
    sides.sort(key=lambda pair: -fmean(pair[1].accuracies(truth)))
    (first, best), *others = sides
    pairs = len(list(combinations(sides, 2)))
    runs = state.store().runs()  # whatever they tell about seeds
    found = [verdict.judge(best, side, truth, seeds.spread(runs, _recipes(first, group)), pairs) for group, side in others]
    st.markdown(f"**{verdict.sentence(found[0])}**")
    st.caption("  \n".join(verdict.reasons(found[0])))
    if len(found) > 1:
        _ranking(best.name, found)
    if found[0].outcome in ("open", "seeds"):
        _offer_seeds([first[0], others[0][0][0]])


def _side(group: Sequence[Run], answers: "Mapping[str, judged.Answer]") -> "Side":
    import torch

    from fmnist.verdict import Side

    return Side(plain(looks.group_name(group)), torch.stack([answers[run.id].guesses for run in group]))


def _recipes(*groups: Sequence[Run]) -> list[TrainConfig]:
    return [seeds.recipe(group[0].config) for group in groups if group[0].config]


def _ranking(best: str, found: "Sequence[Verdict]") -> None:
    """Every recipe against the best one."""
    rows = [_row(best, found[0].accuracies[0], None)]
    rows += [_row(verdict.worse, verdict.accuracies[1], verdict) for verdict in found]
    st.table(rows, border="horizontal", hide_index=True)


def _row(name: str, accuracies: Sequence[float], verdict: "Verdict | None") -> dict[str, str]:
    spread = f" ± {100 * stdev(accuracies):.2f}" if len(accuracies) > 1 else ""
    low, high = verdict.images.interval if verdict else (0.0, 0.0)
    return {
        "": name,
        "Test accuracy": percent(fmean(accuracies)) + spread,
        "Behind the best": f"{100 * verdict.images.amount:.2f} points ({100 * low:.2f} to {100 * high:.2f})" if verdict else "",
        "Verdict": WORDS[verdict.outcome] if verdict else "the best",
    }


def _offer_seeds(runs: Sequence[Run]) -> None:
    """What would settle it, in one click."""
    cost = duration(MORE * sum(run.seconds for run in runs))
    st.button(
        f"Train {MORE} more seeds of both",
        icon=":material/add:",
        help=f"{MORE * len(runs)} runs join the queue, about {cost} of training, and this comparison.",
        on_click=_train_seeds,
        args=(runs,),
        key="compare.seeds.train",
    )


def _train_seeds(runs: Sequence[Run]) -> None:
    store, made = state.store(), []
    for run in runs:
        for config in seeds.further(run, store.runs(), MORE):
            token = f"seed {config.seed} of {run.id}"  # a second click on the same button is the same request
            made.append(store.create(config, device=run.device, token=token, origin=run.id))
    chosen.add([run.number for run in made])
    st.toast(f"{len(made)} runs wait for their turn.")


def _one_recipe(runs: Sequence[Run]) -> None:
    """Seeds of one recipe: nothing to choose between, but a mean and a spread."""
    accuracies = [run.accuracy for run in runs if run.accuracy is not None]
    mean, spread = percent(fmean(accuracies)), f"{100 * stdev(accuracies):.2f} points"
    st.markdown(
        f"**These {len(runs)} runs differ in their seed alone: {mean} ± {spread}** (mean and standard deviation), from "
        f"{percent(min(accuracies))} to {percent(max(accuracies))}. None of them is better: add a run with other settings to compare."
    )


def _left_out(runs: Sequence[Run], ended: int) -> None:
    waiting = [looks.called(run) for run in runs if run.accuracy is None]
    if waiting:
        st.caption(plain(f"Left out, because not trained to their end: {', '.join(waiting)}."))
    if ended > MOST:
        st.caption(f"Of {ended} runs, the {MOST} with the highest test accuracy are judged.")
    elif lost := [looks.called(run) for run in runs if run.accuracy is not None]:
        st.caption(plain(f"Left out, because their weights are missing or damaged: {', '.join(lost)}."))
