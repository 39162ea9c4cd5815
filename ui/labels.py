"""Figures, times and statuses in words and colours, the same on every page. No screen needed."""

import math
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from fmnist.run import Status

REFERENCE_ACCURACY = 0.9254  # what the published recipe reached on the test split in 10 epochs with batches of 64
REFERENCE_LOSS = 0.2833
_MARKS = frozenset("\\`*_{}[]()<>#+-.!|~:$&\"'")
# Where Markdown would see an address, and Streamlit an icon or an emoji, although the marks around are escaped.
_READ = re.compile(r"(?<=:)(?=//)|(?<=www)(?=\.)|(?<=@)|(?<=:)(?=[a-z+-][\w+/-]*:)", re.IGNORECASE)


Color = Literal["red", "orange", "blue", "green", "gray"]


@dataclass(frozen=True)
class Look:
    """How a status is shown."""

    word: str
    icon: str
    color: Color


LOOKS = {
    Status.QUEUED: Look("waiting", ":material/schedule:", "gray"),
    Status.RUNNING: Look("training", ":material/play_circle:", "blue"),
    Status.PAUSED: Look("paused", ":material/pause_circle:", "orange"),
    Status.STOPPED: Look("stopped", ":material/stop_circle:", "gray"),
    Status.CANCELLED: Look("cancelled", ":material/cancel:", "gray"),
    Status.FINISHED: Look("finished", ":material/check_circle:", "green"),
    Status.FAILED: Look("failed", ":material/error:", "red"),
    Status.DIVERGED: Look("diverged", ":material/trending_up:", "red"),
}
DAMAGED = Look("damaged", ":material/broken_image:", "red")


def plain(text: str) -> str:
    """Text that Markdown shows as it is: a name or a path in it becomes no link, picture, icon or formula."""
    broken = _READ.sub("\N{WORD JOINER}", text)
    return "".join(f"\\{letter}" if letter in _MARKS else letter for letter in broken).replace("\n", "  \n")


def percent(share: float | None) -> str:
    """0.9254 -> "92.54 %"."""
    return "–" if share is None else f"{share:.2%}".replace("%", "\N{NO-BREAK SPACE}%")


def points(difference: float) -> str:
    """A difference of two shares: 0.0031 -> "+0.31 points"."""
    return f"{100 * difference:+.2f} points"


def duration(seconds: float | None) -> str:
    """75 -> "1 min 15 s"; two units at most."""
    if seconds is None or not math.isfinite(seconds):
        return "–"
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s" if whole or not seconds > 0 else "under 1 s"
    for size, name, part, part_name in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // part
            return f"{whole // size} {name}" + (f" {rest} {part_name}" if rest else "")
    raise AssertionError("a minute is the smallest size")


def moment(when: float | None) -> str:
    """A moment on the wall clock: "2026-03-01 12:00:00 UTC"."""
    return "–" if when is None else datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def ago(moment: float, now: float | None = None) -> str:
    """How long ago a moment on the wall clock was: "just now", "5 minutes ago", "3 days ago"."""
    passed = (time.time() if now is None else now) - moment
    for size, name in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if passed >= size:
            count = int(passed // size)
            return f"{count} {name}{'s' if count > 1 else ''} ago"
    return "just now"


def size(count: int) -> str:
    """Bytes: 6_710_000 -> "6.7 MB"."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count} bytes"
