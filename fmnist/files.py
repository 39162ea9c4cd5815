"""Files that are read as what they should be, and written so that they last.

Read is an ordinary file of a bounded size: a pipe is not waited for, and nothing huge fills the memory. What is written is whole after a
crash and still there after a power loss; why each step is there: docs/decisions/0024.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from fmnist.home import home

_KINDS = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}


def read(path: Path, most: int) -> bytes:
    """The content of a file.

    Args:
        most: bytes; a larger file is not read.

    Raises:
        OSError: it is missing, no ordinary file, too large, or the disk refuses; its `strerror` says why.
    """
    with opened(path, most) as file:
        content = file.read(most + 1)
    if len(content) > most:  # it has grown since
        raise _too_large(path, len(content), most)
    return content


def read_end(path: Path, most: int) -> tuple[bytes, int]:
    """The last `most` bytes of a file of any size, and how many it has; errors as in `read`."""
    with opened(path) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - most))
        return file.read(most), size


@contextmanager
def opened(path: Path, most: int | None = None) -> Iterator[BufferedReader]:
    """An ordinary file, to be read from its beginning; arguments and errors as in `read`. With `most` None it may have any size."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # O_NONBLOCK: nobody need write into a pipe
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor has no path
        found = os.fstat(descriptor)
        if kind := _KINDS.get(stat.S_IFMT(found.st_mode)):
            raise OSError(errno.EINVAL, f"it is {kind}, not a file", str(path))
        if most is not None and found.st_size > most:
            raise _too_large(path, found.st_size, most)
        yield file


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically and durably: temporary file, fsync, rename, fsync of the folder and of those above it.

    Raises:
        OSError: the disk is full or read-only; what was there before is untouched.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folders(path.parent)


def sync_folders(folder: Path) -> None:
    """Make the names in a folder last, and its own name in the one above, up to FMNIST_HOME: a new folder is only a name in another."""
    inside = (above for above in folder.parents if above.is_relative_to(home()))
    for each in (folder, *inside):
        descriptor = os.open(each, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def clear_torn(folder: Path) -> None:
    """Remove what a process was writing into a folder when it was killed. Nobody else may be writing there."""
    for left in folder.glob(".*.tmp"):
        left.unlink()


def _too_large(path: Path, size: int, most: int) -> OSError:
    return OSError(errno.EFBIG, f"it has {size / 1e6:,.1f} MB, more than {most / 1e6:,.0f} MB, which is the most that is read", str(path))
