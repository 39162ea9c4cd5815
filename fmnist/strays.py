"""Folders of runs that the database does not know: the sign that it was lost or replaced. They are told of, and never touched."""

import os
import re
import time
from pathlib import Path

from fmnist.home import database_url, runs_folder
from fmnist.store import Store

SETTLED_SECONDS = 60.0  # a folder is made a moment before its run is written down


def find(store: Store) -> list[str]:
    """The ids of run folders without a run, in order. Only for the store that lies beside them: another may not be the only one."""
    if store.url != database_url() or os.environ.get("FMNIST_DB"):
        return []
    try:
        made = {entry.name: entry.stat().st_mtime for entry in os.scandir(runs_folder()) if _has_weights(entry)}
    except OSError:
        return []
    settled = {name for name, when in made.items() if re.fullmatch(r"[0-9a-f]{32}", name) and time.time() - when > SETTLED_SECONDS}
    return sorted(settled - store.ids()) if settled else []


def _has_weights(entry: os.DirEntry[str]) -> bool:
    """A folder without is no loss: an evaluation that was under way when its run was removed makes one."""
    return entry.is_dir(follow_symlinks=False) and Path(entry.path, "checkpoints").is_dir()


def words(found: list[str]) -> str:
    """What a person should know of them."""
    folders = "a run folder" if len(found) == 1 else f"{len(found):,} run folders"
    return (
        f"There {'is' if len(found) == 1 else 'are'} {folders} in {runs_folder()} that the run store does not know, {found[0][:8]} for "
        "one. If runs are missing here, the database was lost or replaced: stop the dashboard and put a backup of studio.db in its "
        "place. The weights in the folders can be used as files, by python -m fmnist predict FILE.safetensors PICTURE."
    )
