"""The socket's side of an endpoint: connections, and an end in order.

All of it runs on one loop and one thread; what answers must not wait.
"""

import asyncio
import importlib
import importlib.util
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from threading import Event
from time import monotonic
from typing import Any, Protocol

from freehold.domain.errors import FreeholdError
from freehold.endpoint.connection import IDLE, Connection
from freehold.endpoint.idleness import Idle
from freehold.endpoint.listening import BACKLOG
from freehold.endpoint.message import Answer, Asking
from freehold.endpoint.waiting_room import AT_ONCE, WaitingRoom, call
from freehold.serving.admission import AdmissionSettings, sent_away
from freehold.serving.request import Limits

LOOK = 0.5
"""Seconds between two looks at who takes too long."""
LET_IN = 0.01
"""Seconds after which whoever was let in before the end is among the connections."""
FRESH = 0.5
"""Seconds for the first request of a connection to come while the server stops."""
LEISURE = 5.0
"""Seconds of silence after which a connection ends, once others take over."""


class Answering(Protocol):
    """What a server needs of an application."""

    draining: bool

    def answer(self, asking: Asking) -> Answer | Awaitable[Answer]: ...

    def refusal(self, error: FreeholdError, path: str) -> Answer: ...

    def waits(self, asking: Asking) -> bool:
        """Whether it takes its turn; else it is answered at once, whatever waits."""


class Beside(Protocol):
    """What else is done on the same loop, as answering by a socket of its own."""

    address: str
    """`host:port`, once it has started; empty where it answers nobody."""
    open: int
    """Requests begun and not yet answered."""

    async def start(self) -> None: ...

    async def stop(self, grace: float) -> None: ...

    def leave(self, on_left: Callable[[], None]) -> None:
        """Lets nobody in, and has those who are connected go as soon as they are answered;
        `on_left`, once none is left, unless `stay` comes before."""

    def stay(self) -> None:
        """Lets in who comes, as before `leave`."""


class Server:
    def __init__(
        self,
        application: Answering,
        limits: Limits,
        settings: AdmissionSettings,
        room: WaitingRoom,
        grace: float,
        beside: Beside | None = None,
    ) -> None:
        """`grace`: seconds that requests under way have to end."""
        self._application, self._settings, self._grace = application, settings, grace
        self._room = room
        self._connections: set[Connection] = set()
        self._held = 0
        self._stop = Event()
        self._retires = False
        self._idle: Idle | None = None
        self._beside = beside
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake: Callable[[], None] = lambda: None
        self.limits = limits
        self.now = 0.0
        self.stamp = b""
        self.look()

    @property
    def draining(self) -> bool:
        """Whether a connection ends with its next answer."""
        return self._retires or self._application.draining

    @property
    def waiting(self) -> int:
        """Requests begun and not yet answered."""
        open_here = sum(one.phase != IDLE for one in tuple(self._connections))
        return open_here + (0 if self._beside is None else self._beside.open)

    @property
    def address_beside(self) -> str | None:
        """`host:port` of what answers beside it, once it has started."""
        return None if self._beside is None else self._beside.address

    def run(
        self,
        *listeners: socket.socket,
        on_started: Callable[[], None] = lambda: None,
        idle: Idle | None = None,
    ) -> None:
        """Until `stop`, from any thread. Raises what keeps it from starting.

        `idle`: told when nothing was to be scored for its seconds, and when something is again.
        """
        self._idle = idle
        if idle is not None:
            self._room.on_entered = lambda: idle.asked(self.now)
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(self._serve(listeners, on_started))

    def stop(self) -> None:
        """Safe from a signal's handler and from any thread."""
        self._application.draining = True
        self._stop.set()
        self._wake()

    def retire(self) -> None:
        """Others listen too, and take over: it listens no more, each connection ends with its next
        answer or after a while, what is connected beside it goes as it can, and it with them. Safe
        from any thread."""
        self._retires = True
        self._wake()

    def doze(self, on_left: Callable[[], None]) -> None:
        """Nothing is to be scored: who is connected to what answers beside it is to go, and who
        comes there waits. `on_left`, on the loop, once they have gone, unless `rouse` comes before:
        it can then be stopped without a word to any of them. Safe from any thread."""
        self._bid(lambda beside: beside.leave(on_left), on_left)

    def rouse(self) -> None:
        """It is asked after all. Safe from any thread."""
        self._bid(lambda beside: beside.stay(), lambda: None)

    def _bid(self, bidding: Callable[[Beside], None], alone: Callable[[], None]) -> None:
        """Nothing, once it stops: who then waits is the next process's."""

        def obey() -> None:
            if self._stop.is_set():
                return
            if self._beside is None:
                alone()
            else:
                bidding(self._beside)

        if self._loop is not None:
            call(self._loop, obey)

    async def _serve(
        self, listeners: tuple[socket.socket, ...], on_started: Callable[[], None]
    ) -> None:
        if self._beside is not None:
            await self._beside.start()
        loop = self._loop = asyncio.get_running_loop()
        on_started()
        loop.set_default_executor(ThreadPoolExecutor(AT_ONCE, "answering"))
        self._room.open()
        woken = asyncio.Event()
        self._wake = lambda: call(loop, woken.set)
        servers = [
            await loop.create_server(lambda: Connection(self), sock=one, backlog=BACKLOG)
            for one in listeners
        ]
        looking = loop.create_task(self._keep_looking())
        if not self._stop.is_set() and not self._retires:
            await woken.wait()
        for server in servers:
            server.close()
        has_left = asyncio.Event()
        if self._beside is None or self._stop.is_set():
            has_left.set()
        else:
            self._beside.leave(has_left.set)
        # Whom the loop let in just now it tells of in one of its next rounds.
        await asyncio.sleep(LET_IN)
        while not self._stop.is_set() and (self._connections or not has_left.is_set()):
            await asyncio.sleep(LOOK / 10)
        if self._beside is None:
            await self._drain()
        else:
            await asyncio.gather(self._drain(), self._beside.stop(self._grace))
        looking.cancel()

    async def _drain(self) -> None:
        await self._listen_out()
        for one in tuple(self._connections):
            one.drain()
        until = monotonic() + self._grace
        while self._connections and monotonic() < until:
            await asyncio.sleep(0.01)
        for one in tuple(self._connections):
            one.abort()
        # A turn of the loop for what was aborted.
        await asyncio.sleep(0)

    async def _listen_out(self) -> None:
        """What has connected, and said nothing yet, has a moment to: nobody else hears it."""
        until = monotonic() + FRESH
        while monotonic() < until and any(one.is_fresh for one in self._connections):
            await asyncio.sleep(0.01)

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(LOOK)
            self.look()

    def look(self) -> None:
        """Ends what takes too long; the server does so every LOOK."""
        self.now = monotonic()
        self.stamp = f"date: {formatdate(usegmt=True)}\r\n".encode()
        settings = self._settings
        idle = min(settings.idle_seconds, LEISURE) if self._retires else settings.idle_seconds
        times = (settings.head_seconds, self.limits.body_seconds, idle)
        for one in tuple(self._connections):
            one.look(self.now, *times)
        if self._idle is not None:
            self._idle.look(self.now, self.waiting)

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
        if self._application.waits(asking):
            self._room.enter(connection, asking.headers, asking.peer)
        else:
            connection.answer()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's, where it is installed: it takes half of what the standard one takes a request."""
    if importlib.util.find_spec("uvloop") is None:
        return None
    module: Any = importlib.import_module("uvloop")
    made: Callable[[], asyncio.AbstractEventLoop] = module.new_event_loop
    return made
