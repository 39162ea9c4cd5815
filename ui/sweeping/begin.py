"""What a sweep will cost, and the button that begins it."""

import streamlit as st

from fmnist import halving, sweeping
from fmnist.errors import ConfigError, StoreError
from fmnist.placement import HERE, Placement
from fmnist.sweep import NAME_LENGTH, Spec, Sweep
from ui import measuring, one_click, place, state
from ui.labels import duration, plain
from ui.sweeping.sweep_form import Answer

BEGIN_SECONDS = 4.0  # each trial is a process of its own, which loads PyTorch first


def show(answer: Answer) -> None:
    """A name, the button, and the forecast; where the form has no valid answer, why."""
    name = st.text_input("Name (optional)", key="sweep.name", max_chars=NAME_LENGTH, placeholder="Sweep and its number, if empty")
    where = place.ask_for_trials(key="sweep")
    problem = answer.problem or where.problem
    if problem:
        st.error(plain(problem), icon=":material/error:")
    clicked = st.button(
        "Start the sweep", icon=":material/play_arrow:", type="primary", width="stretch", disabled=problem is not None, key="sweep.start"
    )
    if clicked and answer.spec:
        _start(answer.spec, (name or "").strip(), where.placement)
    if answer.spec:
        _cost(answer.spec)
        if where.placement != HERE:
            words = plain(place.in_words(where.placement))
            st.caption(f":material/dns: That is for one trial at a time here. On {words} it runs as many at once as there is room for.")


def _start(spec: Spec, name: str, placement: Placement) -> None:
    try:
        sweep = _create(spec, name, placement)
    except (ConfigError, StoreError) as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    st.query_params.clear()
    st.query_params["sweep"] = str(sweep.number)
    st.rerun()


def _create(spec: Spec, name: str, placement: Placement) -> Sweep:
    from fmnist.device import resolve  # with PyTorch, which may take seconds: only when somebody starts

    token = one_click.token("sweep.start", (spec, placement))
    device = placement.device if placement.is_remote else resolve(spec.base.device)
    return sweeping.begin(state.store(), spec, device=device, name=name or None, token=token, placement=placement)


@st.fragment(parallel=True)
def _cost(spec: Spec) -> None:
    """The time that it will take."""

    def draw(found: tuple[float, str]) -> None:
        seconds, basis = found
        st.markdown(f":material/timer: {forecast(spec, seconds)}")
        st.caption(f"{plain(basis[0].upper() + basis[1:])}; values that make a trial larger or smaller change it.")

    base = spec.base
    kind = (base.network, base.batch_size, base.optimizer, base.precision, base.device)
    measuring.show(kind, lambda: _seconds(spec), draw)


@st.cache_data(show_spinner=False, ttl=60, max_entries=64)
def _seconds(spec: Spec) -> tuple[float, str]:
    """Of one trial like the config that the search starts from."""
    from fmnist import bench

    expected = bench.forecast(spec.base, state.store())
    return expected.seconds, expected.basis


def forecast(spec: Spec, seconds: float) -> str:
    """How long the trials take, or how many the time is enough for.

    Args:
        seconds: of one trial that is trained to its end.
    """
    share = halving.expected_share(spec.base.epochs, spec.trials or halving.ENOUGH) if spec.halving else 1.0
    each = f"a whole trial takes {duration(seconds)}"
    saved = f", stopping early saves about {1 - share:.0%}".replace("%", "\N{NO-BREAK SPACE}%") if share < 0.95 else ""
    if spec.trials:
        return f"About **{duration(spec.trials * (seconds * share + BEGIN_SECONDS))}** on this machine: {each}{saved}."
    count = max(1, round(60 * (spec.minutes or 0) / (seconds * share)))
    return f"About **{count:,} trial{'s' * (count != 1)}** on this machine: {each}{saved}."
