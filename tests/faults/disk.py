"""The disk between the studio and its files: each operation below a home is told before it happens, and can be refused, or be the last
thing that this process does.

Operations of SQLite are among them (`sqlite_disk`). What is only read is told as "open". `watch` is for a process that ends after the
test: it patches `os` and `open` for good. The product knows nothing of it.
"""

import builtins
import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults import sqlite_disk


@dataclass(frozen=True)
class Operation:
    """What is about to happen to a file or a folder."""

    kind: str  # create, open, write, truncate, sync, replace, unlink, mkdir, rmdir; unlock: others see SQLite's transaction now
    path: str  # relative to the home
    content: bytes = b""  # of a write
    offset: int = 0  # of a write; the length that a truncation leaves
    target: str = ""  # of a replacement, relative to the home


def watch(home: Path, before: Callable[[Operation], None]) -> None:
    """From now on `before` hears of each operation below the home, in this process.

    Args:
        before: raises OSError to refuse the operation, or never returns.
    """

    def tell(kind: str, path: str, **more: Any) -> None:
        if inside := _inside(home, path):
            before(Operation(kind, inside, **more))

    sqlite_disk.watch(tell)
    _watch_open(tell)
    _watch_names(home, tell)


def _inside(home: Path, path: str) -> str | None:
    """A path relative to the home; None if it is elsewhere. The dataset is elsewhere, too."""
    relative = os.path.relpath(path, home)
    return None if relative.startswith(("..", "data")) else relative


def _place(path: Any, folder: int | None = None) -> str:
    """The whole path of what a call names: a path, a path in an open folder, or a descriptor."""
    if isinstance(path, int):
        return str(Path(f"/proc/self/fd/{path}").readlink())
    base = Path(f"/proc/self/fd/{folder}").readlink() if folder is not None else Path.cwd()
    return os.path.normpath(base / os.fspath(path))


def _watch_names(home: Path, tell: Callable[..., None]) -> None:
    """The calls of `os` that change names, and the one that makes them last."""

    def watched(name: str) -> None:
        usual = getattr(os, name)

        def call(path: Any, *rest: Any, dir_fd: int | None = None, **more: Any) -> Any:
            tell({"fsync": "sync", "remove": "unlink"}.get(name, name), _place(path, dir_fd))
            return usual(path, *rest, **({"dir_fd": dir_fd} if dir_fd is not None else {}), **more)

        setattr(os, name, call)

    for name in ("unlink", "remove", "mkdir", "rmdir", "fsync"):
        watched(name)
    replace = os.replace

    def replace_(source: Any, target: Any) -> None:
        tell("replace", _place(source), target=_inside(home, _place(target)))
        replace(source, target)

    os.replace = os.rename = replace_


def _watch_open(tell: Callable[..., None]) -> None:
    """`os.open` and `open`; what is written through `open` goes through `_Written`."""
    os_open, usual = os.open, io.open

    def open_descriptor(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        place = _place(path, dir_fd)
        tell("create" if flags & os.O_CREAT and not os.path.exists(place) else "open", place)  # noqa: PTH110
        return os_open(path, flags, mode, dir_fd=dir_fd)

    class _Written(io.FileIO):
        def write(self, content: Any) -> int:
            tell("write", _place(self.fileno()), content=bytes(content), offset=self.tell())
            return super().write(content)

    def open_(file: Any, mode: str = "r", *rest: Any, **more: Any) -> Any:
        if isinstance(file, int):
            return usual(file, mode, *rest, **more)
        new = not os.path.exists(file)  # noqa: PTH110
        tell("create" if new and "r" not in mode else "open", _place(file))
        if mode == "wb":
            if not new:
                tell("truncate", _place(file))
            return io.BufferedWriter(_Written(file, mode))
        return usual(file, mode, *rest, **more)

    os.open, io.open, builtins.open = open_descriptor, open_, open_  # type: ignore[assignment]
