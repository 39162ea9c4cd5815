"""Which runs are compared: chosen one by one or many at once, and kept in the address as their numbers: `runs=12,13,15`."""

from collections.abc import Collection, Mapping, Sequence

import streamlit as st

from fmnist import seeds
from fmnist.run import Run, Status
from ui.comparing import looks
from ui.labels import LOOKS, percent, plain

ADDRESS, PICKER, ADDER = "runs", "compare.runs", "compare.add"
_LAST, _SAID = "compare.last", "compare.said"  # the choice of this visit; what the address said when the picker was last drawn
FEW = 5


def ask(runs: Sequence[Run]) -> list[Run]:
    """The chosen runs, in the order in which they were chosen.

    Args:
        runs: all of them, the newest first; damaged ones have no settings to compare, so they are not offered.
    """
    known = {run.number: run for run in runs if run.config}
    missing = _follow(known)
    several = collections(known, st.session_state[PICKER])
    with st.container(horizontal=True):
        st.multiselect(
            "Runs",
            [number for number, run in known.items() if not run.archived or number in st.session_state[PICKER]],
            key=PICKER,
            on_change=_tell,
            format_func=lambda number: _offered(known[number]),
            placeholder="Type a number, a name or a network",
            width="stretch",
            wrap=True,
        )
        st.selectbox(
            "Add several",
            list(several),
            index=None,
            key=ADDER,
            on_change=_add,
            args=(several,),
            placeholder="Seeds, tags, sweeps…",
            width=260,
        )
    if missing:
        st.warning(plain(f"There is no run {', '.join(missing)} to compare; it may have been deleted."), icon=":material/link_off:")
    return [known[number] for number in st.session_state[PICKER]]


def narrow(numbers: Sequence[int]) -> None:
    """Compare these runs and no others; before the picker is drawn, such as in the callback of a button."""
    st.session_state[PICKER] = list(numbers)
    _tell()


def add(numbers: Sequence[int]) -> None:
    """Compare these runs too; before the picker is drawn."""
    narrow([*st.session_state[PICKER], *(number for number in numbers if number not in st.session_state[PICKER])])


def collections(known: Mapping[int, Run], chosen: Collection[int]) -> dict[str, list[int]]:
    """What can be added at once: how it is called -> the numbers of its runs. Archived runs are not meant."""
    runs = [run for run in known.values() if not run.archived]
    found: dict[str, list[int]] = {}
    for group in seeds.groups(runs):
        mine = [run for run in group if run.number in chosen]
        if mine and len(mine) < len(group):
            found[f"The other seeds of {looks.called(mine[0])} ({len(group) - len(mine)})"] = [run.number for run in group]
    for sweep in dict.fromkeys(run.sweep for run in runs if run.sweep):
        trials = [run.number for run in runs if run.sweep == sweep]
        found[f"Every trial of sweep {sweep[:8]} ({len(trials)})"] = trials
    for tag in sorted({tag for run in runs for tag in run.tags}):
        tagged = [run.number for run in runs if tag in run.tags]
        found[f"Tagged {tag} ({len(tagged)})"] = tagged
    finished = [run for run in runs if run.status == Status.FINISHED and run.accuracy is not None]
    if len(finished) > 1:
        newest, best = finished[:FEW], sorted(finished, key=lambda run: -(run.accuracy or 0.0))[:FEW]
        found[f"The {len(newest)} that finished last"] = [run.number for run in newest]
        found[f"The {len(best)} with the highest test accuracy"] = [run.number for run in best]
    return found


def _offered(run: Run) -> str:
    network = run.config.network if run.config else ""
    return " · ".join([looks.called(run), percent(run.accuracy) if run.accuracy is not None else LOOKS[run.status].word, network])


def _follow(known: Mapping[int, Run]) -> list[str]:
    """Before the picker: it begins with what the address says, or with what was chosen before; returns what is not there (any more)."""
    if ADDRESS not in st.query_params and PICKER not in st.session_state and st.session_state.get(_LAST):
        st.query_params[ADDRESS] = st.session_state[_LAST]  # back from another page
    said = st.query_params.get(ADDRESS, "")
    words = list(dict.fromkeys(word.strip() for word in said.split(",") if word.strip()))
    there = {str(number): number for number in known}
    if PICKER not in st.session_state or st.session_state.get(_SAID) != said:
        st.session_state[PICKER] = [there[word] for word in words if word in there]
    st.session_state[PICKER] = [number for number in st.session_state[PICKER] if number in known]
    st.session_state[_SAID] = st.session_state[_LAST] = said
    return [word[:12] for word in words if word not in there]


def _tell() -> None:
    """After a choice: write it into the address."""
    said = ",".join(str(number) for number in st.session_state[PICKER])
    if said:
        st.query_params[ADDRESS] = said
    else:
        st.query_params.pop(ADDRESS, None)
    st.session_state[_SAID] = st.session_state[_LAST] = said


def _add(several: Mapping[str, Sequence[int]]) -> None:
    picked = st.session_state[ADDER]
    st.session_state[ADDER] = None
    if picked:
        add(several[picked])
