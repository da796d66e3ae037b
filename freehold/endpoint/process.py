"""Run an endpoint: here until told to stop, in a thread, or in a process of its own."""

import errno
import gc
import ipaddress
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from types import FrameType

from freehold.domain.errors import Failed, Refused
from freehold.endpoint.adapters import grpc_server, model_runtime, model_signing
from freehold.endpoint.endpoint import Endpoint
from freehold.endpoint.request_log import LogState
from freehold.endpoint.server import Server
from freehold.endpoint.settings import HOST, RUNTIME, EndpointSettings
from freehold.endpoint.waiting_room import WaitingRoom
from freehold.ports.clock import Clock
from freehold.ports.model_runtime import ModelRuntime
from freehold.ports.model_signing import ModelSigning
from freehold.serving.response import Identity

BACKLOG = 2048
SWITCH = 0.0005
"""Seconds for which a thread keeps the interpreter if another wants it."""
GARBAGE = (50_000, 20, 100)
"""Objects made, and collections of the younger one, until a generation is looked through."""
GRPC_ROUNDS = 8
"""gRPC lets in one call in two or three rounds of the loop: whoever waits at its door has no class
yet."""
GRACE = 10
"""Seconds that requests under way have to end after SIGTERM."""


def wall_clock() -> int:
    return time.time_ns() // 1000


def serve(
    settings: EndpointSettings,
    on_ready: Callable[[str], None] = lambda _: None,
    on_stopped: Callable[[LogState], None] = lambda _: None,
    on_loaded: Callable[[Identity], None] = lambda _: None,
    on_grpc: Callable[[str], None] = lambda _: None,
) -> None:
    """Answers until SIGTERM or SIGINT, then ends the requests under way and writes the log.

    `on_loaded` gets whose endpoint it is, then `on_grpc` the address of gRPC if that is asked for,
    then `on_ready` the URL. For the main thread. Raises Refused `endpoint.port-in-use`,
    `endpoint.not-loopback`, AdapterMissing, whatever keeps the serving folder from being loaded,
    and StorageFailed if rows of the log are lost.
    """
    with bound(settings.host, settings.port) as listener:
        check_grpc(settings)
        runtime, signing = model_runtime(settings.runtime), model_signing()
        endpoint = Endpoint(settings, runtime, signing, wall_clock)
        on_loaded(endpoint.identity)
        _be_quick()
        with until_told(server_of(endpoint)) as server:

            def started() -> None:
                if server.address_beside is not None:
                    on_grpc(server.address_beside)
                on_ready(url_of(listener))

            try:
                server.run(listener, started)
            finally:
                on_stopped(endpoint.close())


def _be_quick() -> None:
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
            self._server.run(self._listener, lambda: begun.set_result(None))
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


class EndpointProcess:
    """An endpoint in a process of its own: `python -m freehold.endpoint`.

    It stops as on SIGTERM when this process ends, in whatever way: then the pipe that is its
    standard input has no other end.
    """

    def __init__(
        self,
        process: "subprocess.Popen[str]",
        url: str,
        identity: Identity,
        grpc: str | None = None,
    ) -> None:
        self._process, self.url, self.identity = process, url, identity
        self.grpc = grpc
        """`host:port`, if it was asked for."""

    @classmethod
    def start(
        cls,
        folder: Path,
        host: str = HOST,
        port: int = 0,
        runtime: str = RUNTIME,
        grpc_port: int | None = None,
    ) -> "EndpointProcess":
        """Returns when it answers. Raises Failed with the code and the reason if it does not."""
        command = [sys.executable, "-m", "freehold.endpoint", str(folder)]
        command += ["--host", host, "--port", str(port), "--runtime", runtime]
        if grpc_port is not None:
            command += ["--grpc-port", str(grpc_port)]
        command.append("--until-stdin-ends")
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        assert process.stdout is not None
        line = process.stdout.readline()
        said = json.loads(line) if line.startswith("{") else {}
        if "url" in said:
            return cls(
                process, said["url"], Identity(said["key"], said["folder"]), said.get("grpc")
            )
        process.wait()
        _close_pipes(process)
        error = said.get("error", {})
        raise Failed(
            error.get("what", "the endpoint did not start"),
            why=error.get("because", f"its process ended with {process.returncode}"),
            hint=error.get("hint", ""),
            code=error.get("code", "endpoint.not-started"),
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def stop(self) -> None:
        """Ends what is under way, writes the log. Raises Failed `endpoint.not-stopped`."""
        self._process.terminate()
        try:
            code = self._process.wait(timeout=2 * GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        finally:
            _close_pipes(self._process)
        if code != 0:
            raise Failed(
                "the endpoint did not stop as it should",
                why=f"its process ended with {code}; rows of its log may be lost",
                code="endpoint.not-stopped",
            )

    def __enter__(self) -> "EndpointProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _close_pipes(process: "subprocess.Popen[str]") -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def bound(host: str, port: int, option: str = "--port") -> socket.socket:
    """`option`: what chooses the port.

    Raises Refused: `endpoint.not-loopback`, `endpoint.port-in-use`, `endpoint.port`.
    """
    address = _loopback(host)
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    # Only of a socket that says so does asyncio know it is TCP, and turn Nagle's algorithm off:
    # without it each answer waits 40 ms for the client's delayed acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((str(address), port))
        # Not before this does another listener on the port show.
        listener.listen(BACKLOG)
    except (OSError, OverflowError) as exc:
        listener.close()
        if isinstance(exc, OSError) and exc.errno == errno.EADDRINUSE:
            raise Refused(
                f"port {port} is in use",
                why=f"another process listens on {address}:{port}",
                hint=f"stop it, or choose another port with {option}",
                code="endpoint.port-in-use",
            ) from exc
        raise Refused(
            f"{address}:{port} cannot be listened on", why=str(exc), code="endpoint.port"
        ) from exc
    return listener


def _loopback(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        address = ipaddress.ip_address(HOST if host == "localhost" else host)
    except ValueError:
        address = None
    if address is None or not address.is_loopback:
        raise Refused(
            f"the endpoint does not listen on {host}",
            why="nothing listens beyond loopback without authentication and TLS",
            hint="use 127.0.0.1, and a proxy that authenticates in front of it",
            code="endpoint.not-loopback",
        )
    return address


def url_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def check_grpc(settings: EndpointSettings) -> None:
    """That what is asked for can be, before anything is loaded.

    Raises AdapterMissing; Refused as `bound` does.
    """
    if settings.grpc_port is not None:
        grpc_server()
        bound(settings.host, settings.grpc_port, "--grpc-port").close()


def server_of(endpoint: Endpoint) -> Server:
    settings, application = endpoint.settings, endpoint.application
    has_grpc = settings.grpc_port is not None
    rounds = GRPC_ROUNDS if has_grpc else 1
    room = WaitingRoom(settings.admission, application.leisure, rounds=rounds)
    beside = None
    if has_grpc:
        beside = grpc_server()(endpoint, room, str(_loopback(settings.host)), settings.grpc_port)
    server = Server(application, settings.limits, settings.admission, room, GRACE, beside)
    endpoint.counts_open(lambda: server.waiting)
    return server
