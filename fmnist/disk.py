"""The disk that runs are kept on: whether it can be written, whether a checkpoint will fit, and a reserve for the last words of a run.

On a full disk not even a status can be written. So a file of a megabyte lies beside the runs from the first training on; what
ends for lack of room, and whoever makes room by deleting a run, takes it. Why: docs/decisions/0026.
"""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from fmnist.errors import DiskError, StoreError
from fmnist.home import home, runs_folder

CHECKPOINTS = 3  # so many must fit before an epoch begins: one is written beside two that are kept
RESERVE_BYTES = 1 << 20
LEAST_BYTES = 4 << 20  # with less than this nothing is begun


def obstacle() -> str | None:
    """Why nothing can be trained or changed now, as a sentence; None if the disk can be written."""
    folder = _folder()
    if not folder.is_dir():
        return f"The folder {folder} is missing or is not a folder. Bring it back, or name another one by FMNIST_HOME."
    if not _takes_writes(folder):
        return f"The disk is read-only: the folder {folder} cannot be written. Make it writable (mount it anew, or change its rights)."
    if (free := shutil.disk_usage(folder).free) < LEAST_BYTES:
        return f"The disk is full: {free / 1e6:.1f} MB are free in {folder}. Make room there, for example by emptying the bin."
    return None


def check_room(checkpoint: int) -> None:
    """Whether an epoch may begin.

    Args:
        checkpoint: bytes of one checkpoint.

    Raises:
        DiskError: it may not, because its checkpoint might not fit.
    """
    folder, needed = _folder(), CHECKPOINTS * checkpoint
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DiskError(
            f"The disk is nearly full: {free / 1e6:.1f} MB are free in {folder}, and this training needs {needed / 1e6:.1f} MB to go on "
            "safely. Make room, then resume: the last checkpoint is whole."
        )


def keep_reserve() -> None:
    """Lay the reserve beside the runs, if it is not there.

    Raises:
        OSError: there is no room for it.
    """
    path = _reserve()
    if path.exists() and path.stat().st_size >= RESERVE_BYTES:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(os.urandom(RESERVE_BYTES))  # a file system that compresses would keep nothing of zeros


def with_reserve(act: Callable[[], None]) -> None:
    """Change the store; if there is no room for that, once more with the room of the reserve.

    Raises:
        StoreError: from `act`.
    """
    try:
        act()
    except StoreError:
        if obstacle() is None or not _give_reserve_up():
            raise
        act()


def _give_reserve_up() -> bool:
    """Whether its room is free now."""
    try:
        _reserve().unlink()
    except OSError:  # there is none, or the disk takes no change at all
        return False
    return True


def sentence(error: OSError) -> str:
    """What to tell a person whose training the disk has stopped."""
    why = {errno.ENOSPC: "The disk is full", errno.EDQUOT: "The disk is full", errno.EROFS: "The disk is read-only"}
    what = why.get(error.errno or 0, "A file cannot be read or written")
    return f"{what}: {error.strerror}. Mend that, then resume: the last checkpoint is whole."


def _takes_writes(folder: Path) -> bool:
    """By a write, the smallest there is: a disk that an error has made read-only goes on to say that it may be written."""
    try:
        os.utime(folder)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)


def _folder() -> Path:
    """That of the runs; on an installation without one the folder that it will be made in."""
    return runs_folder() if runs_folder().exists() or runs_folder().is_symlink() else home()


def _reserve() -> Path:
    return runs_folder() / "reserve"
