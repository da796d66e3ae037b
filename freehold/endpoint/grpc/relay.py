"""gRPC's callers come through here where their socket must outlast the process: an endpoint that
sleeps.

gRPC's library listens for itself, cannot be given a socket, and cancels what clients send between
its end and their learning of it. So their connections are taken here, and their bytes passed on to
the library, which listens at a port of loopback that nobody is told.

Callers are asked to go by the protocol's own means (RFC 9113, section 6.8): a GOAWAY that leaves no
stream out, then a PING. What a client began before it read them is answered; one that has answered
the PING begins nothing more here, and connects anew for its next call.
"""

import asyncio
import os
import socket
from collections.abc import Callable
from time import monotonic
from typing import cast

from freehold.endpoint.grpc.frames import Echo, Frames, farewell
from freehold.endpoint.listening import GRACE

AT_ONCE = 16
"""Connections taken in one round of the loop: other processes take their share."""
PAUSE = 1.0
"""Seconds for which none is taken after one could not be: too many files are open, as a rule."""
LINGER = 1.0
"""Seconds of silence after which a connection that has been asked to go, and begins nothing more,
is ended."""


class Relay:
    """Used on one event loop."""

    def __init__(self, listener: socket.socket, host: str, port: int) -> None:
        """`host`, `port`: where the library listens."""
        self._listener, self._host, self._port = listener, host, port
        self._ways: set[Way] = set()
        self._opening: set[asyncio.Task[None]] = set()
        self._takes = False
        self._on_left: Callable[[], None] | None = None
        self._loop = asyncio.get_running_loop()
        listener.setblocking(False)
        self.stay()

    @property
    def connections(self) -> int:
        return len(self._ways)

    def stay(self) -> None:
        """Who connects is let in."""
        self._on_left = None
        if not self._takes:
            self._takes = True
            self._loop.add_reader(self._listener, self._take)

    def leave(self, on_left: Callable[[], None] = lambda: None) -> None:
        """Nobody is let in until `stay`, and who is connected is asked to go; `on_left`, once none
        is left, unless `stay` comes before."""
        if self._takes:
            self._takes = False
            self._loop.remove_reader(self._listener)
        self._on_left = on_left
        for way in tuple(self._ways):
            way.dismiss()
        self._tell_if_left()

    def look(self, is_busy: bool) -> None:
        """Ends who was asked to go and does not, unless something is being answered."""
        now = monotonic()
        for way in tuple(self._ways):
            way.look(now, is_busy)

    def close(self) -> None:
        """Ends all of it."""
        self.leave()
        for task in self._opening:
            task.cancel()
        for way in tuple(self._ways):
            way.end()

    def _take(self) -> None:
        for _ in range(AT_ONCE):
            try:
                taken, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:
                self._loop.remove_reader(self._listener)
                self._loop.call_later(PAUSE, self._take_again)
                return
            # Counted from here on: between two rounds of the loop, too, it is somebody's.
            way = Way(self._gone)
            self._ways.add(way)
            task = self._loop.create_task(way.open(taken, self._host, self._port))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    def _take_again(self) -> None:
        if self._takes:
            self._loop.add_reader(self._listener, self._take)

    def _gone(self, way: "Way") -> None:
        self._ways.discard(way)
        self._tell_if_left()

    def _tell_if_left(self) -> None:
        if self._on_left is not None and not self._ways:
            told, self._on_left = self._on_left, None
            told()


class Way:
    """Between a client and the library."""

    def __init__(self, on_gone: Callable[["Way"], None]) -> None:
        self._on_gone = on_gone
        self._client = _End(self._from_client, self._client_ended, self._client_gone)
        self._library = _End(self._from_library, self._library_ended, self._library_ended)
        self._client.other, self._library.other = self._library, self._client
        self._frames = Frames()
        self._echo: Echo | None = None
        """Once the client has been told to go."""
        self._dismissed: float | None = None
        """Since when, in seconds of the monotonic clock, as `_passed`."""
        self._passed = 0.0
        """When something last did, as far as it matters."""
        self._ended: float | None = None
        """When the library had said all."""

    async def open(self, taken: socket.socket, host: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: self._library, host, port)
            await loop.connect_accepted_socket(lambda: self._client, taken)
            if self._ended is not None:
                self._client.close()
        except (OSError, asyncio.CancelledError):
            taken.close()
            self._library.close()
            self._on_gone(self)

    def dismiss(self) -> None:
        """Once there is room between two frames; a server's first word is its settings."""
        if self._dismissed is None:
            self._dismissed = self._passed = monotonic()
            if self._frames.has_room:
                self._tell()

    def look(self, now: float, is_busy: bool) -> None:
        if self._ended is not None and now - self._ended >= GRACE:
            self._client.abort()
        if self._dismissed is None or is_busy:
            return
        is_deaf = now - self._dismissed >= GRACE
        has_heard = self._echo is not None and self._echo.heard
        if is_deaf or (has_heard and now - self._passed >= LINGER):
            self.end()

    def end(self) -> None:
        for one in (self._client, self._library):
            one.abort()

    def _tell(self) -> None:
        mark = os.urandom(8)
        self._echo = Echo(mark)
        self._client.write(farewell(mark))

    def _from_client(self, data: bytes) -> None:
        if self._echo is not None:
            self._passed = monotonic()
            self._echo.take(data)
        self._library.write(data)

    def _from_library(self, data: bytes) -> None:
        room = self._frames.take(data)
        if self._dismissed is None:
            self._client.write(data)
            return
        self._passed = monotonic()
        if self._echo is None and room:
            self._client.write(data[:room])
            self._tell()
            data = data[room:]
        self._client.write(data)

    def _client_ended(self) -> None:
        """It says no more; what it has asked is answered, if the library likes."""
        self._library.finish()

    def _library_ended(self) -> None:
        """It never only stops speaking: what it said is still told."""
        if self._ended is None:
            self._ended = monotonic()
        self._library.close()
        self._client.close()

    def _client_gone(self) -> None:
        self._library.close()
        self._on_gone(self)


class _End(asyncio.Protocol):
    """Keeps no more of what the other end sends than a transport's bounds: a client that does not
    read is not read for, and the other way round."""

    other: "_End"

    def __init__(
        self,
        on_data: Callable[[bytes], None],
        on_ended: Callable[[], None],
        on_gone: Callable[[], None],
    ) -> None:
        self._on_data, self._on_ended, self._on_gone = on_data, on_ended, on_gone
        self._transport: asyncio.Transport | None = None
        self._early = b""
        """What was to be written before there was a connection: a server's settings."""

    def write(self, data: bytes) -> None:
        if self._transport is None:
            self._early += data
        elif not self._transport.is_closing():
            self._transport.write(data)

    def finish(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write_eof()

    def close(self) -> None:
        """Once all is written."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def read(self, reads: bool) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if reads:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    # What the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's is none by its class.
        self._transport = cast(asyncio.Transport, transport)
        early, self._early = self._early, b""
        self._transport.write(early)

    def data_received(self, data: bytes) -> None:
        self._on_data(data)

    def eof_received(self) -> bool:
        self._on_ended()
        return True

    def pause_writing(self) -> None:
        self.other.read(False)

    def resume_writing(self) -> None:
        self.other.read(True)

    def connection_lost(self, _exc: Exception | None) -> None:
        self._on_gone()
