"""What of the table of runs is looked at: search, filter, columns, groups, order. All of it stands in the address."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from fmnist import config
from fmnist.run import Run
from ui import address
from ui.runs import groups, run_filter, run_table
from ui.runs.fields import FIELDS

NEWEST = "number"
SEARCH = "search"


@dataclass(frozen=True)
class View:
    """What a person asked for."""

    search: str
    columns: tuple[str, ...]
    group: str
    sort: str
    archived: bool


def ask(runs: Sequence[Run], binned: int) -> View:
    """The controls above the table.

    Args:
        runs: all that are not in the bin; they say which tags there are, and whether any is archived.
        binned: how many lie in the bin.
    """
    with st.container(horizontal=True, gap="small"):
        search = _search()
        with st.popover("Filter", icon=":material/filter_alt:", key="runs.filter"):
            _builder(runs)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        group = _one_of("Group", _GROUPS, "group", groups.NONE)
        sort = _one_of("Order", _ORDERS, "sort", NEWEST)
        with st.popover("Columns", icon=":material/view_column:", key="runs.columns"):
            columns = _columns()
        put_aside = sum(run.archived is not None for run in runs)
        archived = bool(put_aside) and st.toggle(f"Archived ({put_aside})", key="archived", bind="query-params")
        if binned and st.button(f"Bin ({binned})", icon=":material/delete:", type="tertiary", key="runs.bin"):
            st.query_params["bin"] = "yes"
            st.rerun()
    return View(search, tuple(columns), group, sort, archived)


_GROUPS = {word: f"Group by {title.lower()}" for word, title in groups.OPTIONS.items()} | {groups.NONE: "Not in groups"}
_ORDERS = {word: f"Sort by {field.title.lower()}" for word, field in FIELDS.items() if word not in ("note", "binned")}
_ORDERS |= {NEWEST: "Newest first"}


def _search() -> str:
    written = st.text_input(
        "Search",
        key=SEARCH,
        bind="query-params",
        placeholder="Search: words of a name, note or tag, or conditions such as accuracy>93 status=failed,diverged tag=lunch",
        icon=":material/search:",
        label_visibility="collapsed",
    )
    return written or ""


def _one_of(label: str, options: dict[str, str], key: str, first: str) -> str:
    address.follow(key, options, first)
    words = sorted(options, key=lambda word: word != first)
    show = options.__getitem__
    return st.selectbox(
        label, words, key=key, format_func=show, on_change=address.tell, args=(key, first), label_visibility="collapsed", width=210
    )


def _columns() -> list[str]:
    address.follow_many("columns", run_table.CHOOSABLE, run_table.USUAL)
    chosen = st.multiselect(
        "Columns, in the order in which they are shown",
        run_table.CHOOSABLE,
        key="columns",
        format_func=lambda word: FIELDS[word].title,
        on_change=address.tell_many,
        args=("columns", run_table.USUAL),
        width=420,
    )
    st.button("The usual columns", icon=":material/restart_alt:", type="tertiary", key="runs.columns.usual", on_click=_usual_columns)
    return chosen


def _usual_columns() -> None:
    st.session_state["columns"] = list(run_table.USUAL)
    address.tell_many("columns", run_table.USUAL)


# ---- the popover that writes conditions ----------------------------------------------------------------------------------------------


def _builder(runs: Sequence[Run]) -> None:
    """Field, comparison, value; they are written into the search field, where they can be read, changed and removed."""
    with st.container(width=360):
        word = st.selectbox("Field", _filterable(), format_func=lambda each: FIELDS[each].title, key="runs.filter.field")
        signs = run_filter.comparisons(FIELDS[word].kind)
        key = f"runs.filter.sign.{word}"
        sign = st.segmented_control("Comparison", list(signs), default="=", format_func=signs.__getitem__, required=True, key=key)
        values = _values(word, runs)
        chosen = (word, sign, values)
        st.button("Add to the search", icon=":material/add:", disabled=not values, on_click=_add, args=chosen, key="runs.filter.add")


def _filterable() -> list[str]:
    first = ["status", "tag", "network", "optimizer", "accuracy", "best"]
    return first + [word for word in FIELDS if word not in (*first, "binned")]


def _values(word: str, runs: Sequence[Run]) -> list[str]:
    """What to compare with: chosen from what there is, or written."""
    key = f"runs.filter.value.{word}"
    if offered := _offered(word, runs):
        return st.multiselect("Value", offered, key=key, placeholder="Any of…")
    kind = FIELDS[word].kind
    example = {"percent": "93.5", "moment": "2026-11-30", "duration": "seconds", "number": "a number"}.get(kind, "")
    written = (st.text_input("Value", key=key, placeholder=example) or "").replace('"', "").strip()
    return [written] if written else []


def _offered(word: str, runs: Sequence[Run]) -> list[str]:
    if FIELDS[word].kind == "switch":
        return ["yes", "no"]
    known = {
        "tag": run_table.tags(runs),
        "status": [look.word for look in run_table.LOOKS_SHOWN],
        "monitor": ["validation", "test"],
        "device": sorted({run.device for run in runs}),
    }
    return known[word] if word in known else list(config.choices(word)) if word in config.FIELDS else []


def _add(word: str, sign: str, values: list[str]) -> None:
    st.session_state[SEARCH] = f"{st.session_state[SEARCH] or ''} {run_filter.written(word, sign, values)}".strip()
