"""Which fields a sweep changes, and between which values; ranges that are worth a search are filled in."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from fmnist.config import FIELDS, TrainConfig, bounds, choices, in_words
from fmnist.search_space import SEARCHABLE, USUAL, Domain, Range, Value, is_whole, parse_domain
from ui.labels import plain

FIRST = ("learning_rate", "batch_size")  # what is chosen at the beginning: the two that matter most
# Numbers that are chosen from a list, because those between them say nothing new.
OPTIONS: Mapping[str, tuple[Value, ...]] = {"batch_size": (16, 32, 64, 128, 256, 512, 1024), "ema": (0.0, 0.9, 0.99, 0.999)}
AROUND = 10  # a search around a learning rate goes from a tenth of it to ten times as much


def show(base: TrainConfig) -> dict[str, Domain | None]:
    """The space that a person chose: field -> domain; None for one whose values cannot be searched yet."""
    st.pills(
        "What to search",
        SEARCHABLE,
        selection_mode="multi",
        default=FIRST,
        key="sweep.fields",
        format_func=lambda name: FIELDS[name].title or name,
        persist_state="session",
        wrap=True,
        help="The fields that each trial sets anew; all others stay as they are where you start from.",
    )
    if not chosen():
        st.caption("Choose at least one field.")
    return {name: _domain(name, base) for name in chosen()}


def chosen() -> list[str]:
    """The fields that are searched, in the order of the form; the usual ones before anybody chose."""
    names = st.session_state.get("sweep.fields", FIRST)
    return [name for name in SEARCHABLE if name in names]


def fill() -> None:
    """Ranges around another starting point; only before the fields are shown, or in a callback."""
    for key in [key for key in st.session_state if str(key).startswith("sweep.domain.")]:
        del st.session_state[key]


def suggested(name: str, base: TrainConfig) -> Domain:
    """The usual range of a field; of a learning rate, the one around where the search starts."""
    if name == "learning_rate":
        low, high = (float(f"{rate:.1g}") for rate in (base.learning_rate / AROUND, base.learning_rate * AROUND))
        return Range(low=low, high=min(high, bounds(name).high or high), log=True)
    return parse_domain(name, USUAL[name])


def _domain(name: str, base: TrainConfig) -> Domain | None:
    usual = suggested(name, base)
    with st.container(border=True, gap="small", key=f"sweep.field.{name}"):
        return _range(name, usual) if isinstance(usual, Range) else _values(name, usual)


def _values(name: str, usual: tuple[Value, ...]) -> tuple[Value, ...] | None:
    options = OPTIONS.get(name) or choices(name) or (False, True)
    chosen = st.pills(
        FIELDS[name].title or name,
        options,
        selection_mode="multi",
        format_func=in_words,
        help=plain(FIELDS[name].description or ""),
        **_kept(f"{name}.values", list(usual)),
    )
    kept = tuple(option for option in options if option in (chosen or ()))
    return kept if len(kept) > 1 else None


def _range(name: str, usual: Range) -> Range | None:
    kind = int if is_whole(name) else float
    shared: dict[str, Any] = {"format": "%d" if kind is int else "%.6g", "step": 1 if kind is int else None}
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f":small[{FIELDS[name].title}]", help=plain(FIELDS[name].description or ""), width="stretch")
        log = st.toggle(
            "Logarithmic",
            help="As many trials between 0.001 and 0.01 as between 0.01 and 0.1: right for what is changed by factors.",
            **_kept(f"{name}.log", usual.log),
        )
    with st.container(horizontal=True):
        low = st.number_input("from", **shared, **_kept(f"{name}.low", kind(usual.low)))
        high = st.number_input("to", **shared, **_kept(f"{name}.high", kind(usual.high)))
    return Range(low=low, high=high, log=bool(log)) if low is not None and high is not None else None


def _kept(part: str, first: Any) -> dict[str, Any]:
    """A widget that begins with a value and remembers what was chosen for the visit."""
    key = f"sweep.domain.{part}"
    st.session_state.setdefault(key, first)
    return {"key": key, "persist_state": "session"}
