"""The form of a new sweep: where it starts from, what it searches, how long and how."""

from dataclasses import dataclass
from typing import Any

import streamlit as st

from fmnist import proposals
from fmnist.config import FIELDS, PRESETS, TRAIN_IMAGES, TrainConfig, parse, preset
from fmnist.errors import ConfigError
from fmnist.run import Run
from fmnist.sweep import Spec, parse_spec
from ui import address, choices, state
from ui.labels import plain
from ui.runs import run_rows
from ui.sweeping import space_form

DEFAULT_PRESET = "quick"  # a search is many trainings, so the first one offered is a short one
HELD_BACK = 5_000  # validation images, where the starting point has none
SIZES = ("epochs", "train_size", "validation_size")  # what the time of a trial depends on; asked for here
RUNS_OFFERED = 50
BUDGETS = {"trials": "Trials", "minutes": "Minutes"}
SAMPLERS = {"tpe": "Learning (TPE)", "random": "Random"}


@dataclass(frozen=True)
class Answer:
    """What the form says: a spec, or the sentence that tells why there is none."""

    spec: Spec | None
    problem: str | None


def show() -> Answer:
    """Ask for everything; the answers outlive a change of the page."""
    base = _base()
    _sizes(searched=space_form.chosen())
    space = space_form.show(base)
    return _answer(base, space, _budget(), _method())


def _base() -> TrainConfig:
    """A preset or a run, which may come from the address (?base=best, ?base=12); choosing one fills what depends on it."""
    runs = {str(run.number): run for run in state.store().runs() if run.config and not run.damage}
    offered = [*PRESETS, *list(runs)[:RUNS_OFFERED]]
    asked = st.query_params.get("base", DEFAULT_PRESET)
    if asked in runs and asked not in offered:
        offered.append(asked)
    address.follow("base", offered, DEFAULT_PRESET)
    word = st.selectbox(
        "Start from",
        offered,
        key="base",
        on_change=address.tell,
        args=("base", DEFAULT_PRESET),
        format_func=lambda word: _called(word, runs),
        help="A preset, or a run that you have trained. The first trial is this one as it is, if it lies between the values below.",
    )
    run = runs.get(word)
    base = run.config if run and run.config else preset(word)
    if st.session_state.get("sweep.filled") != word:
        _fill(word, base)
    return base


def _called(word: str, runs: dict[str, Run]) -> str:
    if run := runs.get(word):
        return f"{run.name} ({run_rows.recipe(run)})"
    return f"Preset {word} ({preset(word).network}, {preset(word).epochs} epochs)"


def _fill(word: str, base: TrainConfig) -> None:
    st.session_state["sweep.filled"] = word
    for name in SIZES:
        st.session_state[f"sweep.{name}"] = getattr(base, name)
    if not base.validation_size:
        st.session_state["sweep.validation_size"] = HELD_BACK
    space_form.fill()


def _sizes(searched: list[str]) -> None:
    """How large a trial is: the same for all, so that they can be compared."""
    with st.grid(3, min_column_width=115, vertical_alignment="bottom"):
        st.number_input(
            "Epochs of a trial", 1, 1000, key="sweep.epochs", persist_state="session", disabled="epochs" in searched, help=_help("epochs")
        )
        st.number_input(
            "Training images", 100, TRAIN_IMAGES, step=1000, key="sweep.train_size", persist_state="session", help=_help("train_size")
        )
        st.number_input(
            "For validation",
            100,
            20_000,
            step=500,
            key="sweep.validation_size",
            persist_state="session",
            help="Held back to choose by: a trial is as good as it is on these. The test images choose nothing.",
        )


def _help(name: str) -> str:
    return plain(FIELDS[name].description or "")


def _budget() -> dict[str, Any]:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        kind = choices.one_of("Budget", BUDGETS, key="sweep.budget", in_address=False)
        if kind == "trials":
            return {"trials": st.number_input("How many", 2, 1000, 20, key="sweep.trials", persist_state="session", width=140)}
        minutes = st.number_input("How many", 1, 10_000, 30, key="sweep.minutes", persist_state="session", width=140)
        return {"minutes": minutes}


def _method() -> dict[str, Any]:
    offered = SAMPLERS if proposals.has_optuna() else {"random": SAMPLERS["random"]}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        sampler = choices.one_of(
            "Proposals",
            offered,
            key="sweep.sampler",
            in_address=False,
            help="TPE tries ten at random, then more of what was good. Random tries anything, which shows best what matters.",
        )
        st.number_input(
            "Seed", 0, 2**31 - 1, 0, key="sweep.seed", persist_state="session", width=140, help="The same seed, the same trials."
        )
        halving = st.toggle(
            "Stop poor trials early",
            True,
            key="sweep.halving",
            persist_state="session",
            help="Successive halving: after a ninth and a third of its epochs a trial goes on only if it is among the best third so far.",
        )
    if "tpe" not in offered:
        st.caption("With Optuna installed (pip install -r requirements-sweep.txt) the search can learn from its trials.")
    return {"sampler": sampler, "halving": halving, "seed": st.session_state["sweep.seed"]}


def _answer(base: TrainConfig, space: dict[str, Any], budget: dict[str, Any], method: dict[str, Any]) -> Answer:
    unfinished = [FIELDS[name].title or name for name, domain in space.items() if domain is None]
    if unfinished:
        return Answer(None, f"{unfinished[0]}: choose at least two values.")
    try:
        sized = parse({name: st.session_state[f"sweep.{name}"] for name in SIZES}, base)
        spec = parse_spec({"base": sized, "space": space, **budget, **method})
        proposals.check(spec)
    except ConfigError as error:
        return Answer(None, str(error))
    return Answer(spec, None)
