"""The page of one run: its curves, settings, environment, log and checkpoints, and what a person calls it."""

from typing import Any

import streamlit as st

from fmnist import away, exactness, files
from fmnist.config import FIELDS, TrainConfig, group, in_words, nearest_preset
from fmnist.exactness import Sitting
from fmnist.run import Run, Status, folder
from ui import notice, state
from ui.labels import ago, duration, moment, percent, plain, size
from ui.runs import ancestry, events, hand_over, run_rows, words
from ui.training import run_panel

BUSY_SECONDS = 1.0
LOG_SECONDS = 2.0
LOG_BYTES = 64_000  # of the end of the log


def show(run_id: str) -> None:
    """Everything about one run. Raises StoreError if there is none with that id."""
    run = state.store().get(run_id)
    ancestry.show(run)
    _panel(run)
    words.show(run)
    settings, happened, environment, log, checkpoints, handing, note = st.tabs(
        ["Settings", "Events", "Environment", "Log", "Checkpoints", "Hand over", "Name, tags, note"], key="runs.tabs", on_change="rerun"
    )
    for tab, content in (
        (settings, _settings),
        (happened, events.show),
        (environment, _environment),
        (log, _log),
        (checkpoints, _checkpoints),
        (handing, hand_over.show),
        (note, words.edit),
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
    value = in_words(getattr(config, field))
    preset = in_words(changed[field][1]) if field in changed else ""
    return {
        "Part": group(field),
        "Setting": FIELDS[field].title or field,
        "Value": f":blue-badge[{plain(value)}]" if preset else plain(value),
        "In the preset": plain(preset),
    }


# ---- environment, log, checkpoints ---------------------------------------------------------------------------------------------------


_FACTS = {"name": "Processor", "torch": "PyTorch", "commit": "Commit of this code", "code": "Hash of this code"}


def _environment(run: Run) -> None:
    facts = {
        "Id": run.id,
        "Created": f"{moment(run.created)} ({ago(run.created)})",
        "Started": moment(run.started),
        "Ended": moment(run.ended),
        "Training time": duration(run.seconds),
        "Folder": str(folder(run)),
        **{_fact(key): str(value) for key, value in run.environment.items()},
    }
    st.table({plain(key): plain(value) for key, value in facts.items()}, border="horizontal")
    if len(sittings := state.store().sittings(run.id)) > 1:
        st.caption(f"It was trained in {len(sittings)} sittings.")
        st.table([_sitting(sitting) for sitting in sittings], border="horizontal", hide_index=True)


def _sitting(sitting: Sitting) -> dict[str, str]:
    facts = {_fact(key): plain(str(sitting.environment.get(key, "–"))) for key in exactness.WORDS}
    return {"From step": f"{sitting.step:,}", **facts}


def _fact(name: str) -> str:
    return _FACTS.get(name, name.capitalize().replace("_", " "))


def _log(run: Run) -> None:
    """The end of what the worker wrote; it goes on while it writes."""
    st.fragment(run_every=LOG_SECONDS if run.status == Status.RUNNING else None)(_log_tail)(run)


def _log_tail(run: Run) -> None:
    path = folder(run) / "worker.log"
    try:
        end, whole = files.read_end(path, LOG_BYTES)
    except FileNotFoundError:
        st.caption("No log yet: no process has worked on this run.")
        return
    except OSError as error:
        st.warning(plain(f"The log {path} cannot be read: {error.strerror}."))
        return
    text = end.decode("utf-8", "replace")
    if whole > LOG_BYTES:
        st.caption(f"The last {size(LOG_BYTES)} of {size(whole)}. The whole log is {plain(str(path))}.")
        text = text.partition("\n")[2]
    st.code(text or "(empty)", language=None, wrap_lines=True, height=420)


def _checkpoints(run: Run) -> None:
    found = state.store().checkpoints(run.id)
    if not found and (cluster := away.where(state.store(), run)):
        st.write(f"Its model is in the storage of {plain(cluster.name)}: of a sweep only the best one comes here by itself.")
        if st.button("Bring it here", icon=":material/download:", key="runs.fetch"):
            notice.do(lambda: away.fetch(state.store(), run), "Its model is here now: Evaluate and Try it can use it.")
        return
    if not found:
        ended = "It ended without a checkpoint here."
        st.caption(ended if run.status.ended else "No checkpoint yet: the first one is written at the end of the first epoch.")
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
