"""The page of one run: its curves, settings, environment, log and checkpoints, and what a person can change about it."""

from typing import Any

import streamlit as st

from fmnist.config import FIELDS, PRESETS, TrainConfig, group
from fmnist.run import Run, Status, folder
from ui import places, state
from ui.labels import ago, duration, moment, percent, plain, size
from ui.runs import ancestry, events, run_rows
from ui.training import run_panel

BUSY_SECONDS = 1.0
LOG_SECONDS = 2.0
LOG_BYTES = 64_000  # of the end of the log


def show(run_id: str) -> None:
    """Everything about one run. Raises StoreError if there is none with that id."""
    run = state.store().get(run_id)
    ancestry.show(run)
    _panel(run)
    if run.note:
        with st.container(border=True):
            st.text(run.note)
    settings, happened, environment, log, checkpoints, note = st.tabs(
        ["Settings", "Events", "Environment", "Log", "Checkpoints", "Name and note"], key="runs.tabs", on_change="rerun"
    )
    for tab, content in (
        (settings, _settings),
        (happened, events.show),
        (environment, _environment),
        (log, _log),
        (checkpoints, _checkpoints),
        (note, _name_and_note),
    ):
        if tab.open:
            with tab:
                content(run)


def _panel(run: Run) -> None:
    """Status, figures, buttons and curves; alive while it trains."""

    def live() -> None:
        now = state.store().get(run.id)
        if now.status != run.status:
            st.rerun()
        run_panel.show(now, key="runs")

    st.fragment(run_every=BUSY_SECONDS if run_rows.busy([run]) else None)(live)()


# ---- settings ------------------------------------------------------------------------------------------------------------------------


def nearest_preset(config: TrainConfig) -> tuple[str, dict[str, tuple[Any, Any]]]:
    """The preset with the fewest differences, and the differences: field -> (own value, the preset's)."""
    differences = {name: config.differences(other) for name, (_, other) in PRESETS.items()}
    name = min(differences, key=lambda each: len(differences[each]))
    return name, differences[name]


def _settings(run: Run) -> None:
    if run.config is None:
        st.caption("The settings of this run cannot be read.")
        return
    name, changed = nearest_preset(run.config)
    count = f"{len(changed)} setting{'s differ' if len(changed) != 1 else ' differs'}, marked below" if changed else "nothing differs"
    st.markdown(f"Nearest preset: **{name}**; {count}.")
    parts = list(dict.fromkeys(group(field) for field in FIELDS))
    fields = sorted(FIELDS, key=lambda field: parts.index(group(field)))
    st.table([_setting(run.config, field, changed) for field in fields], border="horizontal", hide_index=True)


def _setting(config: TrainConfig, field: str, changed: dict[str, tuple[Any, Any]]) -> dict[str, str]:
    value = _in_words(getattr(config, field))
    preset = _in_words(changed[field][1]) if field in changed else ""
    return {
        "Part": group(field),
        "Setting": FIELDS[field].title or field,
        "Value": f":blue-badge[{plain(value)}]" if preset else plain(value),
        "In the preset": plain(preset),
    }


def _in_words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else f"{value:g}" if isinstance(value, float) else str(value)


# ---- environment, log, checkpoints ---------------------------------------------------------------------------------------------------


_FACTS = {"name": "Processor", "torch": "PyTorch", "commit": "Commit of this code"}


def _environment(run: Run) -> None:
    facts = {
        "Id": run.id,
        "Created": f"{moment(run.created)} ({ago(run.created)})",
        "Started": moment(run.started),
        "Ended": moment(run.ended),
        "Training time": duration(run.seconds),
        "Folder": str(folder(run)),
        **{_FACTS.get(key, key.capitalize().replace("_", " ")): str(value) for key, value in run.environment.items()},
    }
    st.table({plain(key): plain(value) for key, value in facts.items()}, border="horizontal")


def _log(run: Run) -> None:
    """The end of what the worker wrote; it goes on while it writes."""
    st.fragment(run_every=LOG_SECONDS if run.status == Status.RUNNING else None)(_log_tail)(run)


def _log_tail(run: Run) -> None:
    path = folder(run) / "worker.log"
    try:
        with path.open("rb") as file:
            whole = file.seek(0, 2)
            file.seek(max(0, whole - LOG_BYTES))
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        st.caption("No log yet: no process has worked on this run.")
        return
    except OSError as error:
        st.warning(plain(f"The log {path} cannot be read: {error.strerror}."))
        return
    if whole > LOG_BYTES:
        st.caption(f"The last {size(LOG_BYTES)} of {size(whole)}. The whole log is {plain(str(path))}.")
        text = text.partition("\n")[2]
    st.code(text or "(empty)", language=None, wrap_lines=True, height=420)


def _checkpoints(run: Run) -> None:
    found = state.store().checkpoints(run.id)
    if not found:
        st.caption("No checkpoint yet: the first one is written at the end of the first epoch.")
        return
    epochs = {epoch.epoch: epoch for epoch in state.store().epochs(run.id)}
    rows = []
    for point in found:
        path = folder(run) / "checkpoints" / point.weights
        epoch = epochs.get(point.epoch)
        rows.append(
            {
                "Step": f"{point.step:,}",
                "Epoch": str(point.epoch),
                "Monitor accuracy": percent(epoch.accuracy) if epoch and epoch.step == point.step else "–",
                "Written": ago(point.created),
                "Weights": f"{plain(point.weights)} ({size(path.stat().st_size) if path.exists() else ':red[missing]'})",
                "Can be resumed": "yes" if point.state else "–",
                "SHA-256": plain(point.weights_sha256[:12]),
            }
        )
    st.table(rows, border="horizontal", hide_index=True)
    st.caption("Weights are kept for every epoch, what a resumed training needs only for the newest ones.")


# ---- what a person changes -----------------------------------------------------------------------------------------------------------


def _name_and_note(run: Run) -> None:
    with st.form(f"runs.words.{run.id}", border=False):
        name = st.text_input("Name", run.name, max_chars=64, required=True)
        note = st.text_area("Note", run.note, max_chars=10_000, placeholder="What was the idea? What came out?")
        if st.form_submit_button("Save", icon=":material/save:"):
            state.store().rename(run.id, name or "")
            state.store().annotate(run.id, note)
            st.rerun()
    if run.status == Status.RUNNING:
        st.caption("A run that is being trained cannot be deleted. Stop or cancel it first.")
    elif st.button("Delete this run", icon=":material/delete:", key="runs.delete"):
        _confirm_deletion(run)


@st.dialog("Delete this run?", icon=":material/delete:")
def _confirm_deletion(run: Run) -> None:
    st.text(run.name)
    st.markdown(what_is_lost(run))
    with st.container(horizontal=True):
        if st.button("Delete for good", type="primary", icon=":material/delete:", key="runs.delete.yes"):
            from fmnist.checkpoint import remove_run

            remove_run(state.store(), run.id)
            st.switch_page(places.RUNS)
        if st.button("Keep it", key="runs.delete.no"):
            st.rerun()


def what_is_lost(run: Run) -> str:
    """What a deletion takes away, in words."""
    files = [path for path in folder(run).rglob("*") if path.is_file()] if folder(run).exists() else []
    lost = ["its settings, name and note", "its curves and figures"]
    if count := len(state.store().checkpoints(run.id)):
        lost.append(f"{count} checkpoint{'s' if count > 1 else ''}, the trained model among them")
    lost.append(f"its folder with {len(files)} file{'s' * (len(files) != 1)} ({size(sum(path.stat().st_size for path in files))})")
    return f"This removes {', '.join(lost[:-1])}, and {lost[-1]}. It cannot be undone."
