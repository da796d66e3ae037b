"""Which site is asked next: the nearest that is well, has room, and may be asked.

Laws
- A site whose circuit is open is not asked before its time has come; then one request tries it.
- Where every circuit is open, the one that is due first is asked: to try is better than to refuse.
- A site that answers wrongly more often than not is let out too, but never the last one that is in.
  So is one that says it is well and leaves requests unanswered: what it was asked, and nobody waits
  for any more, counts as wrong if it had far longer than it takes. Only an answer lets it in again.
- Of those that are in, one without room comes after all that have some; else the nearer first.
- Hedges are at most a stated share of requests, but for the first few.

Sources: Nygard, Release It! (circuit breaker); Dean and Barroso, "The Tail at Scale", CACM 56(2),
2013 (hedged requests); outlier detection as service proxies have it.
"""

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_SMOOTH = 0.2
"""Weight of the newest measurement of how near a site is."""
_KEPT = 200
"""Answers whose times are kept."""
_ENOUGH = 20
"""Answers from which on their times and faults say something."""
_FAR = 3.0
"""Times its patience, from which on an answer is not late but missing; and not before `_SURELY`."""
_SURELY, _UNKNOWN = 1.0, 5.0
"""Seconds; the second is the patience with a site of which too few times are known."""


@dataclass(frozen=True)
class UpstreamSettings:
    failures: int = 3
    """In a row, after which a circuit opens."""
    open_seconds: float = 1.0
    """At first; doubled with each trial that fails, up to `longest_open_seconds`."""
    longest_open_seconds: float = 30.0
    room: int = 64
    """Requests under way at one site from which on others are asked."""
    hedge_quantile: float = 0.95
    """Of a site's answers: one that takes longer is asked of another site, too."""
    hedge_share: float = 0.05
    """Of all requests."""
    hedge_seconds: float = 0.005
    """No hedge before."""


class Upstream:
    """What is known of one site. All times in seconds of a clock that never goes back."""

    def __init__(self, name: str, url: str, settings: UpstreamSettings) -> None:
        self.name, self.url, self._settings = name, url, settings
        self.nearness = math.inf
        """Seconds that a question about its health takes; infinite until it was answered."""
        self.under_way = 0
        self._full_until = 0.0
        self._in_a_row = 0
        self._opened = 0
        """How often in a row the circuit has opened."""
        self.due = 0.0
        """When a circuit that is open may be tried; 0 while it is closed."""
        self.is_on_trial = False
        """Whether it was let out as wrong, and has not answered rightly since."""
        self._outcomes: deque[bool] = deque(maxlen=_ENOUGH)
        self._times: deque[float] = deque(maxlen=_KEPT)

    @property
    def is_closed(self) -> bool:
        """Whether its circuit is, so that requests flow."""
        return not self.due

    def may(self, now: float) -> bool:
        return self.is_closed or (now >= self.due and not self.under_way)

    def has_room(self, now: float) -> bool:
        return self.under_way < self._settings.room and now >= self._full_until

    def measured(self, seconds: float) -> None:
        """It said that it is well, after so long."""
        if math.isinf(self.nearness):
            self.nearness = seconds
        else:
            self.nearness += _SMOOTH * (seconds - self.nearness)

    def answered(self, seconds: float, *, is_right: bool) -> None:
        """A request, by its endpoint: the site lives. `is_right`: it was no fault of the site's."""
        self._in_a_row = self._opened = 0
        self.due = 0.0
        self.is_on_trial = self.is_on_trial and not is_right
        self._times.append(seconds)
        self._outcomes.append(is_right)

    def failed(self, now: float) -> None:
        """It did not answer, or said that it cannot."""
        self._in_a_row += 1
        self._outcomes.append(False)
        if self.due or self._in_a_row >= self._settings.failures:
            self._open(now)

    def given_up(self, seconds: float, now: float) -> None:
        """Nobody waits any more for what it was asked so long ago. An impatient caller says nothing
        about it."""
        if seconds < max(_SURELY, _FAR * min(self.patience, _UNKNOWN)):
            return
        self._outcomes.append(False)
        if self.due:
            self._open(now)

    def full(self, now: float, seconds: float) -> None:
        """It asked to be left alone for so long."""
        self._full_until = max(self._full_until, now + seconds)

    @property
    def is_mostly_wrong(self) -> bool:
        known = self._outcomes
        return len(known) == _ENOUGH and sum(known) * 2 < len(known)

    def let_out(self, now: float) -> None:
        self._outcomes.clear()
        self.is_on_trial = True
        self._open(now)

    @property
    def patience(self) -> float:
        """Seconds after which an answer is late; infinite while too few are known."""
        if len(self._times) < _ENOUGH:
            return math.inf
        place = math.ceil(self._settings.hedge_quantile * len(self._times)) - 1
        return max(self._settings.hedge_seconds, sorted(self._times)[place])

    def _open(self, now: float) -> None:
        settings = self._settings
        wait = settings.open_seconds * 2**self._opened
        self._opened = min(self._opened + 1, 30)
        self._in_a_row = 0
        self.due = now + min(wait, settings.longest_open_seconds)


def in_order(upstreams: Sequence[Upstream], now: float) -> list[Upstream]:
    """Those to ask, the best first; empty only if there are none."""
    ready = [one for one in upstreams if one.may(now)]
    if not ready:
        return sorted(upstreams, key=lambda one: one.due)[:1]
    return sorted(ready, key=lambda one: (not one.has_room(now), one.nearness, one.name))


def let_out_the_wrong(upstreams: Iterable[Upstream], now: float) -> list[Upstream]:
    """Opens the circuits of sites that are mostly wrong, and gives them; the last one stays in."""
    inside = [one for one in upstreams if one.is_closed]
    gone: list[Upstream] = []
    for one in inside:
        if one.is_mostly_wrong and len(gone) + 1 < len(inside):
            one.let_out(now)
            gone.append(one)
    return gone


class Hedges:
    """How many there may still be."""

    def __init__(self, share: float, first: float = 10.0) -> None:
        """`first`: those that may be before any request has earned one."""
        self._share, self._most, self._left = share, first, first

    def earn(self) -> None:
        """By a request."""
        self._left = min(self._most, self._left + self._share)

    def take(self) -> bool:
        if self._left < 1:
            return False
        self._left -= 1
        return True
