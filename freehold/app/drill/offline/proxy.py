"""A forward proxy on loopback that can be cut: HTTP/1.1 absolute form and CONNECT (RFC 9110, 9112).

A connection carries one request or one tunnel, so that each request is looked at.
"""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import urlsplit

LONGEST_HEAD = 65_536
"""Bytes of a request's head."""
SECONDS_TO_CONNECT = 20.0

Barred = Callable[[str, str], bool]
"""Whether nothing may go to `host:port`, asked with the whole URL where it is known."""


class Proxy:
    """Listens from the start. Thread-safe."""

    def __init__(self, barred: Barred) -> None:
        self._barred = barred
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._tunnels: set[str] = set()
        self._listener: socket.socket | None = None
        self._port = 0
        self.listen()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def tunnels(self) -> set[str]:
        """`host:port` of every tunnel that was asked for since this was asked last."""
        with self._lock:
            asked, self._tunnels = self._tunnels, set()
        return asked

    def listen(self) -> None:
        """On the same port as before. Nothing if it listens."""
        if self._listener is not None:
            return
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self._port))
        listener.listen(128)
        self._port, self._listener = listener.getsockname()[1], listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def cut(self) -> None:
        """No connection is taken any more, and those that were open end at once."""
        listener, self._listener = self._listener, None
        if listener is not None:
            _end(listener)
        with self._lock:
            for one in self._open:
                _end(one)
            self._open.clear()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            if self._keep(client, listener):
                threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _keep(self, one: socket.socket, listener: socket.socket | None = None) -> bool:
        """Whether it may be used: what comes during a cut is ended."""
        with self._lock:
            if self._listener is None or listener not in (None, self._listener):
                _end(one)
                return False
            self._open.add(one)
            return True

    def _carry(self, client: socket.socket) -> None:
        server = None
        try:
            head, rest = _head(client)
            method, target, version = head[0].split(" ", 2)
            host, port, first = self._destination(method, target, version)
            server = socket.create_connection((host, port), SECONDS_TO_CONNECT)
            server.settimeout(None)
            if not self._keep(server):
                return
            if method == "CONNECT":
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                server.sendall(rest)
            else:
                server.sendall(_once(first, head[1:]) + rest)
            back = threading.Thread(target=_pump, args=(server, client), daemon=True)
            back.start()
            _pump(client, server)
            back.join()
        except (OSError, ValueError):
            """What cannot be carried is not answered: so does a network that is gone."""
        finally:
            for one in (client, server):
                if one is not None:
                    with self._lock:
                        self._open.discard(one)
                    _end(one)

    def _destination(self, method: str, target: str, version: str) -> tuple[str, int, str]:
        """Host, port, and the request line for the server. Raises OSError where barred."""
        url = f"//{target}" if method == "CONNECT" else target
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 80
        if method == "CONNECT":
            with self._lock:
                self._tunnels.add(f"{host}:{port}")
        if self._barred(f"{host}:{port}", url):
            raise OSError("barred")
        path = url.partition("//")[2].partition("/")[2]
        return host, port, f"{method} /{path} {version}"


def _head(client: socket.socket) -> tuple[list[str], bytes]:
    """Request line and fields, and the bytes after them."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = client.recv(LONGEST_HEAD)
        if not more or len(data) > LONGEST_HEAD:
            raise ValueError("no request")
        data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    return head.decode("latin-1").split("\r\n"), rest


def _once(first: str, fields: list[str]) -> bytes:
    """The head for a server that is asked one thing and then closes."""
    kept = [f for f in fields if not f.lower().startswith(("connection:", "proxy-"))]
    return "\r\n".join([first, *kept, "Connection: close", "", ""]).encode("latin-1")


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def _end(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
