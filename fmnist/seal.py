"""A checksum beside what must not change in a row: no database notices a bit that a bad disk has turned in a number."""

import zlib
from collections.abc import Mapping
from typing import Any

COLUMN = "seal"
OF_A_RUN = ("id", "number", "config", "device", "origin", "sweep", "created", "accuracy", "loss")  # what may change is not among them


def sealed(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a row, and the seal over them."""
    return {**values, COLUMN: _seal(values)}


def of_run(row: Any) -> int:
    """The seal of a row of the table of runs."""
    return _seal({name: row.get(name) for name in OF_A_RUN})


def is_broken(row: Any) -> bool:
    """Whether a row of figures is not what was written. One of an earlier version has no seal, and is believed."""
    return row[COLUMN] is not None and row[COLUMN] != _seal({name: row[name] for name in row if name not in (COLUMN, "run")})


def _seal(values: Mapping[str, Any]) -> int:
    """CRC-32 of the values by name. A number is the same as an integer and as a float, because a column decides that; what is NULL does
    not count, so that a later version may add a column."""
    plain = [(name, float(value) if isinstance(value, int) else value) for name, value in sorted(values.items()) if value is not None]
    return zlib.crc32(repr(plain).encode("utf-8", "backslashreplace"))
