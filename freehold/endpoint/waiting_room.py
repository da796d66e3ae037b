"""Where requests of every protocol take their turns, and what is done when nobody waits.

All of it runs on the endpoint's one loop. What is answered there must not wait; what waits for a
model elsewhere does so in a thread, and no more than so many do: the others keep their places, so
that a higher class still goes before a lower one.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from time import monotonic
from typing import Any, Protocol

from freehold.domain.errors import FreeholdError
from freehold.endpoint.refusals import SLICE, Refusals, Unanswered
from freehold.serving.admission import (
    CALLER,
    DEADLINE,
    NORMAL,
    PRIORITY,
    SENT_AWAY,
    AdmissionSettings,
    Allowances,
    Turns,
    priority_of,
    seconds_left,
    sent_away,
    too_often,
)
from freehold.serving.request import invalid

AT_ONCE = 16
"""Requests that wait for models elsewhere at a time: enough to share a call of one, and few enough
for a higher class not to wait long behind them."""
_PRIORITY, _DEADLINE, _CALLER = (name.encode() for name in (PRIORITY, DEADLINE, CALLER))


class Waiting(Unanswered, Protocol):
    """A whole request."""

    entered: float
    """When it entered, in seconds of the monotonic clock."""
    until: float
    """When its answer is no longer wanted, in seconds of the monotonic clock; 0: whenever it comes.
    """

    def answer(self) -> Awaitable[object] | None:
        """Now is its turn. What is returned ends when a model elsewhere has answered."""


class Leisure(Protocol):
    on_waiting: Callable[[], None]

    @property
    def waits(self) -> bool:
        """Whether the next piece waits for something: a thread is to do it."""

    def next(self) -> bool:
        """Does a piece; whether another is there."""


class WaitingRoom:
    def __init__(
        self,
        settings: AdmissionSettings,
        leisure: Leisure | None = None,
        at_once: int = AT_ONCE,
    ) -> None:
        """`leisure`: what is to be done when nobody waits. `at_once`: how many may wait for what is
        elsewhere."""
        self._settings, self._leisure, self._at_once = settings, leisure, at_once
        self._turns: Turns[Waiting] = Turns(settings.waiting)
        self._allowances = Allowances(settings.per_caller) if settings.per_caller else None
        self._refusals = Refusals()
        self._elsewhere: set[asyncio.Future[Any]] = set()
        self._is_at_work = self._is_resting = self._rests_elsewhere = False
        self.on_entered: Callable[[], None] = lambda: None
        """Told of each request that comes."""
        self.on_turn: Callable[[float], None] = lambda _: None
        """Told how many seconds each has waited whose turn it is."""

    def open(self) -> None:
        """On the loop that answers."""
        loop = asyncio.get_running_loop()
        if self._leisure is not None:
            self._leisure.on_waiting = lambda: call(loop, self._rest_soon)

    def enter(self, one: Waiting, headers: Mapping[bytes, bytes], peer: str) -> None:
        """It is answered when it is its turn, or sent away; both may happen before this returns.

        `headers`: by lower-case name; of a call by gRPC, its metadata. `peer`: address of who asks,
        for the limit per caller.
        """
        self.on_entered()
        priority = NORMAL
        try:
            if self._allowances is not None:
                self._allow(headers.get(_CALLER, peer.encode()))
            if _PRIORITY in headers:
                priority = priority_of(headers[_PRIORITY])
            if _DEADLINE in headers:
                one.until = monotonic() + seconds_left(headers[_DEADLINE])
            else:
                one.until = 0.0
        except FreeholdError as exc:
            if exc.code in SENT_AWAY:
                self._refusals.tell(one, exc)
            else:
                one.send_away(exc)
            return
        one.entered = monotonic()
        gone = self._turns.enter(one, priority)
        if gone is not None:
            self._refusals.tell(gone, sent_away(len(self._turns)))
        self._work_soon()

    def _allow(self, caller: bytes) -> None:
        """Raises Refused."""
        assert self._allowances is not None
        wait = self._allowances.wait(caller, monotonic())
        if wait:
            raise too_often(self._settings.per_caller, wait)

    def _work_soon(self) -> None:
        if not self._is_at_work:
            self._is_at_work = True
            asyncio.get_running_loop().call_soon(self._work)

    def _work(self) -> None:
        """Answers those whose turn it is, and goes back to the loop before long: who is of a higher
        class and has just come need not wait for all that were here."""
        now = monotonic()
        until = now + SLICE
        try:
            while len(self._elsewhere) < self._at_once and (one := self._turns.next()) is not None:
                if one.until and now > one.until:
                    one.send_away(expired())
                else:
                    self.on_turn(now - one.entered)
                    found = one.answer()
                    if found is not None:
                        self._await(found)
                now = monotonic()
                if now > until:
                    break
        finally:
            # Whatever an answer raises is told by the loop, and the others have their turns.
            if len(self._turns) and len(self._elsewhere) < self._at_once:
                asyncio.get_running_loop().call_soon(self._work)
            else:
                self._is_at_work = False
                self._rest_soon()

    def _await(self, found: Awaitable[object]) -> None:
        future = asyncio.ensure_future(found)
        self._elsewhere.add(future)
        future.add_done_callback(self._answered_elsewhere)

    def _answered_elsewhere(self, future: "asyncio.Future[Any]") -> None:
        self._elsewhere.discard(future)
        if len(self._turns):
            self._work_soon()

    def _rest_soon(self) -> None:
        if self._leisure is not None and not self._is_resting:
            self._is_resting = True
            asyncio.get_running_loop().call_soon(self._rest)

    def _rest(self) -> None:
        """A piece of what can wait, unless somebody has come: then once they are answered."""
        self._is_resting = False
        leisure = self._leisure
        if leisure is None or len(self._turns) or self._rests_elsewhere:
            return
        if leisure.waits:
            # One at a time: the threads that wait for models elsewhere are those of the answers.
            self._rests_elsewhere = True
            done = asyncio.get_running_loop().run_in_executor(None, leisure.next)
            done.add_done_callback(self._rested)
        elif leisure.next():
            self._rest_soon()

    def _rested(self, done: "asyncio.Future[bool]") -> None:
        self._rests_elsewhere = False
        if done.result():
            self._rest_soon()


def call(loop: asyncio.AbstractEventLoop, piece: Callable[..., None], *given: Any) -> None:
    """From any thread. What a loop that has ended was to do is done by whoever closes."""
    if not loop.is_closed():
        loop.call_soon_threadsafe(piece, *given)


def expired() -> FreeholdError:
    return invalid("request.deadline", f"its turn came after the {DEADLINE} that it said")
