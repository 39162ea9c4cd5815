"""A disk whose power is cut: what may be left of operations when nothing says in which order they reached the disk.

What was synced is there: the content of a file by an fsync of the file, its name by an fsync of its folder. Of all else each change is
kept, lost, or (a write) torn by sectors, independently of the others: more than a real file system would do. In the manner of the crash
states of ALICE (Pillai et al., All File Systems Are Not Created Equal, OSDI 2014) and of SQLite's own tests.
"""

import itertools
import json
import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.faults.disk import Operation

SECTOR = 512
KEEPING = (0.0, 0.5, 0.9, 1.0)  # how likely an unsynced change is kept: another one for each state


def read_trace(*paths: Path) -> list[Operation]:
    """The operations that processes wrote down (`warm.Plan.trace`), one process after the other."""
    told = [json.loads(line) for path in paths for line in path.read_text().splitlines()]
    return [Operation(**{**each, "content": bytes.fromhex(each["content"])}) for each in told]


@dataclass(frozen=True)
class _Change:
    """One change of the disk, or a sync of what was changed before."""

    kind: str  # write, truncate: the content of a file; bind, unbind, folder: a name; sync
    of: object  # what a sync must name to make it last: the number of a file, or the path of a folder
    path: str = ""
    file: int = 0
    content: bytes = b""
    offset: int = 0


class Disk:
    """All that was done to a home from its beginning.

    Args:
        operations: from an empty home on.
    """

    def __init__(self, operations: Iterable[Operation]) -> None:
        self._names: dict[str, int] = {}
        self._folders, self._numbers = {"."}, itertools.count()
        self._changes = [self._change(operation) for operation in operations]  # some for each operation

    def left(self, after: int, chance: random.Random | None) -> tuple[set[str], dict[str, bytes]]:
        """What is there when the power is cut after so many operations.

        Args:
            chance: what of the unsynced is kept; all of it if None, as it is when only the process dies.

        Returns:
            The folders, and the files with their content; paths relative to the home.
        """
        names: dict[str, int] = {}
        contents: dict[int, bytearray] = defaultdict(bytearray)
        folders = {"."}
        keeping = chance.choice(KEEPING) if chance else 1.0
        for change, synced in self._until(after):
            if not synced and chance and chance.random() >= keeping:
                continue
            if change.kind == "write":
                _write(contents[change.file], change, None if synced else chance)
            elif change.kind == "truncate":
                _resize(contents[change.file], change.offset)
            elif change.kind == "bind":
                names[change.path] = change.file
            elif change.kind == "unbind":
                names.pop(change.path, None)
            elif change.kind == "folder":
                folders.add(change.path)
        there = {path for path in folders if all(str(above) in folders for above in Path(path).parents)}
        return there, {path: bytes(contents[file]) for path, file in names.items() if str(Path(path).parent) in there}

    def _until(self, after: int) -> list[tuple[_Change, bool]]:
        """The changes of the first operations, and whether a later one of these has synced them."""
        synced: set[object] = set()
        found = []
        for change in reversed([change for changes in self._changes[:after] for change in changes]):
            if change.kind == "sync":
                synced.add(change.of)
            else:
                found.append((change, change.of in synced))
        return found[::-1]

    def _change(self, operation: Operation) -> list[_Change]:
        path, above = operation.path, str(Path(operation.path).parent)
        match operation.kind:
            case "create":
                self._names[path] = file = next(self._numbers)
                return [_Change("bind", above, path, file)]
            case "write" | "truncate":
                file = self._names[path]
                return [_Change(operation.kind, file, path, file, operation.content, operation.offset)]
            case "sync":
                return [_Change("sync", path if path in self._folders else self._names[path])]
            case "replace":
                self._names[operation.target] = file = self._names.pop(path)
                return [_Change("bind", above, operation.target, file), _Change("unbind", above, path)]
            case "unlink" if path in self._names:
                del self._names[path]
                return [_Change("unbind", above, path)]
            case "mkdir" if path not in self._folders:
                self._folders.add(path)
                return [_Change("folder", above, path)]
        return []


def lay_out(home: Path, folders: set[str], files: dict[str, bytes]) -> None:
    """Put what was left into a home that has nothing of it."""
    for folder in sorted(folders):
        (home / folder).mkdir(exist_ok=True)
    for path, content in files.items():
        (home / path).write_bytes(content)


def _write(content: bytearray, change: _Change, chance: random.Random | None) -> None:
    """A write, by sectors: all of them, or half of them when it is torn."""
    torn = chance is not None and chance.random() < 0.5
    for start in range(0, len(change.content), SECTOR):
        if torn and chance and chance.random() < 0.5:
            continue
        sector, place = change.content[start : start + SECTOR], change.offset + start
        _resize(content, max(len(content), place + len(sector)))
        content[place : place + len(sector)] = sector


def _resize(content: bytearray, length: int) -> None:
    content[:] = content[:length].ljust(length, b"\0")
