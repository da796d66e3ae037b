"""Lets clients in by a socket that listens, or has them wait at it: it may outlast both."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress

AT_ONCE = 16
"""Connections taken in one round of the loop: other processes take their share."""
UNSENT = 16 * 2**10
"""Bytes up to which the system takes more before it sent them. It would take some MB, and tell of
none that went out until a third of them did: who takes slowly would look like who takes nothing."""
PAUSE = 1.0
"""Seconds for which none is taken after one could not be: too many files are open, as a rule."""


class Door:
    """Used on one event loop. Closed at first."""

    def __init__(self, listener: socket.socket, made: Callable[[], asyncio.Protocol]) -> None:
        self._listener, self._made = listener, made
        self._loop = asyncio.get_running_loop()
        self._opening: set[asyncio.Task[None]] = set()
        self._is_open = False
        listener.setblocking(False)

    @property
    def is_quiet(self) -> bool:
        """Whether nobody is being let in just now."""
        return not self._opening

    def open(self) -> None:
        if not self._is_open:
            self._is_open = True
            self._loop.add_reader(self._listener, self._take)

    def close(self) -> None:
        """Who comes waits, until `open` or another process lets them in."""
        if self._is_open:
            self._is_open = False
            self._loop.remove_reader(self._listener)

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
            with suppress(OSError):  # its client has gone, which is seen soon
                taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT)
            # From here on it is somebody's, also between two rounds of the loop.
            task = self._loop.create_task(self._let_in(taken))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def _let_in(self, taken: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._made, taken)
        except OSError:
            taken.close()

    def _take_again(self) -> None:
        if self._is_open:
            self._loop.add_reader(self._listener, self._take)
