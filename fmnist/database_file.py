"""The one file of a SQLite database: made once, then only opened. What is gone, replaced or damaged is said; nothing is guessed.

SQLite alone makes a new, empty file where one is missing, waits for a pipe, and goes on writing into a file that somebody has moved away.
"""

import stat
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DisconnectionError

from fmnist.errors import StoreError
from fmnist.files import sync_folders

DAMAGED = ("malformed", "not a database", "disk image", "unsupported file format", "no such table", "no such column")
ADVICE = (
    "It is damaged or no run store. Stop the dashboard, keep a copy of the file, and put a backup in its place, or move it away to begin "
    "anew: the weights in the folders beside it stay."
)


def prepare(path: Path) -> None:
    """The folder and, the first time, the empty file.

    Raises:
        StoreError: they cannot be made.
    """
    try:
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True, exist_ok=True)
            sync_folders(path.parent)
    except OSError as error:
        raise StoreError(
            f"The folder {path.parent} for the run store cannot be made: {error.strerror}. FMNIST_HOME names another one."
        ) from error
    if not path.is_symlink():  # one that leads nowhere is a store that is gone
        _make(path)


def _make(path: Path) -> None:
    try:
        if not path.exists():
            path.touch()
            sync_folders(path.parent)
    except OSError as error:
        raise StoreError(f"The run store at {path} cannot be made: {error.strerror}. FMNIST_HOME names another folder.") from error


def guard(engine: Engine, path: Path) -> None:
    """Let an engine open this file only as long as it is an ordinary one, and let go of connections to one that was there before."""

    @event.listens_for(engine, "do_connect")
    def _look(*_: object) -> None:
        identity(path)

    @event.listens_for(engine, "connect")
    def _remember(_: object, record: Any) -> None:
        record.info["file"] = identity(path)

    @event.listens_for(engine, "checkout")
    def _compare(_: object, record: Any, __: object) -> None:
        if record.info.get("file") != identity(path):
            raise DisconnectionError("another file lies in its place")


def identity(path: Path) -> tuple[int, int]:
    """Which file it is: device and inode.

    Raises:
        StoreError: it is gone, or no ordinary file.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise StoreError(
            f"The run store at {path} is gone: {error.strerror}. Put the file back where it was. If it is lost, restart the dashboard to "
            "begin a new one; the weights in the folders beside it stay."
        ) from error
    if not stat.S_ISREG(found.st_mode):
        raise StoreError(f"The run store at {path} refused: it is no file. Move what lies there away and put the file back.")
    return found.st_dev, found.st_ino


def advice(reason: str) -> str | None:
    """What to do about a reason of SQLite's that means damage; None for another reason."""
    return ADVICE if any(word in reason for word in DAMAGED) else None
