"""What a person writes into the search field of the table of runs: words to look for, and conditions such as `accuracy>93`.

    resnet status=failed,diverged accuracy>=93.5 tag=lunch name="the first" flip=no created>2026-11-01

A run fits if every word stands somewhere in it and every condition holds. What is in quotes is looked for as it is.
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from typing import Any

from fmnist.errors import FmnistError
from ui.runs.fields import FIELDS, Entry, Field, Kind, shown

_TOKEN = re.compile(r'(?:[^\s"]|"[^"]*"?)+')
_CONDITION = re.compile(r"([a-z_]+)(>=|<=|!=|=|>|<|:)(.*)", re.IGNORECASE | re.DOTALL)
_MORE = {">": "above", ">=": "at least", "<": "below", "<=": "at most"}
_ORDERED: tuple[Kind, ...] = ("number", "percent", "duration", "moment")
_SWITCH = {"yes": True, "true": True, "on": True, "1": True, "no": False, "false": False, "off": False, "0": False}


class FilterError(FmnistError, ValueError):
    """What stands in the search field cannot be understood."""


@dataclass(frozen=True)
class Condition:
    """One comparison of a field; with `=` and `!=` several values may be named."""

    field: Field
    comparison: str
    wanted: tuple[Any, ...]

    def holds(self, entry: Entry) -> bool:
        value = self.field.value(entry)
        if self.comparison in ("=", "!="):
            return any(_same(self.field.kind, value, each) for each in self.wanted) == (self.comparison == "=")
        if value is None:
            return False
        wanted = self.wanted[0]
        return {">": value > wanted, ">=": value >= wanted, "<": value < wanted, "<=": value <= wanted}[self.comparison]

    def __str__(self) -> str:
        verbs = {"prose": ("has", "has not"), "tags": ("has", "has not")}.get(self.field.kind, ("is", "is not"))
        verb = _MORE.get(self.comparison) or verbs[self.comparison == "!="]
        title = "tag" if self.field.kind == "tags" else self.field.title[0].lower() + self.field.title[1:]
        values = " or ".join(shown(self.field, (each,) if self.field.kind == "tags" else each) for each in self.wanted)
        return f"{verb} the tag {values}" if title == "tag" else f"{title} {verb} {values}"


@dataclass(frozen=True)
class Query:
    """What is looked for."""

    words: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()

    def fits(self, entry: Entry) -> bool:
        return all(condition.holds(entry) for condition in self.conditions) and self._words_stand_in(entry)

    def _words_stand_in(self, entry: Entry) -> bool:
        if not self.words:
            return True
        text = " ".join(str(field.value(entry)) for field in FIELDS.values() if field.kind in ("text", "prose", "tags")).casefold()
        return all(word in f"{entry.run.number} {text}" for word in self.words)


def read(text: str) -> Query:
    """The query that a text means.

    Raises:
        FilterError: a condition names a field that there is not, or a value that does not go with its field.
    """
    words, conditions = [], []
    for token in _TOKEN.findall(text):
        found = _CONDITION.fullmatch(token)
        if found and (found[1].lower() in FIELDS or found[2] != ":"):
            conditions.append(_condition(*found.groups()))
        else:
            words.append(token.replace('"', "").casefold())
    return Query(tuple(words), tuple(conditions))


def written(word: str, comparison: str, values: Sequence[str]) -> str:
    """A condition as a person would write it: the other way round of `read`."""
    return f"{word}{comparison}" + ",".join(f'"{value}"' if re.search(r"[\s,]", value) else value for value in values)


def comparisons(kind: Kind) -> dict[str, str]:
    """Sign -> what a person reads, for the fields of a kind."""
    if kind in _ORDERED:
        return {**_MORE, "=": "is"}
    return {"=": "has", "!=": "has not"} if kind in ("prose", "tags") else {"=": "is", "!=": "is not"}


def _condition(word: str, comparison: str, text: str) -> Condition:
    field = FIELDS.get(word.lower())
    if field is None:
        near = get_close_matches(word.lower(), FIELDS, 1)
        advice = f" Did you mean '{near[0]}'?" if near else ""
        raise FilterError(f"A run has no field '{word[:40]}'.{advice} To look for it as a text, write it in quotes.")
    comparison = comparison.replace(":", "=")
    if comparison in _MORE and field.kind not in _ORDERED:
        raise FilterError(f"'{word}' has no order, so it cannot be above or below anything. Write {word}={text[:40] or 'value'}.")
    parts = re.findall(r'"[^"]*"?|[^,"]+', text) if comparison in ("=", "!=") else [text]
    values = tuple(_value(word, field, part.strip('" ')) for part in parts if part.strip('" '))
    if not values:
        raise FilterError(f"'{word}{comparison}' needs something to compare with.")
    return Condition(field, comparison, values)


_READERS: dict[Kind, tuple[Callable[[str], Any], str]] = {
    "number": (float, "a number"),
    "percent": (lambda text: float(text.removesuffix("%")), "a percentage such as 93.5"),
    "duration": (lambda text: timedelta(seconds=float(text)), "a number of seconds"),
    "moment": (lambda text: datetime.fromisoformat(text).replace(tzinfo=UTC), "a day such as 2026-11-30"),
    "switch": (lambda text: _SWITCH[text.lower()], "yes or no"),
}


def _value(word: str, field: Field, text: str) -> Any:
    """A text as a value of the field."""
    if field.kind not in _READERS:
        return text
    reader, wanted = _READERS[field.kind]
    try:
        return reader(text)
    except (ValueError, KeyError, OverflowError):
        raise FilterError(f"'{word}' is compared with {wanted}, not with '{text[:40]}'.") from None


def _same(kind: Kind, value: Any, wanted: Any) -> bool:
    """Whether a value is what is asked for: letter case does not matter, nor do the digits that the table does not show."""
    if value is None:
        return False
    if kind == "prose":
        return wanted.casefold() in value.casefold()
    if kind == "tags":
        return wanted.casefold() in (tag.casefold() for tag in value)
    if kind == "text":
        return value.casefold() == wanted.casefold()
    if kind == "moment":
        return value.date() == wanted.date()
    if kind in ("number", "percent"):
        return math.isclose(value, wanted, rel_tol=1e-9, abs_tol=0.005 if kind == "percent" else 0.0)
    return value == wanted
