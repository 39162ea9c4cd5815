"""A file read as what it should be: an ordinary one of a bounded size. A pipe is not waited for, and nothing huge fills the memory."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

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


def _too_large(path: Path, size: int, most: int) -> OSError:
    return OSError(errno.EFBIG, f"it has {size / 1e6:,.1f} MB, more than {most / 1e6:,.0f} MB, which is the most that is read", str(path))
