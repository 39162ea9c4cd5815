"""One sweep as it is right now: how far, how good, what it tells, and what a person can do to it."""

from collections.abc import Callable, Sequence

import streamlit as st

from fmnist import importance, sweeping
from fmnist.config import FIELDS, in_words
from fmnist.run import Status
from fmnist.search_space import Domain, Range
from fmnist.sweep import Spec, Sweep, Sweeps, SweepStatus, Trial, best, fields_in_words
from ui import notice, parallel, places, state
from ui.labels import duration, percent, plain, points
from ui.runs import run_rows
from ui.sweeping import best_trial, sweep_charts, sweep_lines, trial_table

CHART = {"displaylogo": False}


def show(sweep: Sweep, trials: Sequence[Trial]) -> None:
    """Everything about one sweep."""
    with st.container(border=True, key="sweep.panel"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.subheader(plain(sweep.name), width="content", anchor=False)
            sweep_lines.badge(sweep)
        if sweep.spec is None:
            st.error("What this sweep searches cannot be read. Its trials are in Runs.", icon=":material/broken_image:")
            _forget(sweep)
            return
        st.caption(plain(in_one_line(sweep.spec)))
        _progress(sweep, sweep.spec, trials)
        if sweep.message:
            st.warning(plain(sweep.message), icon=":material/info:")
        _figures(sweep.spec, trials)
        _actions(sweep, trials)
    _results(sweep, sweep.spec, trials)


def in_one_line(spec: Spec) -> str:
    """What is searched and how: "Learning rate 0.0001 to 0.1 (logarithmic); batch size 64 or 128 · small, 5 epochs · TPE"."""
    fields = "; ".join(f"{(FIELDS[name].title or name).lower()} {_domain(domain)}" for name, domain in spec.space.items())
    method = "TPE" if spec.sampler == "tpe" else "random"
    halving = ", poor trials are stopped early" if spec.halving else ""
    images = f"{spec.base.train_images:,} images"
    return f"{fields[0].upper()}{fields[1:]} · {run_rows.recipe_of(spec.base)}, {images} · {method}, seed {spec.seed}{halving}"


def _domain(domain: Domain) -> str:
    if isinstance(domain, Range):
        return f"{in_words(domain.low)} to {in_words(domain.high)}" + (" (logarithmic)" if domain.log else "")
    *first, last = (in_words(value) for value in domain)
    return f"{', '.join(first)} or {last}"


def _progress(sweep: Sweep, spec: Spec, trials: Sequence[Trial]) -> None:
    """A bar for the budget, and what is under way right now."""
    trial = sweeping.under_way(trials)
    ended = sweep.proposed - (trial is not None and trial.number <= sweep.proposed)  # a trial is made a moment before it is counted
    spent = sum(trial.run.seconds for trial in trials)
    if spec.trials:
        share, words = ended / spec.trials, f"{ended} of {spec.trials} trials"
    else:
        share, words = spent / (60 * (spec.minutes or 1)), f"{duration(spent)} of {spec.minutes:g} min of training · {ended} trials"
    if sweep.status == SweepStatus.FINISHED:
        share, words = 1.0, f"{sweep.proposed} trial{'s' * (sweep.proposed != 1)} done"
    st.progress(min(share, 1.0), text=words)
    if trial:
        _under_way(sweep, spec, trial)


def _under_way(sweep: Sweep, spec: Spec, trial: Trial) -> None:
    run = trial.run
    doing = run_rows.look(run).word
    if run.status == Status.PAUSED:
        doing = "paused" if sweep.status == SweepStatus.PAUSED else "paused; the sweep waits until somebody resumes or cancels it"
    elif not run.step and run.message:
        doing = run.message
    elif run.config and run.step:
        doing += f", epoch {min(run.epoch + 1, run.config.epochs)} of {run.config.epochs}"
    if trial.accuracy is not None:
        doing += f", {percent(trial.accuracy)} so far"
    tried = fields_in_words(run.config, spec.space) if run.config else "its settings cannot be read"
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.page_link(places.RUNS, label=f"**Trial {trial.number}**", query_params={"run": run.id}, width="content")
        st.caption(f"{plain(tried)} · {plain(doing)}", width="content")


def _figures(spec: Spec, trials: Sequence[Trial]) -> None:
    winner, first = best(trials), next((trial for trial in trials if trial.run.config == spec.base and trial.complete), None)
    gained = winner.accuracy - first.accuracy if winner and first and winner.accuracy and first.accuracy else None
    with st.grid(4, min_column_width=130):
        st.metric(
            "Best validation accuracy",
            percent(winner.accuracy) if winner else "–",
            **run_rows.change(gained, points),
            help="Of the trials that were trained to their end. The change is against the config that the search started from.",
        )
        st.metric("Trained to their end", str(sum(trial.complete for trial in trials)))
        st.metric("Stopped early", str(sum(trial.stopped_early for trial in trials)))
        st.metric("Training time", duration(sum(trial.run.seconds for trial in trials)))


def _actions(sweep: Sweep, trials: Sequence[Trial]) -> None:
    store = state.store()
    with st.container(horizontal=True, vertical_alignment="center"):
        if sweep.status == SweepStatus.RUNNING:
            tip = "No further trial. The one that is under way is paused to the step and goes on when you resume."
            _button("Pause", "pause", lambda: sweeping.pause(store, sweep), tip)
        elif sweep.status == SweepStatus.PAUSED:
            _button("Resume", "play_arrow", lambda: sweeping.resume(store, sweep), "Goes on where it was.", primary=True)
        if len(trials) > 1:
            runs = ",".join(str(trial.run.number) for trial in trials)
            st.page_link(places.COMPARE, label="Compare all trials", icon=":material/stacked_line_chart:", query_params={"runs": runs})
        if sweep.status != SweepStatus.RUNNING:
            _forget(sweep)


def _forget(sweep: Sweep) -> None:
    """Deleting a sweep loses what was searched, so it says so and asks once more."""
    with st.popover("Delete", icon=":material/delete:", key="sweep.forget"):
        st.markdown(f"**Delete {plain(sweep.name)}?** Its trials stay in Runs; what was searched and these charts are lost.")
        if st.button("Yes, delete it", icon=":material/delete:", type="primary", key="sweep.forget.yes"):
            Sweeps(state.store()).forget(sweep.id)
            st.switch_page(places.SWEEP)


def _button(label: str, icon: str, act: Callable[[], object], tip: str, *, primary: bool = False) -> None:
    if st.button(label, icon=f":material/{icon}:", key=f"sweep.{icon}", help=tip, type="primary" if primary else "secondary"):
        notice.do(act)


def _results(sweep: Sweep, spec: Spec, trials: Sequence[Trial]) -> None:
    """What came out so far; charts only once there is something in them."""
    over = [trial for trial in trials if trial.run.status.ended]
    if judged := sweep_charts.points(over):
        course, winner = st.columns([3, 2], gap="large")
        with course:
            _draw(sweep_charts.best_so_far(judged), "course")
        with winner, st.container(border=True):
            best_trial.show(sweep, spec, over)
        lines, bars = st.columns([3, 2], gap="large")
        with lines:
            trials = _picked(spec, judged, over) or trials
        with bars:
            if found := importance.of_fields(spec, over):
                _draw(sweep_charts.importance(found), "importance")
            else:
                st.caption(f"Which field mattered is told from {importance.FEWEST} trials on.")
    if trials:
        trial_table.show(spec, trials)


def _picked(spec: Spec, judged: Sequence[sweep_charts.Point], over: Sequence[Trial]) -> list[Trial]:
    """Every trial as a line; returns those that a person picks there, none where nothing is picked."""
    st.markdown("**Every trial as a line.** Drag along an axis to pick the trials that pass there, click it to give that up.")
    drawn = sorted(judged, key=lambda point: point.accuracy)[-sweep_charts.MOST_LINES :]  # the best last, above the others
    leader = best(over)
    lines = sweep_charts.lines(drawn, leader and leader.number)
    rows = parallel.show(sweep_charts.axes(spec, drawn), lines, of="trials", key="sweep.parallel")
    picked = {drawn[row].number for row in rows}
    if picked:
        runs = ",".join(str(trial.run.number) for trial in over if trial.number in picked)
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(f"{len(picked)} of {len(drawn)} trials picked; the table below has these alone.", width="content")
            st.page_link(places.COMPARE, label="Compare these", icon=":material/stacked_line_chart:", query_params={"runs": runs})
    return [trial for trial in over if trial.number in picked]


def _draw(chart: sweep_charts.Chart, key: str) -> None:
    st.plotly_chart(chart.figure, alt=chart.alt, config=CHART, key=f"sweep.{key}")
