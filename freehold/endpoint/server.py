"""The socket's side of an endpoint: connections, whose turn it is, and an end in order.

All of it runs on one loop and one thread; what answers must not wait.
"""

import asyncio
import importlib
import importlib.util
import socket
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from threading import Event
from time import monotonic
from typing import Any, Protocol

from freehold.domain.errors import FreeholdError
from freehold.endpoint.connection import IDLE, Connection
from freehold.endpoint.message import Answer, Asking
from freehold.serving.admission import (
    CALLER,
    DEADLINE,
    PRIORITY,
    AdmissionSettings,
    Allowances,
    Turns,
    priority_of,
    seconds_left,
    sent_away,
    too_often,
)
from freehold.serving.request import Limits, invalid

LOOK = 0.5
"""Seconds between two looks at who takes too long."""
SLICE = 0.005
"""Seconds of answering after which it is looked at who else has come."""
_PRIORITY, _DEADLINE, _CALLER = (name.encode() for name in (PRIORITY, DEADLINE, CALLER))


class Answering(Protocol):
    """What a server needs of an application."""

    draining: bool

    def answer(self, asking: Asking) -> Answer | Awaitable[Answer]: ...

    def refusal(self, error: FreeholdError, path: str) -> Answer: ...

    def waits(self, asking: Asking) -> bool:
        """Whether it takes its turn; else it is answered at once, whatever waits."""

    @property
    def leisure(self) -> "Leisure | None":
        """What is to be done when nobody waits."""


class Leisure(Protocol):
    on_waiting: Callable[[], None]

    @property
    def waits(self) -> bool:
        """Whether the next piece waits for something: a thread is to do it."""

    def next(self) -> bool:
        """Does a piece; whether another is there."""


class Beside(Protocol):
    """What else is done on the same loop, as answering by a socket of its own."""

    address: str
    """`host:port`, once it has started; empty where it answers nobody."""
    open: int
    """Requests begun and not yet answered."""

    async def start(self) -> None: ...

    async def stop(self, grace: float) -> None: ...


class Server:
    def __init__(
        self,
        application: Answering,
        limits: Limits,
        settings: AdmissionSettings,
        grace: float,
        beside: Beside | None = None,
    ) -> None:
        """`grace`: seconds that requests under way have to end."""
        self._application, self._settings, self._grace = application, settings, grace
        self._turns: Turns[Connection] = Turns(settings.waiting)
        self._allowances = Allowances(settings.per_caller) if settings.per_caller else None
        self._connections: set[Connection] = set()
        self._held = 0
        self._is_at_work = self._is_resting = False
        self._stop = Event()
        self._beside = beside
        self._wake: Callable[[], None] = lambda: None
        self.limits = limits
        self.now = 0.0
        self.stamp = b""
        self.look()

    @property
    def draining(self) -> bool:
        return self._application.draining

    @property
    def waiting(self) -> int:
        """Requests begun and not yet answered."""
        open_here = sum(one.phase != IDLE for one in tuple(self._connections))
        return open_here + (0 if self._beside is None else self._beside.open)

    @property
    def address_beside(self) -> str | None:
        """`host:port` of what answers beside it, once it has started."""
        return None if self._beside is None else self._beside.address

    def run(self, listener: socket.socket, on_started: Callable[[], None] = lambda: None) -> None:
        """Until `stop`, from any thread. Raises what keeps it from starting."""
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(self._serve(listener, on_started))

    def stop(self) -> None:
        """Safe from a signal's handler and from any thread."""
        self._application.draining = True
        self._stop.set()
        self._wake()

    async def _serve(self, listener: socket.socket, on_started: Callable[[], None]) -> None:
        if self._beside is not None:
            await self._beside.start()
        on_started()
        loop = asyncio.get_running_loop()
        leisure = self._application.leisure
        if leisure is not None:
            leisure.on_waiting = lambda: _call(loop, self._rest_soon)
        woken = asyncio.Event()
        self._wake = lambda: _call(loop, woken.set)
        server = await loop.create_server(lambda: Connection(self), sock=listener, backlog=2048)
        looking = loop.create_task(self._keep_looking())
        if not self._stop.is_set():
            await woken.wait()
        server.close()
        if self._beside is None:
            await self._drain()
        else:
            await asyncio.gather(self._drain(), self._beside.stop(self._grace))
        looking.cancel()

    async def _drain(self) -> None:
        for one in tuple(self._connections):
            one.drain()
        until = monotonic() + self._grace
        while self._connections and monotonic() < until:
            await asyncio.sleep(0.01)
        for one in tuple(self._connections):
            one.abort()
        # A turn of the loop for what was aborted.
        await asyncio.sleep(0)

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(LOOK)
            self.look()

    def look(self) -> None:
        """Ends what takes too long; the server does so every LOOK."""
        self.now = monotonic()
        self.stamp = f"date: {formatdate(usegmt=True)}\r\n".encode()
        settings = self._settings
        times = (settings.head_seconds, self.limits.body_seconds, settings.idle_seconds)
        for one in tuple(self._connections):
            one.look(self.now, *times)

    # What connections call

    def answer(self, asking: Asking) -> Answer | Awaitable[Answer]:
        return self._application.answer(asking)

    def refusal(self, error: FreeholdError, path: str) -> Answer:
        return self._application.refusal(error, path)

    def opened(self, connection: Connection) -> None:
        self._connections.add(connection)
        if len(self._connections) > self._settings.connections:
            connection.refuse(sent_away(len(self._connections)))

    def closed(self, connection: Connection) -> None:
        self.hold(connection, 0)
        self._connections.discard(connection)

    def hold(self, connection: Connection, size: int) -> None:
        self._held += size - connection.held
        connection.held = size
        if self._held > self._settings.held_bytes:
            connection.refuse(sent_away(len(self._connections)))

    def enter(self, connection: Connection, asking: Asking) -> None:
        if not self._application.waits(asking):
            connection.answer()
            return
        headers, priority = asking.headers, 1
        try:
            if self._allowances is not None:
                self._allow(headers.get(_CALLER, asking.peer.encode()))
            if _PRIORITY in headers:
                priority = priority_of(headers[_PRIORITY])
            if _DEADLINE in headers:
                connection.until = monotonic() + seconds_left(headers[_DEADLINE])
            else:
                connection.until = 0.0
        except FreeholdError as exc:
            connection.send_away(exc)
            return
        gone = self._turns.enter(connection, priority)
        if gone is not None:
            gone.send_away(sent_away(len(self._turns)))
        if not self._is_at_work:
            self._is_at_work = True
            asyncio.get_running_loop().call_soon(self._work)

    def _rest_soon(self) -> None:
        if not self._is_resting:
            self._is_resting = True
            asyncio.get_running_loop().call_soon(self._rest)

    def _rest(self) -> None:
        """A piece of what can wait, unless somebody has come: then once they are answered."""
        self._is_resting = False
        leisure = self._application.leisure
        if leisure is None or len(self._turns):
            return
        if leisure.waits:
            done = asyncio.get_running_loop().run_in_executor(None, leisure.next)
            done.add_done_callback(self._rested)
        elif leisure.next():
            self._rest_soon()

    def _rested(self, done: "asyncio.Future[bool]") -> None:
        if done.result():
            self._rest_soon()

    def _allow(self, caller: bytes) -> None:
        """Raises Refused."""
        assert self._allowances is not None
        wait = self._allowances.wait(caller, monotonic())
        if wait:
            raise too_often(self._settings.per_caller, wait)

    def _work(self) -> None:
        """Answers those whose turn it is, and goes back to the loop before long: who is of a higher
        class and has just come need not wait for all that were here."""
        until = monotonic() + SLICE
        while (connection := self._turns.next()) is not None:
            if connection.until and monotonic() > connection.until:
                connection.send_away(_expired())
            else:
                connection.answer()
            if monotonic() > until:
                break
        if len(self._turns):
            asyncio.get_running_loop().call_soon(self._work)
        else:
            self._is_at_work = False
            self._rest_soon()


def _call(loop: asyncio.AbstractEventLoop, piece: Callable[..., None], *given: Any) -> None:
    """From any thread. What a loop that has ended was to do is done by whoever closes."""
    if not loop.is_closed():
        loop.call_soon_threadsafe(piece, *given)


def _expired() -> FreeholdError:
    return invalid("request.deadline", f"its turn came after the {DEADLINE} that it said")


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's, where it is installed: it takes half of what the standard one takes a request."""
    if importlib.util.find_spec("uvloop") is None:
        return None
    module: Any = importlib.import_module("uvloop")
    made: Callable[[], asyncio.AbstractEventLoop] = module.new_event_loop
    return made
