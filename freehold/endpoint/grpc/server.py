"""The gRPC server beside the HTTP one, on the same event loop."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from time import monotonic

from freehold.domain.errors import FreeholdError
from freehold.endpoint.endpoint import Endpoint
from freehold.endpoint.grpc.call import KIND, Call, Method
from freehold.endpoint.grpc.connection import Connection
from freehold.endpoint.grpc.door import Door
from freehold.endpoint.grpc.headers import Headers, block_of
from freehold.endpoint.grpc.health import HealthService
from freehold.endpoint.grpc.service import InferenceService
from freehold.endpoint.grpc.status import Status, ending, ending_of
from freehold.endpoint.grpc.warming import warm_messages
from freehold.endpoint.listening import address_of, bound
from freehold.endpoint.waiting_room import WaitingRoom
from freehold.serving.inference_messages import HEALTH_SERVICE, SERVICE

KEEP_ALIVE, LOST = 60.0, 20.0
"""Seconds after which a silent connection is asked whether it still is there, and after which one
that does not say so ends."""
SWEEP = 0.5
"""Seconds between two looks at who takes too long."""
QUIET = 0.25
"""Seconds without a message after which a stream may be ended, when the endpoint stops."""
HEARING = 1.0
"""Seconds for which callers are answered that have not heard yet that the endpoint stops."""
_REFUSED = block_of([(b"content-type", KIND)])


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
        self._host, self._port, self._given = host, port, listener
        self._listener: socket.socket | None = listener
        self._service, self._health = InferenceService(endpoint, room), HealthService(endpoint)
        self._methods: dict[bytes, Method] = {
            f"/{service}/{name}".encode(): method
            for service, methods in (
                (SERVICE, self._service.methods),
                (HEALTH_SERVICE, self._health.methods),
            )
            for name, method in methods.items()
        }
        self._connections: set[Connection] = set()
        self._door: Door | None = None
        self._sweeping: asyncio.Task[None] | None = None
        self._on_left: Callable[[], None] | None = None
        self._stops = False
        admission = endpoint.settings.admission
        self.head, self.body = admission.head_seconds, endpoint.settings.limits.body_seconds
        self.taking, self.silence, self.lost = admission.idle_seconds, KEEP_ALIVE, LOST
        self.now = monotonic()

    @property
    def address(self) -> str:
        """`host:port`, once it has started."""
        return "" if self._listener is None else address_of(self._listener)

    @property
    def open(self) -> int:
        """Calls begun and not yet answered."""
        return self._service.open

    async def start(self) -> None:
        """Raises Refused as `bound`."""
        if self._listener is None:
            self._listener = bound(self._host, self._port, "--grpc-port")
        warm_messages(self._endpoint)
        self._door = Door(self._listener, lambda: Connection(self))
        self._door.open()
        self._sweeping = asyncio.create_task(self._sweep())

    def leave(self, on_left: Callable[[], None]) -> None:
        self._health.goes = True
        self._dismiss_all()
        self._on_left = on_left
        self._tell_if_left()

    def stay(self) -> None:
        self._on_left = None
        self._health.goes = False
        if self._door is not None:
            self._door.open()

    async def stop(self, grace: float) -> None:
        """Calls under way have `grace` seconds to end; streams that are silent are ended before.
        What clients begin until they have heard of it is answered."""
        if self._door is None or self._sweeping is None:
            return
        self._stops = True
        self._dismiss_all()
        begun = monotonic()
        while self._connections or not self._door.is_quiet:
            now = monotonic()
            if now - begun > grace:
                break
            self._service.end_idle(now - QUIET)
            if now - begun > HEARING:
                self._service.is_deaf = True
                for one in tuple(self._connections):
                    one.leave()
            await asyncio.sleep(QUIET / 10)
        self._sweeping.cancel()
        with suppress(asyncio.CancelledError):
            await self._sweeping
        for one in tuple(self._connections):
            one.abort()
        # A turn of the loop for what was aborted.
        await asyncio.sleep(0)
        if self._given is None and self._listener is not None:
            self._listener.close()
        self._door = None

    def _dismiss_all(self) -> None:
        if self._door is not None:
            self._door.close()
        for one in tuple(self._connections):
            one.dismiss()

    def _tell_if_left(self) -> None:
        is_quiet = self._door is None or self._door.is_quiet
        if self._on_left is not None and is_quiet and not self._connections:
            told, self._on_left = self._on_left, None
            told()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP)
            self.now = monotonic()
            self._service.end_slow(self.now - self.body)
            self._tell_if_left()
            for one in tuple(self._connections):
                try:
                    one.look(self.now, self)
                except Exception as exc:  # noqa: BLE001 (the others are looked at, and this is told)
                    told = {"message": "a connection by gRPC is ended", "exception": exc}
                    asyncio.get_running_loop().call_exception_handler(told)
                    one.abort()

    # What connections call

    def opened(self, connection: Connection) -> None:
        self._connections.add(connection)
        if len(self._connections) > self._endpoint.settings.admission.connections:
            connection.abort()
        elif self._stops or self._health.goes:
            connection.dismiss()

    def closed(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self._tell_if_left()

    def begin(self, connection: Connection, stream: int, headers: Headers) -> Call | None:
        def refused(block: bytes) -> None:
            connection.sending.head(stream, block, is_last=True)

        kind = headers.get(b"content-type", b"")
        if headers.get(b":method") != b"POST" or not kind.startswith(KIND):
            told = "this is gRPC: a POST of application/grpc"
            refused(_REFUSED + block_of(ending(Status.INVALID_ARGUMENT, told)))
            return None
        method = self._methods.get(headers.get(b":path", b""))
        if method is None:
            refused(_REFUSED + block_of(ending(Status.UNIMPLEMENTED, "there is no such method")))
            return None
        try:
            call = Call(connection, stream, headers, method, self._service)
            self._service.begin(call)
        except FreeholdError as exc:
            refused(_REFUSED + block_of(ending_of(self._service.counted(exc))))
            return None
        return call
