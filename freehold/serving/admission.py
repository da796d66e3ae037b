"""Who is answered next, who waits, and who is sent away, when more comes than can be answered.

Laws
- Of those that wait, a higher class is answered before a lower one; within a class, who came first.
- No more wait than `waiting`. One that finds no room takes the place of the youngest of the lowest
  class below its own, and is sent away itself where there is none below.
- A caller's requests beyond `per_caller` a second, with as many again at once, are sent away before
  they take a place.
"""

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from freehold.domain.errors import Refused
from freehold.serving.request import invalid

PRIORITY = "freehold-priority"
DEADLINE = "freehold-deadline-ms"
CALLER = "freehold-caller"
CLASSES: Mapping[bytes, int] = {b"high": 0, b"normal": 1, b"low": 2}
"""By the header's value: the lower the number, the sooner."""
NORMAL = CLASSES[b"normal"]
_CALLERS = 10_000
"""Whose last requests are remembered; who was silent longest is forgotten first."""

T = TypeVar("T")


@dataclass(frozen=True)
class AdmissionSettings:
    waiting: int = 1024
    """Requests, of all classes together."""
    per_caller: float = 0.0
    """Requests a second; 0: no limit."""
    connections: int = 4096
    """Open at once."""
    held_bytes: int = 256 * 2**20
    """Of bodies that have not wholly arrived, all together."""
    head_seconds: float = 10.0
    """For the whole head to arrive."""
    idle_seconds: float = 60.0
    """Between two requests, or until a client takes what it was answered."""


class Turns(Generic[T]):
    """Those that wait."""

    def __init__(self, waiting: int) -> None:
        self._room = waiting
        self._classes: tuple[deque[T], ...] = tuple(deque() for _ in CLASSES)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def enter(self, one: T, priority: int) -> T | None:
        """Who has to go for it: another, itself, or nobody."""
        if self._count < self._room:
            self._classes[priority].append(one)
            self._count += 1
            return None
        for below in range(len(self._classes) - 1, priority, -1):
            if self._classes[below]:
                gone = self._classes[below].pop()
                self._classes[priority].append(one)
                return gone
        return one

    def next(self) -> T | None:
        for waiting in self._classes:
            if waiting:
                self._count -= 1
                return waiting.popleft()
        return None


class Bucket:
    """Tokens: full at first, then it fills with `rate` a second. Times are seconds of a clock that
    never goes back."""

    __slots__ = ("_full", "_left", "_rate", "_then")

    def __init__(self, rate: float, full: float, now: float) -> None:
        self._rate, self._full, self._left, self._then = rate, full, full, now

    def take(self, now: float) -> float:
        """0 if there was one, which is then gone; else the seconds until there is."""
        left = min(self._full, self._left + (now - self._then) * self._rate)
        self._then, self._left = now, left - 1 if left >= 1 else left
        return 0.0 if left >= 1 else (1 - left) / self._rate


class Allowances:
    """For each caller `rate` a second, up to a second's worth at once."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._buckets: dict[bytes, Bucket] = {}

    def wait(self, caller: bytes, now: float) -> float:
        """0 if it may ask now, which is then counted; else the seconds until it may. `now` in
        seconds of a clock that never goes back."""
        bucket = self._buckets.pop(caller, None)
        if bucket is None:
            bucket = Bucket(self._rate, max(1.0, self._rate), now)
        self._buckets[caller] = bucket
        if len(self._buckets) > _CALLERS:
            del self._buckets[next(iter(self._buckets))]
        return bucket.take(now)


SENT_AWAY = frozenset({"endpoint.overloaded", "request.too-often"})
"""Codes of errors whose hint is the seconds after which to come again."""


def sent_away(waiting: int, seconds: float = 1.0) -> Refused:
    return Refused(
        "there is more to answer than can be answered",
        why=f"{waiting} requests of this class or a higher one wait",
        hint=_whole(seconds),
        code="endpoint.overloaded",
    )


def too_often(rate: float, seconds: float) -> Refused:
    return Refused(
        f"more than {rate:g} requests a second came from this caller",
        hint=_whole(seconds),
        code="request.too-often",
    )


def _whole(seconds: float) -> str:
    return str(max(1, math.ceil(seconds)))


def priority_of(value: bytes | None) -> int:
    """Raises RequestInvalid `request.malformed`."""
    if value is None:
        return NORMAL
    found = CLASSES.get(value.strip().lower())
    if found is None:
        known = ", ".join(name.decode() for name in CLASSES)
        raise invalid("request.malformed", f"{PRIORITY} must be one of {known}")
    return found


def seconds_left(value: bytes | None) -> float:
    """Of the deadline header; infinite if there is none. Raises RequestInvalid
    `request.malformed`."""
    if value is None:
        return math.inf
    if not value.isdigit() or len(value) > 12:
        raise invalid("request.malformed", f"{DEADLINE} must be a number of milliseconds")
    return int(value) / 1000
