"""A proxy before a store that does to its requests what a bad network or a sick store does.

It takes whole requests and whole answers, so it is for objects that fit into memory. The Host
header passes as the client wrote it, so that a signature over it still holds.
"""

import contextlib
import http.client
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import urlsplit

from freehold.ports.object_store import StoreSettings

SLICE = 16 * 1024
HOP_BY_HOP = {"connection", "keep-alive", "expect", "transfer-encoding", "content-length"}


@dataclass(frozen=True)
class Mode:
    """What happens to a request. Nothing is set: it passes."""

    delay: float = 0.0
    """Seconds before anything happens. A large one is a store that never answers."""
    cut: bool = False
    """The connection closes without an answer, and the store sees nothing."""
    status: int = 0
    """Answered with this instead of by the store, which sees nothing."""
    upload_bytes: int | None = None
    """So much of the request's body reaches the store, then both connections close."""
    lost: bool = False
    """The store acts, and the connection closes without an answer."""
    half: bool = False
    """Half of the answer's body, then the connection closes."""
    answer_bytes: int | None = None
    """So much of the answer's body, then the connection closes."""
    rate: float = 0.0
    """Bytes of bodies each second, one request's own; 0: as fast as may be."""
    methods: frozenset[str] = frozenset()
    """Only these; empty: all."""
    times: int | None = None
    """Only the next so many requests; None: until told otherwise."""


class FaultProxy:
    """Listens on loopback while it is entered. Set `mode` at any time."""

    def __init__(self, target: str) -> None:
        """`target`: the endpoint of a store, `http://host:port/path`."""
        self._target = urlsplit(target)
        self.requests: Counter[str] = Counter()
        """Requests received, by method."""
        self.most_at_once = 0
        """The most whole requests without an answer at a moment. Set it to 0 to begin anew."""
        self._under_way = 0
        self._mode = Mode()
        self._left: int | None = None
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._ended = threading.Event()
        self._server = _Listener(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}{self._target.path}"

    @property
    def mode(self) -> Mode:
        return self._mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        """A cut closes what is open, too."""
        with self._lock:
            self._mode, self._left = mode, mode.times
            if mode.cut:
                self._close_all()

    def through(self, settings: StoreSettings) -> StoreSettings:
        return replace(settings, endpoint=self.endpoint)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._server.shutdown()
        with self._lock:
            self._close_all()
        self._thread.join()
        self._server.server_close()

    def _close_all(self) -> None:
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        with self._lock:
            self._under_way += 1
            self.most_at_once = max(self.most_at_once, self._under_way)
        try:
            yield
        finally:
            with self._lock:
                self._under_way -= 1

    def _take(self, method: str) -> Mode:
        with self._lock:
            self.requests[method] += 1
            mode = self._mode
            if (mode.methods and method not in mode.methods) or self._left == 0:
                return Mode()
            if self._left is not None:
                self._left -= 1
            return mode


class _Listener(ThreadingHTTPServer):
    daemon_threads = False
    proxy: FaultProxy


class _Closed(Exception):
    """This connection has had what the mode gives it."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Listener

    def setup(self) -> None:
        super().setup()
        self._proxy = self.server.proxy
        with self._proxy._lock:
            self._proxy._open.add(self.connection)

    def finish(self) -> None:
        with self._proxy._lock:
            self._proxy._open.discard(self.connection)
        # What could not be sent to a client that went away.
        with contextlib.suppress(OSError):
            super().finish()

    def handle(self) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException, _Closed):
            super().handle()

    def log_message(self, *_: Any) -> None:
        """Nothing: a test says what it wants to know."""

    def forward(self) -> None:
        mode = self._proxy._take(self.command)
        body = self._body()
        # Who has the answer may ask again at once, so that it is no longer counted then.
        with self._proxy._counted():
            status, headers, told = self._acted(mode, body)
        self._answer(mode, status, headers, told)

    def _acted(self, mode: Mode, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        if self._proxy._ended.wait(mode.delay) or mode.cut:
            raise _Closed
        if mode.status:
            return mode.status, [], b"<Error>by the proxy</Error>"
        with contextlib.closing(self._connect()) as store:
            self._ask(store, body, mode)
            answer = store.getresponse()
            told = answer.read()
        if mode.lost:
            raise _Closed
        return answer.status, answer.getheaders(), told

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(chunks)

    def _connect(self) -> http.client.HTTPConnection:
        target = self._proxy._target
        return http.client.HTTPConnection(target.hostname or "", target.port, timeout=60)

    def _ask(self, store: http.client.HTTPConnection, body: bytes, mode: Mode) -> None:
        store.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in HOP_BY_HOP:
                store.putheader(name, value)
        store.putheader("Connection", "close")
        if body or "Content-Length" in self.headers or self.command in ("PUT", "POST"):
            store.putheader("Content-Length", str(len(body)))
        store.endheaders()
        for part in self._slices(body[: mode.upload_bytes], mode):
            store.send(part)
        if mode.upload_bytes is not None:
            raise _Closed

    def _answer(self, mode: Mode, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response_only(status)
        length = str(len(body))
        for name, value in headers:
            if name.lower() == "content-length" and self.command == "HEAD":
                length = value
            elif name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        if status >= 200 and status not in (204, 304):
            self.send_header("Content-Length", length)
        self.end_headers()
        if self.command == "HEAD":
            return
        stop = len(body) // 2 if mode.half else mode.answer_bytes
        for part in self._slices(body[:stop], mode):
            self.wfile.write(part)
        if stop is not None and stop < len(body):
            raise _Closed

    def _slices(self, body: bytes, mode: Mode) -> Iterator[memoryview]:
        for at in range(0, len(body), SLICE):
            part = memoryview(body)[at : at + SLICE]
            if mode.rate and self._proxy._ended.wait(len(part) / mode.rate):
                raise _Closed
            yield part


for method in ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"):
    setattr(_Handler, f"do_{method}", _Handler.forward)
