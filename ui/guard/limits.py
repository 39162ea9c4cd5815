"""How much of everything: tries at the token, new sessions, open sessions, bytes.

A person meets none of them; each is there so that one tab or one program gone wild does not take the server from everybody.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from starlette.datastructures import Headers
from starlette.types import Scope

from ui.guard.refusal import Refusal

MOST_KNOWN = 1_000  # of those whose allowance is remembered; the one not seen for longest is forgotten
TRIES_A_MINUTE = 5  # at the token, by one address
SESSIONS_A_MINUTE = 300  # new ones, by one address; each costs a twelfth of a second of a core
OPEN_SESSIONS = 128  # in all
BODY_BYTES = 68_200_000  # of one request: a file of server.maxUploadSize with its frame
BODY_BYTES_A_MINUTE = 256_000_000  # of one session
HELD_BYTES = 256_000_000  # of uploads that lie in memory, of all sessions
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


class Allowance:
    """So much a minute for each, saved up to the allowance of one minute.

    Args:
        a_minute: how much.
        clock: seconds that never go back.
    """

    def __init__(self, a_minute: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._clock = float(a_minute), clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # who -> what was left when

    def has(self, who: str, amount: float = 1) -> bool:
        """Whether somebody may have so much now."""
        return self._now(who) >= amount

    def take(self, who: str, amount: float = 1) -> bool:
        """Take it, if it is there."""
        left = self._now(who)
        if left < amount:
            return False
        self._left[who] = (left - amount, self._clock())
        self._left.move_to_end(who)
        if len(self._left) > MOST_KNOWN:
            self._left.popitem(last=False)
        return True

    def _now(self, who: str) -> float:
        left, then = self._left.get(who, (self._most, self._clock()))
        return min(self._most, left + (self._clock() - then) * self._most / 60)


class Sessions:
    """The WebSockets that are open; each is one tab of somebody."""

    def __init__(self, most: int = OPEN_SESSIONS, a_minute: int = SESSIONS_A_MINUTE) -> None:
        self._open, self._most = 0, most
        self._new = Allowance(a_minute)

    def check_room(self) -> None:
        """Raises:
        Refusal: 503, as many tabs are open as may be.
        """
        if self._open >= self._most:
            raise Refusal(503, f"The dashboard is full: {self._open} tabs are open. Close one, then reload this page.", wait=10)

    @contextmanager
    def one_more(self, who: str) -> Iterator[None]:
        """A session that counts until it ends.

        Raises:
            Refusal: 429 or 503.
        """
        self.check_room()
        if not self._new.take(who):
            raise Refusal(429, "Too many tabs were opened within a minute. Wait a moment, then reload.", wait=10)
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1


class Bodies:
    """What may be sent to the server: how long at once, how much a minute, how much in all.

    Args:
        held: how many bytes of uploads lie in memory now.
    """

    def __init__(self, held: Callable[[], int] = lambda: 0) -> None:
        self._held, self._bytes = held, Allowance(BODY_BYTES_A_MINUTE)

    def check(self, scope: Scope, headers: Headers) -> None:
        """Raises:
        Refusal: 400, 411, 413, 429 or 507.
        """
        if scope["method"] not in _WITH_BODY:
            return
        length = length_of(headers)
        if length > BODY_BYTES:
            raise Refusal(413, f"This is {length / 1e6:.1f} MB; at most {BODY_BYTES / 1e6:.0f} MB can be sent at once.")
        session = scope["path"].rpartition("/")[0]  # an upload goes to /_stcore/upload_file/SESSION/FILE
        if not self._bytes.take(session, length):
            raise Refusal(429, "Too much was sent within a minute. Wait a moment, then send the rest.", wait=30)
        if self._held() + length > HELD_BYTES:
            raise Refusal(507, "The uploads of all open tabs fill the memory that is meant for them. Remove some, or close a tab.")


def length_of(headers: Headers) -> int:
    """How many bytes the body will have; the server below holds its sender to it.

    Raises:
        Refusal: 400 or 411, it does not say.
    """
    if "transfer-encoding" in headers or "content-length" not in headers:
        raise Refusal(411, "The request must say how long it is (Content-Length).")
    said = headers["content-length"]
    if not (said.isascii() and said.isdigit() and len(said) < 20):
        raise Refusal(400, "The Content-Length is no number.")
    return int(said)
