"""The gRPC server beside the HTTP one, on the same event loop."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from time import monotonic

import grpc

from freehold.domain.errors import Refused
from freehold.endpoint.endpoint import Endpoint
from freehold.endpoint.grpc.health import HealthService
from freehold.endpoint.grpc.relay import Relay
from freehold.endpoint.grpc.service import CONCURRENT, InferenceService
from freehold.endpoint.grpc.warming import warm_messages
from freehold.endpoint.listening import address_of
from freehold.endpoint.waiting_room import WaitingRoom
from freehold.serving.inference_messages import HEALTH_SERVICE, SERVICE

STREAMS = 128
"""Calls at a time of one connection; its client keeps the others waiting."""
KEEP_ALIVE, LOST = 60_000, 20_000
"""Milliseconds after which a silent connection is asked whether it still is there, and after which
one that does not say so ends."""
SWEEP = 1.0
"""Seconds between two looks for calls that do not arrive."""
QUIET = 0.25
"""Seconds without a message after which a stream may be ended, when the endpoint stops; and for
which new calls are refused before nothing listens any more."""
HEARING = 1.0
"""Seconds for which callers that can be asked to go are answered once the endpoint stops."""


class GrpcServer:
    """Made, started and stopped on one event loop."""

    def __init__(
        self,
        endpoint: Endpoint,
        room: WaitingRoom,
        host: str,
        port: int,
        listener: socket.socket | None = None,
    ) -> None:
        """`room`: where HTTP's requests wait too. `host`: an address of loopback. `port`: 0 takes a
        free one. `listener`: a socket that listens already, by which callers come instead; it stays
        open."""
        self._endpoint = endpoint
        self._plain_host, self._host = host, f"[{host}]" if ":" in host else host
        self._port, self._listener = (port if listener is None else 0), listener
        self._relay: Relay | None = None
        self._service = InferenceService(endpoint, room)
        self._health = HealthService(endpoint)
        self._server: grpc.aio.Server | None = None
        self._sweeping: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        """`host:port`; once started, with the port that was taken."""
        return self._bound if self._listener is None else address_of(self._listener)

    @property
    def _bound(self) -> str:
        """Where the library listens."""
        return f"{self._host}:{self._port}"

    @property
    def open(self) -> int:
        """Calls begun and not yet answered."""
        return self._service.open

    async def start(self) -> None:
        """Raises Refused `endpoint.port`."""
        shares = self._endpoint.settings.processes > 1 and self._listener is None
        options = [
            ("grpc.so_reuseport", int(shares)),
            ("grpc.max_receive_message_length", self._endpoint.settings.limits.body_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.max_concurrent_streams", STREAMS),
            ("grpc.keepalive_time_ms", KEEP_ALIVE),
            ("grpc.keepalive_timeout_ms", LOST),
            ("grpc.keepalive_permit_without_calls", 1),
        ]
        server = grpc.aio.server(options=options, maximum_concurrent_rpcs=CONCURRENT)
        server.add_registered_method_handlers(SERVICE, self._service.methods)
        server.add_registered_method_handlers(HEALTH_SERVICE, self._health.methods)
        try:
            self._port = server.add_insecure_port(self._bound)
        except RuntimeError as exc:
            raise Refused(
                f"{self._host}:{self._port} cannot be listened on",
                why=str(exc),
                hint="choose another port with --grpc-port",
                code="endpoint.port",
            ) from exc
        warm_messages(self._endpoint)
        await server.start()
        self._server = server
        if self._listener is not None:
            self._service.hears_out = True
            self._relay = Relay(self._listener, self._plain_host, self._port)
        self._sweeping = asyncio.create_task(self._sweep())

    def leave(self, on_left: Callable[[], None]) -> None:
        if self._relay is None:
            on_left()
        else:
            self._health.dozes = True
            self._relay.leave(on_left)

    def stay(self) -> None:
        self._health.dozes = False
        if self._relay is not None:
            self._relay.stay()

    async def stop(self, grace: float) -> None:
        """Calls under way have `grace` seconds to end; streams that are silent are ended before.

        What begins now is refused by us for a while: gRPC's core, once it stops, cancels it, and
        clients do not ask again after that.
        """
        if self._server is None or self._sweeping is None:
            return
        self._sweeping.cancel()
        with suppress(asyncio.CancelledError):
            await self._sweeping
        if self._relay is None or not await self._all_left(self._relay):
            await asyncio.sleep(QUIET)
        stopping = asyncio.create_task(self._server.stop(grace))
        while not stopping.done():
            await asyncio.wait((stopping,), timeout=QUIET / 5)
            self._service.end_idle(monotonic() - QUIET)
        await stopping
        if self._relay is not None:
            self._relay.close()
        self._server = None

    async def _all_left(self, relay: Relay) -> bool:
        """Has callers go, and answers what they ask until they know. Whether they have gone."""
        left = asyncio.Event()
        relay.leave(left.set)
        with suppress(TimeoutError):
            await asyncio.wait_for(left.wait(), HEARING)
        self._service.hears_out = False
        return left.is_set()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP)
            self._service.end_slow(monotonic() - self._endpoint.settings.limits.body_seconds)
            if self._relay is not None:
                self._relay.look(self.open > 0)
