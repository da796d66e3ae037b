"""Who is told to come again, some at a time.

Whoever asks again as soon as it was sent away is sent away again: a crowd of those takes the whole
processor, and next to nobody is answered. So no more than EVERY_SECOND are told in a second; the
others wait for it, without a place and without what they asked. How many those are has the bound of
the connections and calls that may be open.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Protocol

from freehold.domain.errors import FreeholdError
from freehold.serving.admission import Bucket

EVERY_SECOND = 2_000
AT_ONCE = 100
"""After a while in which nobody was sent away."""
SLICE = 0.002
"""Seconds of answering or telling after which it is looked at who else has come."""
_STEP = 0.005
"""Seconds between two looks at who may be told."""


class Unanswered(Protocol):
    """A whole request that will not be answered."""

    def let_go(self) -> bool:
        """It may be sent away later: what it asked is no longer needed. False where it must not
        wait."""

    def send_away(self, error: FreeholdError) -> None:
        """It is told so, which ends it."""


class Refusals:
    """On one loop."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        """`clock`: seconds, never going back."""
        self._clock, self._bucket = clock, Bucket(EVERY_SECOND, AT_ONCE, clock())
        self._waiting: deque[tuple[Unanswered, FreeholdError]] = deque()

    def tell(self, one: Unanswered, error: FreeholdError) -> None:
        """Now, or when it may be told; in the order of these calls."""
        if (not self._waiting and self._may()) or not one.let_go():
            one.send_away(error)
            return
        self._waiting.append((one, error))
        if len(self._waiting) == 1:
            self._look_soon()

    def _may(self) -> bool:
        """Whether another may be told, who then counts."""
        return not self._bucket.take(self._clock())

    def _look_soon(self) -> None:
        asyncio.get_running_loop().call_later(_STEP, self._look)

    def _look(self) -> None:
        until = self._clock() + SLICE
        try:
            # Those of a stream are read for it: the loop is not held up by many.
            while self._waiting and self._clock() <= until and self._may():
                one, error = self._waiting.popleft()
                one.send_away(error)
        finally:
            # The others are told, whatever one raises.
            if self._waiting:
                self._look_soon()
