"""The only thing of the three sites that listens beyond loopback: TLS before a store.

A store on loopback is reached through it. Whoever does not speak TLS gets no answer. Before an S3
store it checks each signature itself, since not every server does; an Azure store checks its own.
Whole requests and whole answers are kept in memory: it is for a demonstration. The Host header
passes as it came, so that signatures over it hold.
"""

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from signatures import Signatures

_SECONDS = 60.0
_LARGEST = 2**28
"""Bytes of a request's body."""
_HOP_BY_HOP = {"connection", "keep-alive", "expect", "transfer-encoding", "content-length"}


class Front:
    """Listens while it is entered."""

    def __init__(
        self,
        listener: socket.socket,
        target: tuple[str, int],
        certificate: Path,
        signatures: Signatures | None = None,
    ) -> None:
        """`listener`: it listens, and is closed at the end. `target`: host and port of the store,
        on loopback."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(certificate)
        self._server = _Server(listener, context, target, signatures)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def endpoint(self) -> str:
        host, port = self._server.socket.getsockname()
        return f"https://{host}:{port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.end()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "_Server"

    def setup(self) -> None:
        super().setup()
        host, port = self.server.target
        self.store = http.client.HTTPConnection(host, port, timeout=_SECONDS)

    def finish(self) -> None:
        self.store.close()
        with contextlib.suppress(OSError):
            super().finish()

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except OSError:
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a URL may hold a signature."""

    def _pass(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            body = self._body(headers)
        except ValueError:
            self.close_connection = True
            self._say(400, "InvalidRequest", "the body's length is not said, or is too large")
            return
        if self.server.signatures is not None:
            now = datetime.now(UTC)
            why = self.server.signatures.refusal(self.command, self.path, headers, body, now)
            if why:
                self._say(403, "AccessDenied", why)
                return
        try:
            answer, data = self._ask(headers, body)
        except (OSError, http.client.HTTPException):
            self.store.close()
            self._say(502, "BadGateway", "the store behind it does not answer")
            return
        self._answer(answer, data)

    def _body(self, headers: Mapping[str, str]) -> bytes:
        """Raises ValueError, or OSError if the client goes away."""
        if "transfer-encoding" in headers:
            return self._chunks()
        length = int(headers.get("content-length", "0"))
        if not 0 <= length <= _LARGEST:
            raise ValueError(length)
        return self._exactly(length)

    def _chunks(self) -> bytes:
        """RFC 9112, section 7.1."""
        body = bytearray()
        while size := int(self.rfile.readline(1024).split(b";")[0], 16):
            if size < 0 or len(body) + size > _LARGEST:
                raise ValueError(size)
            body += self._exactly(size)
            self.rfile.readline(8)
        while self.rfile.readline(65536).strip():
            continue
        return bytes(body)

    def _exactly(self, size: int) -> bytes:
        data = self.rfile.read(size)
        if len(data) < size:
            raise ConnectionResetError("the client went away in the middle of a body")
        return data

    def _ask(
        self, headers: Mapping[str, str], body: bytes
    ) -> tuple[http.client.HTTPResponse, bytes]:
        self.store.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            if name not in _HOP_BY_HOP:
                self.store.putheader(name, value)
        if body or self.command in ("PUT", "POST"):
            self.store.putheader("Content-Length", str(len(body)))
        self.store.endheaders(body or None)
        answer = self.store.getresponse()
        return answer, answer.read()

    def _answer(self, answer: http.client.HTTPResponse, data: bytes) -> None:
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        length = answer.getheader("Content-Length") if self.command == "HEAD" else None
        if answer.status not in (204, 304):
            self.send_header("Content-Length", length or str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _say(self, status: int, code: str, why: str) -> None:
        text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{why}</Message></Error>"
        self.send_response_only(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text.encode("ascii"))

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _pass  # noqa: N815


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(
        self,
        listener: socket.socket,
        tls: ssl.SSLContext,
        target: tuple[str, int],
        signatures: Signatures | None,
    ) -> None:
        self.target, self.signatures = target, signatures
        self._tls = tls
        self._open: set[socket.socket] = set()
        super().__init__(listener.getsockname(), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener

    def get_request(self) -> tuple[socket.socket, Any]:
        """Hands shake in the connection's own thread: a slow client keeps nobody else waiting."""
        plain, address = super().get_request()
        plain.settimeout(_SECONDS)
        connection = self._tls.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who speaks no TLS, or goes away, is no fault of this server."""

    def end(self) -> None:
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()
