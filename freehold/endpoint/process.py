"""Run an endpoint: here until told to stop, or in a thread."""

import gc
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from threading import Thread
from types import FrameType

from freehold.endpoint.adapters import grpc_server, model_runtime, model_signing
from freehold.endpoint.endpoint import Endpoint
from freehold.endpoint.idleness import Idle
from freehold.endpoint.listening import GRACE, bound, loopback, url_of
from freehold.endpoint.request_log import LogState
from freehold.endpoint.server import Server
from freehold.endpoint.settings import EndpointSettings
from freehold.endpoint.waiting_room import WaitingRoom
from freehold.ports.clock import Clock
from freehold.ports.model_runtime import ModelRuntime
from freehold.ports.model_signing import ModelSigning
from freehold.serving.response import Identity

SWITCH = 0.0005
"""Seconds for which a thread keeps the interpreter if another wants it."""
GARBAGE = (400_000, 20, 100)
"""Objects made, and collections of the younger one, until a generation is looked through. More
than those that wait for the log in one window: to look through them finds nothing, and answers
wait meanwhile."""


def wall_clock() -> int:
    return time.time_ns() // 1000


def serve(
    settings: EndpointSettings,
    on_ready: Callable[[str], None] = lambda _: None,
    on_stopped: Callable[[LogState], None] = lambda _: None,
    on_loaded: Callable[[Identity], None] = lambda _: None,
    on_grpc: Callable[[str], None] = lambda _: None,
    listener: socket.socket | None = None,
    idle_seconds: float = 0.0,
    grpc_listener: socket.socket | None = None,
) -> None:
    """Answers until SIGTERM or SIGINT, then ends the requests under way and writes the log.

    `listener`, `grpc_listener`: sockets that listen already. `idle_seconds`: it ends, too, when
    there was nothing to score for so long; 0: it does not. `on_loaded` gets whose endpoint it is,
    then `on_grpc` the address of gRPC if that is asked for, then `on_ready` the URL. For the main
    thread.

    Raises Refused `endpoint.port-in-use`, `endpoint.not-loopback`, AdapterMissing, whatever keeps
    the serving folder from being loaded, and StorageFailed if rows of the log are lost.
    """
    with listener or bound(settings.host, settings.port) as listening:
        check_grpc(settings, grpc_listener)
        runtime, signing = model_runtime(settings.runtime), model_signing()
        endpoint = Endpoint(settings, runtime, signing, wall_clock)
        on_loaded(endpoint.identity)
        be_quick()
        with until_told(server_of(endpoint, grpc_listener)) as server:

            def started() -> None:
                if server.address_beside is not None:
                    on_grpc(server.address_beside)
                on_ready(url_of(listening))

            def changed(is_idle: bool) -> None:
                if is_idle:
                    server.doze(server.stop)
                else:
                    server.rouse()

            idle = Idle(idle_seconds, changed) if idle_seconds else None
            endpoint.warm()
            try:
                server.run(listening, on_started=started, idle=idle)
            finally:
                on_stopped(endpoint.close())


def be_quick() -> None:
    """For a process that answers and does little else.

    The thread that writes the log must not hold the interpreter for long while an answer waits; and
    what was loaded, or waits to be logged, is no garbage to be looked through again and again.
    """
    sys.setswitchinterval(SWITCH)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE)


@contextmanager
def until_told(server: Server) -> Iterator[Server]:
    """SIGTERM and SIGINT end it while the context lasts. For the main thread."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        server.stop()

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield server
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class EndpointThread:
    """An endpoint in this process, for tests and short plays."""

    def __init__(
        self,
        settings: EndpointSettings,
        runtime: ModelRuntime | None = None,
        signing: ModelSigning | None = None,
        clock: Clock = wall_clock,
    ) -> None:
        """Answers when it returns. Adapters not given are found by name."""
        self._listener = bound(settings.host, settings.port)
        try:
            check_grpc(settings)
            self.endpoint = Endpoint(
                settings,
                runtime or model_runtime(settings.runtime),
                signing or model_signing(),
                clock,
            )
        except BaseException:
            self._listener.close()
            raise
        self.url, self.identity = url_of(self._listener), self.endpoint.identity
        self._server = server_of(self.endpoint)
        self.endpoint.warm()
        begun: Future[None] = Future()
        self._thread = Thread(target=self._run, args=(begun,), daemon=True)
        self._thread.start()
        try:
            begun.result()
        except BaseException:
            self.stop()
            raise
        self.grpc = self._server.address_beside
        """`host:port`, if it was asked for."""

    def _run(self, begun: "Future[None]") -> None:
        try:
            self._server.run(self._listener, on_started=lambda: begun.set_result(None))
        except BaseException as exc:
            if begun.done():
                raise
            begun.set_exception(exc)

    def stop(self) -> LogState:
        """Ends what is under way and writes the log. Raises StorageFailed if that fails."""
        self._server.stop()
        self._thread.join()
        self._listener.close()
        return self.endpoint.close()

    def __enter__(self) -> "EndpointThread":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def check_grpc(settings: EndpointSettings, listener: socket.socket | None = None) -> None:
    """That what is asked for can be, before anything is loaded.

    `listener`: of gRPC, if there is one. Raises AdapterMissing; Refused as `bound` does.
    """
    if settings.grpc_port is not None:
        grpc_server()
        if listener is not None:
            return
        bound(settings.host, settings.grpc_port, "--grpc-port").close()


def server_of(endpoint: Endpoint, grpc_listener: socket.socket | None = None) -> Server:
    """`grpc_listener`: a socket that listens already."""
    settings, application = endpoint.settings, endpoint.application
    has_grpc = settings.grpc_port is not None
    room = WaitingRoom(settings.admission, application.leisure)
    room.on_turn = endpoint.metrics.waited.observe
    beside = None
    if has_grpc:
        host = str(loopback(settings.host))
        beside = grpc_server()(endpoint, room, host, settings.grpc_port, grpc_listener)
    server = Server(application, settings.limits, settings.admission, room, GRACE, beside)
    endpoint.counts_open(lambda: server.waiting)
    return server
