"""Clients that cost time: a crowd that sends a byte at a time at either port of a real process, one
that does not read what it is answered. Memory stays bounded, and others are answered meanwhile."""

import http.client
import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import grpc
import pytest

from freehold.endpoint.endpoint_process import EndpointProcess
from freehold.endpoint.process import EndpointThread, wall_clock
from freehold.endpoint.settings import EndpointSettings
from freehold.serving.admission import AdmissionSettings
from freehold.serving.inference_messages import SERVICE, ModelReadyRequest, ModelReadyResponse
from tests.waiting import until

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
OWN = 48 * 2**20
"""Bytes that a process which answers all the while may grow by, whoever else is connected."""
EACH = {"http": 64 * 2**10, "grpc": 256 * 2**10}
"""Bytes that a client who is slow may cost."""


class Beside:
    """One who asks all the while, on a connection that stays."""

    def __init__(self, url: str, body: bytes) -> None:
        self._url, self._body = url, body
        self.answered, self.wrong = 0, list[int]()
        self._over = Event()
        self._thread = Thread(target=self._ask)

    def _ask(self) -> None:
        connection = http.client.HTTPConnection(urlsplit(self._url).netloc, timeout=60)
        while not self._over.is_set():
            connection.request("POST", "/v2/models/delay/infer", self._body)
            reply = connection.getresponse()
            reply.read()
            self.answered += 1
            if reply.status != 200:
                self.wrong.append(reply.status)
        connection.close()

    def is_answered(self) -> None:
        """Once more at least."""
        goal = self.answered + 2
        for _ in range(6000):
            if self.answered >= goal:
                return
            assert self._thread.is_alive()
            time.sleep(0.01)
        raise AssertionError("it is not answered")

    def __enter__(self) -> "Beside":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


class SlowOne:
    """Sends a byte when it is told to, and comes again when it is sent away."""

    def __init__(self, address: tuple[str, int], said: bytes) -> None:
        self._address, self._said, self._at = address, said, 0
        self.came = 0
        self._come()

    def _come(self) -> None:
        self._socket = socket.create_connection(self._address, timeout=60)
        self._socket.setblocking(False)
        self._at, self.came = 0, self.came + 1

    def send(self) -> None:
        try:
            with suppress(BlockingIOError):
                while self._socket.recv(1 << 16):
                    continue
                raise ConnectionResetError
            self._socket.send(self._said[self._at : self._at + 1])
            self._at = min(self._at + 1, len(self._said) - 1)
        except ConnectionError:
            self._socket.close()
            self._come()

    def close(self) -> None:
        self._socket.close()


def resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


def asked(request: Any) -> bytes:
    body = json.dumps(request).encode()
    head = b"POST /v2/models/delay/infer HTTP/1.1\r\nhost: here\r\n"
    return head + b"content-length: %d\r\n\r\n" % len(body) + body


@contextmanager
def crowd_of(count: int, address: tuple[str, int], said: bytes) -> Iterator[list[SlowOne]]:
    crowd = [SlowOne(address, said) for _ in range(count)]
    try:
        yield crowd
    finally:
        for one in crowd:
            one.close()


@pytest.mark.parametrize(
    ("clients", "times", "pause"),
    [(150, 6, 0.05), pytest.param(1000, 30, 1.0, marks=pytest.mark.long)],
)
@pytest.mark.parametrize("port", ["http", "grpc"])
def test_a_crowd_that_sends_a_byte_at_a_time(
    real: Any, request_of: Any, port: str, clients: int, times: int, pause: float
) -> None:
    with EndpointProcess.start(real.folder, grpc_port=0) as endpoint:
        parts = urlsplit(endpoint.url if port == "http" else f"http://{endpoint.grpc}")
        address = (parts.hostname or "", parts.port or 0)
        said = asked(request_of(1)) if port == "http" else PREFACE
        with Beside(endpoint.url, json.dumps(request_of(1)).encode()) as beside:
            beside.is_answered()
            before = resident(endpoint.pid)
            with crowd_of(clients, address, said) as crowd:
                for _ in range(times):
                    for one in crowd:
                        one.send()
                    beside.is_answered()
                    assert is_ready(endpoint)
                    time.sleep(pause)
                grown = resident(endpoint.pid) - before
            beside.is_answered()
        assert not beside.wrong
        assert grown < OWN + clients * EACH[port]
        assert is_ready(endpoint)


def is_ready(endpoint: EndpointProcess) -> bool:
    """By gRPC, on a connection of its own."""
    assert endpoint.grpc is not None
    options = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(endpoint.grpc, options) as channel:
        ask = channel.unary_unary(f"/{SERVICE}/ModelReady")
        told = ask(ModelReadyRequest(name="delay").SerializeToString(), timeout=60)
    return bool(ModelReadyResponse.FromString(told).ready)


def test_who_does_not_read_is_let_go(site: Any, request_of: Any) -> None:
    """What he asked for and does not take is not kept for him: no more is read of him meanwhile."""
    site.model(1)
    site.route((1, 100.0, "champion"))
    times = AdmissionSettings(idle_seconds=5.0)
    settings = EndpointSettings(site.folder, port=0, admission=times)
    many = b"GET /openapi.json HTTP/1.1\r\nhost: here\r\n\r\n" * 400_000
    with EndpointThread(settings, site.runtime, site.signing, wall_clock) as endpoint:
        server = endpoint._server
        parts = urlsplit(endpoint.url)
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect((parts.hostname, parts.port))
        client.setblocking(False)
        sent = 0
        with Beside(endpoint.url, json.dumps(request_of(1)).encode()) as beside:
            beside.is_answered()
            # What its log needs to be written is there from here on.
            with urlopen(f"{endpoint.url}/freehold/log/flush", data=b"") as reply:
                assert reply.status == 200
            before = resident_here()
            until(lambda: len(server._connections) == 2)
            while len(server._connections) == 2 and sent < len(many):
                with suppress(BlockingIOError, ConnectionError):
                    sent += client.send(many[sent : sent + 65536])
                time.sleep(0.001)
            until(lambda: len(server._connections) == 1)
            assert sent < len(many), "it was read to its end"
            assert resident_here() - before < OWN
            beside.is_answered()
        assert not beside.wrong
        client.close()


def resident_here() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
