"""SQLite's own operations on its files, told before they happen: its layer for the operating system (a "VFS"), wrapped in place.

SQLite tests itself in the same way (https://sqlite.org/testing.html, crash and I/O error testing). Nothing else sees what it does with
its files, because it does so in C. `watch` is for a process that ends after the test.
"""

import _sqlite3
import ctypes
import errno
import sqlite3
from collections.abc import Callable
from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_int, c_int64, c_void_p
from pathlib import Path
from typing import Any

OPEN_CREATE, OPEN_MAIN_DB, OPEN_MAIN_JOURNAL = 0x4, 0x100, 0x800
SHARED = 1  # the lock that a writer falls back to when its transaction is over: then others see it
OK, FULL, CANTOPEN, DELETE_FAILED, WRITE_FAILED, SYNC_FAILED, TRUNCATE_FAILED = 0, 13, 14, 2570, 778, 1034, 1546

Tell = Callable[..., None]  # tell(kind, path, content=..., offset=...); raises OSError to refuse
Call = Callable[..., int]


class Methods(Structure):
    """sqlite3_io_methods up to what is replaced here; the rest is copied as it is."""


class File(Structure):
    """sqlite3_file: the address of its methods, and then what is no business of ours."""

    _fields_ = (("methods", POINTER(Methods)),)


FILE = POINTER(File)
CLOSE, WRITE = CFUNCTYPE(c_int, FILE), CFUNCTYPE(c_int, FILE, c_void_p, c_int, c_int64)
TRUNCATE, WITH_FLAG = CFUNCTYPE(c_int, FILE, c_int64), CFUNCTYPE(c_int, FILE, c_int)
Methods._fields_ = (
    ("version", c_int),
    ("close", CLOSE),
    ("read", c_void_p),
    ("write", WRITE),
    ("truncate", TRUNCATE),
    ("sync", WITH_FLAG),
    ("size", c_void_p),
    ("lock", c_void_p),
    ("unlock", WITH_FLAG),
    ("rest", c_void_p * 11),
)


class Vfs(Structure):
    """sqlite3_vfs."""


OPEN = CFUNCTYPE(c_int, c_void_p, c_void_p, FILE, c_int, POINTER(c_int))  # SQLite keeps the address of the name
DELETE = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int)
Vfs._fields_ = (
    ("version", c_int),
    ("file_size", c_int),
    ("longest_path", c_int),
    ("next", c_void_p),
    ("name", c_char_p),
    ("data", c_void_p),
    ("open", OPEN),
    ("delete", DELETE),
    ("rest", c_void_p * 14),
)

_alive: list[Any] = []  # what SQLite holds addresses of


def watch(tell: Tell) -> None:
    """From now on `tell` hears of each operation on a database and its journal, in this process, before it happens."""
    library = ctypes.CDLL(_sqlite3.__file__)  # finds the names of the library that it is linked with
    assert library.sqlite3_libversion_number() == int("{}{:03}{:03}".format(*sqlite3.sqlite_version_info))
    library.sqlite3_vfs_find.restype = POINTER(Vfs)
    usual = library.sqlite3_vfs_find(None).contents
    watched = Vfs.from_buffer_copy(usual)
    watched.name, watched.next = b"watched", None
    watched.open, watched.delete = _opener(usual, tell), _deleter(usual, tell)
    _alive.append(watched)
    assert library.sqlite3_vfs_register(ctypes.byref(watched), 1) == OK


def _opener(usual: Vfs, tell: Tell) -> Any:
    @OPEN
    def open_(_: int, name: int | None, file: Any, flags: int, granted: Any) -> int:
        path = ctypes.string_at(name).decode() if name and flags & (OPEN_MAIN_DB | OPEN_MAIN_JOURNAL) else None
        new = path is not None and bool(flags & OPEN_CREATE) and not Path(path).exists()
        if path and (refused := _refused(CANTOPEN, tell, "create" if new else "open", path)):
            return refused
        result = usual.open(ctypes.addressof(usual), name, file, flags, granted)
        if path and result == OK:
            journal = bool(flags & OPEN_MAIN_JOURNAL)
            file.contents.methods = ctypes.pointer(_methods(file.contents.methods.contents, path, new and journal, tell))
        return result

    _alive.append(open_)
    return open_


def _deleter(usual: Vfs, tell: Tell) -> Any:
    @DELETE
    def delete(_: int, name: int, sync_folder: int) -> int:
        path = ctypes.string_at(name).decode()
        if refused := _refused(DELETE_FAILED, tell, "unlink", path):
            return refused
        result = usual.delete(ctypes.addressof(usual), name, sync_folder)
        if sync_folder and result == OK:
            return _refused(DELETE_FAILED, tell, "sync", str(Path(path).parent))
        return result

    _alive.append(delete)
    return delete


def _methods(usual: Methods, path: str, new_journal: bool, tell: Tell) -> Methods:
    """The methods of one open file, with those that change it watched."""
    watched = Methods.from_buffer_copy(usual)
    unsynced = [str(Path(path).parent)] if new_journal else []  # SQLite syncs the folder of a new journal with its first sync

    @WRITE
    def write(file: Any, start: int, length: int, offset: int) -> int:
        refused = _refused(WRITE_FAILED, tell, "write", path, content=ctypes.string_at(start, length), offset=offset)
        return refused or usual.write(file, start, length, offset)

    @TRUNCATE
    def truncate(file: Any, length: int) -> int:
        return _refused(TRUNCATE_FAILED, tell, "truncate", path, offset=length) or usual.truncate(file, length)

    @WITH_FLAG
    def sync(file: Any, flags: int) -> int:
        refused = _refused(SYNC_FAILED, tell, "sync", path)
        if not refused and unsynced:
            refused = _refused(SYNC_FAILED, tell, "sync", unsynced.pop())
        return refused or usual.sync(file, flags)

    @WITH_FLAG
    def unlock(file: Any, level: int) -> int:
        if level == SHARED:
            tell("unlock", path)
        return usual.unlock(file, level)

    watched.write, watched.truncate, watched.sync, watched.unlock = write, truncate, sync, unlock
    _alive.extend((watched, write, truncate, sync, unlock))
    return watched


def _refused(code: int, tell: Tell, *what: str, **more: object) -> int:
    """Tell; SQLite's code for the error if it is refused, and 0 if not."""
    try:
        tell(*what, **more)
    except OSError as error:
        return FULL if code == WRITE_FAILED and error.errno == errno.ENOSPC else code
    return OK
