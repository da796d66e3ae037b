"""Run a gateway: here until told to stop, or in a thread."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from threading import Thread

from freehold.endpoint.gateway.application import Gateway
from freehold.endpoint.gateway.relay import Relay
from freehold.endpoint.listening import GRACE, bound, url_of
from freehold.endpoint.process import until_told
from freehold.endpoint.server import Server
from freehold.endpoint.waiting_room import WaitingRoom
from freehold.serving.admission import AdmissionSettings
from freehold.serving.request import Limits


def serve_gateway(
    relay: Relay, host: str, port: int, on_ready: Callable[[str], None] = lambda _: None
) -> None:
    """Until SIGTERM or SIGINT. For the main thread. Raises Refused `endpoint.port-in-use`,
    `endpoint.not-loopback`."""
    with bound(host, port) as listener, until_told(_server(relay)) as server:
        on_ready(url_of(listener))
        server.run(listener)


class GatewayThread:
    """In this process. Answers when it is made."""

    def __init__(self, relay: Relay, host: str = "127.0.0.1", port: int = 0) -> None:
        self._listener = bound(host, port)
        self.url = url_of(self._listener)
        self._server = _server(relay)
        self._thread = Thread(target=self._server.run, args=[self._listener], daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.stop()
        self._thread.join()
        self._listener.close()

    def __enter__(self) -> "GatewayThread":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _server(relay: Relay) -> Server:
    settings = AdmissionSettings()
    room = WaitingRoom(settings, at_once=settings.waiting)
    return Server(Gateway(relay), Limits(), settings, room, GRACE, beside=_Looking(relay))


class _Looking:
    """Looks after the sites while the server answers."""

    address = ""
    open = 0

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    async def start(self) -> None:
        self._task = asyncio.ensure_future(self._relay.keep_looking())

    async def stop(self, _grace: float) -> None:
        """Raises what ended the looking before."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        self._relay.close()

    def leave(self, on_left: Callable[[], None]) -> None:
        """Nobody connects here."""
        on_left()

    def stay(self) -> None:
        """Nobody was kept out."""
