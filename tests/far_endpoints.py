"""Endpoints that are far away, or that hang."""

import socket
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any
from urllib.parse import urlsplit


class Distant:
    """A way to an endpoint on which every byte takes longer, or none comes."""

    def __init__(self, url: str, seconds: float = 0.0) -> None:
        self._to = (urlsplit(url).hostname or "", urlsplit(url).port or 0)
        self.seconds = seconds
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._open: list[socket.socket] = []
        self._over = Event()
        self._threads = [Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._to)
            self._open += [client, server]
            for one, other, slow in ((client, server, True), (server, client, False)):
                self._threads.append(
                    Thread(target=self._pass, args=(one, other, slow), daemon=True)
                )
                self._threads[-1].start()

    def _pass(self, one: socket.socket, other: socket.socket, slow: bool) -> None:
        try:
            while data := one.recv(1 << 16):
                if slow:
                    self._over.wait(self.seconds)
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def close(self) -> None:
        self._over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for one in (self._listener, *self._open):
            one.close()


class Hanging(ThreadingHTTPServer):
    """Says that it is well, answers what is asked, and then leaves it unanswered."""

    daemon_threads = True

    def __init__(self, answer: bytes = b'{"outputs": []}') -> None:
        self.answer = answer
        self.may = Event()
        self.may.set()
        super().__init__(("127.0.0.1", 0), HangingHandler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        Thread(target=self.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.shutdown()
        self.server_close()


class HangingHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hanging

    def do_GET(self) -> None:
        self._say(b"{}")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.server.may.wait()
        self._say(self.server.answer)

    def _say(self, body: bytes) -> None:
        with suppress(OSError):  # Whoever asked has gone.
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""
