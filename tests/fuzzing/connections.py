"""The reader of a connection: bytes in, requests out, each once and whole.

Laws, besides those of every reader
- Wherever the bytes are cut on their way, the requests are the same, or the first of them, where
  the connection ended early.
- Each answer is one of HTTP, and answers follow the requests one by one; what is no request is
  told so, once, as a 4xx, and nothing is read behind it.
- What a connection keeps of a request that is not whole has a bound, however it is sent.
"""

import asyncio
from collections.abc import Iterator
from typing import Any

from freehold.domain.errors import FreeholdError
from freehold.endpoint.connection import Connection
from freehold.endpoint.message import Answer, Asking, content_of
from freehold.endpoint.refusal import answer_of
from freehold.serving.request import Limits

from .law import Broken, Reading, Target, refusal

LIMITS = Limits(body_bytes=1000)
KINDS = ("application/json", "text/csv")


class Wire(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1)})
        self.written: list[bytes] = []
        self.is_open = self.is_read = True

    def write(self, data: Any) -> None:
        if not self.is_open:
            raise Broken("something is written to a connection that has ended")
        self.written.append(bytes(data))

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        self.is_read = False

    def resume_reading(self) -> None:
        self.is_read = True

    def close(self) -> None:
        self.is_open = False

    abort = close


class Host:
    """Answers each request in its turn, a moment after it came."""

    draining = False
    now = 0.0
    stamp = b""

    def __init__(self, sent: bytes) -> None:
        self.limits, self.sent = LIMITS, sent
        self.waiting: list[Connection] = []
        self.asked: list[tuple[str, str, tuple[Any, ...], bytes]] = []
        self.refused: list[Any] = []

    def opened(self, connection: Connection) -> None: ...

    def closed(self, connection: Connection) -> None: ...

    def hold(self, connection: Connection, size: int) -> None:
        connection.held = size

    def enter(self, connection: Connection, asking: Asking) -> None:
        self.waiting.append(connection)

    def answer(self, asking: Asking) -> Answer:
        headers = tuple(sorted(asking.headers.items()))
        self.asked.append((asking.method, asking.path, headers, asking.body))
        try:
            content = content_of(asking, self.limits, KINDS)
        except FreeholdError as exc:
            refusal(exc, self.sent)
            return answer_of(exc)
        if len(content.body) > self.limits.body_bytes:
            raise Broken("a body is larger than it may be")
        return Answer(200, b"{}")

    def refusal(self, error: FreeholdError, path: str) -> Answer:
        self.refused.append(refusal(error, self.sent))
        return answer_of(error)


def conversation(sent: bytes, pieces: Iterator[bytes]) -> tuple[Host, Wire]:
    host, wire = Host(sent), Wire()
    connection = Connection(host)
    connection.connection_made(wire)
    for piece in pieces:
        connection.data_received(piece)
        while host.waiting and not connection.ended:
            host.waiting.pop().answer()
        host.waiting.clear()
        if connection.ended:
            break
    if len(host.refused) > 1 or (host.refused and wire.is_open):
        raise Broken("something is read behind what is no request")
    starts = [one for one in wire.written if one.startswith(b"HTTP/1.1 ")]
    final = [one for one in starts if not one.startswith(b"HTTP/1.1 100 ")]
    if len(starts) != len(wire.written) or len(final) != len(host.asked) + len(host.refused):
        raise Broken("there are not as many answers as there were requests")
    return host, wire


def connection(data: bytes) -> Reading:
    """The first byte says how large the pieces are that the others come in."""
    size, sent = max(data[:1], default=0) % 64 + 1, data[1:]
    cut = [sent[at : at + size] for at in range(0, len(sent), size)]
    whole, _ = conversation(sent, iter([sent]))
    parts, wire = conversation(sent, iter(cut))
    count = min(len(whole.asked), len(parts.asked))
    if whole.asked[:count] != parts.asked[:count]:
        raise Broken("cut otherwise, the same bytes are other requests")
    # Of what is sent behind each other, those that came before a refusal may go unanswered.
    if len(whole.asked) != len(parts.asked) and wire.is_open:
        raise Broken("cut otherwise, the same bytes are more requests")
    bodies = sum(len(body) for *_, body in parts.asked)
    return Reading((whole.asked, parts.asked, whole.refused, parts.refused), bodies)


BODY = b'{"inputs":[]}'
POST = b"POST /v2/models/delay/infer HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n"
LENGTH = b"Content-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
GET = b"GET /v2/health/live?x=%41 HTTP/1.1\r\nHost: here\r\n\r\n"
WIRE_SEEDS = tuple(
    bytes([size]) + sent
    for size, sent in (
        (63, POST + LENGTH),
        (5, GET * 3),
        (9, POST + CHUNKED + b"5\r\n[1,2]\r\n0\r\n\r\n" + GET),
        (2, POST + CHUNKED + b"3;a=b\r\n[1]\r\n0\r\nContent-Encoding: br\r\n\r\n" + GET),
        (63, POST + b"Expect: 100-continue\r\nConnection: close\r\n" + LENGTH),
        (63, POST + b"Inference-Header-Content-Length: 5\r\ntraceparent: 00-\r\n" + LENGTH),
        (7, POST.replace(b"1.1", b"1.0") + b"Connection: keep-alive\r\n" + LENGTH + GET),
        (63, POST + b"Content-Encoding: gzip\r\n" + LENGTH),
        (63, GET.replace(b"\r\n\r\n", b"\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n") + GET),
        (3, POST + b"Content-Length: 3\r\n" + CHUNKED + b"0\r\n\r\n" + GET),
        (63, b"HEAD http://here/ping HTTP/1.1\r\n\r\n" + GET),
    )
)
CONNECTIONS = {
    "connection": Target(
        "what comes over a connection",
        connection,
        WIRE_SEEDS,
        words=(
            *(b"\r\n", b"\r\n\r\n", b"\n", b"0\r\n\r\n", b"chunked", b" HTTP/1.1\r\n", b"HTTP/1.0"),
            *(b"Transfer-Encoding: ", b"Content-Length: ", b"Connection: close\r\n", b"Upgrade: "),
            *(b"ffffffffffffffff\r\n", b"Content-Encoding: deflate\r\n", b"PRI * ", b"CONNECT "),
        ),
    )
}
