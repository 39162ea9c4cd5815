"""Which setting goes with which figure: every run as a line over all of them, and as a point over two; picked runs can be kept."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from fmnist.config import FIELDS, in_words
from ui import choices, parallel
from ui.comparing import chosen, looks, run_figures
from ui.comparing.looks import Look
from ui.comparing.run_figures import FIGURES, Subject
from ui.labels import plain

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

SYMBOLS = {"solid": "circle", "dot": "diamond", "dash": "square", "dashdot": "triangle-up", "longdash": "cross"}
HEIGHT = 380


def show(subjects: Sequence[Subject], shapes: Mapping[int, Look]) -> None:
    """Both charts for one figure."""
    fields = run_figures.differing([subject.run for subject in subjects])
    if len(subjects) < 2 or not fields:
        st.info("These runs do not differ in any setting. Add runs with other settings.", icon=":material/hub:")
        return
    figure = choices.listed("Figure", {key: each.title for key, each in FIGURES.items()}, key="figure", width=260)
    there = [subject for subject in subjects if subject.figures[figure] is not None]
    if missing := len(subjects) - len(there):
        st.caption(f"{missing} of these runs {'have' if missing > 1 else 'has'} no {FIGURES[figure].title.lower()} yet.")
    if len(there) < 2:
        st.info("This needs two runs that have this figure.", icon=":material/hub:")
        return
    st.markdown("**All settings that differ.** Drag along an axis to pick the runs that pass there, click it to give that up.")
    axes = [_axis(field, there) for field in fields] + [_axis(figure, there)]
    lines = [parallel.Line(looks.called(each.run), *shapes[each.run.number]) for each in there]
    picked = parallel.show(axes, lines, of="runs", key="compare.parallel")
    _keep([there[row] for row in picked], len(subjects), "parallel")
    st.markdown("**One of them.** Pick runs with the box or the lasso.")
    titles = {field: FIELDS[field].title or field for field in fields} | {key: each.title for key, each in FIGURES.items() if key != figure}
    across = choices.listed("Across", titles, key="across", width=260)
    drawn = [each for each in there if value(each, across) is not None]
    event: Any = st.plotly_chart(
        scatter(drawn, across, figure, shapes),
        key="compare.scatter",
        on_select="rerun",
        selection_mode=("box", "lasso"),
        config={"displaylogo": False},
        alt=f"{FIGURES[figure].title} of {len(drawn)} runs against {titles[across]}",
    )
    numbers = {point["curve_number"] for point in event["selection"]["points"]}
    _keep([each for place, each in enumerate(drawn) if place in numbers], len(subjects), "scatter")


def value(subject: Subject, key: str) -> Any:
    """A figure or a setting of a run."""
    return subject.figures[key] if key in FIGURES else getattr(subject.run.config, key)


def scatter(subjects: Sequence[Subject], across: str, figure: str, shapes: Mapping[int, Look]) -> "Figure":
    """A point a run, in the colour of its curves; a series each, so that a selection names the run."""
    import plotly.graph_objects as go

    drawn = go.Figure(layout={"height": HEIGHT, "margin": {"l": 8, "r": 12, "t": 28, "b": 8}, "showlegend": False, "dragmode": "select"})
    for subject in subjects:
        look, at = shapes[subject.run.number], value(subject, across)
        drawn.add_scatter(
            x=[at if isinstance(at, int | float) and not isinstance(at, bool) else in_words(at)],
            y=[value(subject, figure)],
            name=looks.called(subject.run).replace("<", "&lt;"),  # plotly would take it for markup
            mode="markers",
            marker={"color": look.color, "symbol": SYMBOLS[look.dash], "size": 11},
            hovertemplate=f"{_words(across, at)}<br>{_words(figure, value(subject, figure))}",
        )
    for key, update in ((across, drawn.update_xaxes), (figure, drawn.update_yaxes)):
        values = [value(subject, key) for subject in subjects]
        is_number = all(isinstance(each, int | float) and not isinstance(each, bool) for each in values)
        kind = ("log" if parallel.is_logarithmic(values) else "linear") if is_number else "category"
        update(title=_title(key), type=kind, automargin=True, tickformat=".2~%" if key in ("accuracy", "monitor") else None)
    return drawn


def _axis(key: str, subjects: Sequence[Subject]) -> parallel.Axis:
    words = FIGURES[key].words if key in FIGURES else in_words
    return parallel.axis(_title(key), [value(subject, key) for subject in subjects], words)


def _title(key: str) -> str:
    return FIGURES[key].title if key in FIGURES else FIELDS[key].title or key


def _words(key: str, found: Any) -> str:
    words = FIGURES[key].words(found) if key in FIGURES else in_words(found)
    return f"{_title(key)}: {words}"


def _keep(picked: Sequence[Subject], count: int, key: str) -> None:
    """What is picked in a chart, and the way to compare only that; the browser's way back brings the others again."""
    if not 0 < len(picked) < count:
        return
    names = ", ".join(looks.called(subject.run) for subject in picked)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{len(picked)} of {count} picked:** {plain(names)}", width="stretch")
        numbers = [subject.run.number for subject in picked]
        st.button("Compare only these", icon=":material/filter_alt:", on_click=chosen.narrow, args=(numbers,), key=f"compare.keep.{key}")
