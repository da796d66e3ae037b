"""One client's connection: HTTP/1.1 (RFC 9112) in, one request at a time, answers out in order.

Laws
- Whoever is slow costs a small object and no more: a head, a body, an idle connection and an answer
  that is not taken each have their time, after which the connection ends.
- What is kept of a request that is not whole has a bound, wherever it goes on and on.
- While a request waits or its answer is not taken, no more than one request behind it is read.
- What cannot be read as one request is answered once and ends the connection: whatever follows it
  might be read otherwise by others on the way.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable
from functools import lru_cache
from typing import Any, Protocol
from urllib.parse import unquote

import httptools

from freehold.domain.errors import FreeholdError
from freehold.endpoint.message import HEADERS, Answer, Asking, too_large, wire
from freehold.serving.request import Limits, invalid

IDLE, HEAD, BODY, WAITING = range(4)
HEAD_BYTES = 64 * 2**10
"""Of a head, of what frames a piece of a body, and of what stands behind a body: none of them ends
by itself."""
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Host(Protocol):
    """What a connection needs of the server that accepted it."""

    limits: Limits
    now: float
    """Seconds of the monotonic clock, as of the last look."""
    stamp: bytes
    """Headers of every answer of this second."""

    @property
    def draining(self) -> bool: ...

    def opened(self, connection: "Connection") -> None: ...

    def closed(self, connection: "Connection") -> None: ...

    def hold(self, connection: "Connection", size: int) -> None:
        """So many bytes of its body are here, and not all."""

    def enter(self, connection: "Connection", asking: Asking) -> None:
        """Its request is whole."""

    def answer(self, asking: Asking) -> Answer | Awaitable[Answer]: ...

    def refusal(self, error: FreeholdError, path: str) -> Answer: ...


class Connection(asyncio.Protocol):
    __slots__ = (
        "_body",
        "_fed",
        "_headers",
        "_in_head",
        "_is_full",
        "_is_last",
        "_keep",
        "_method",
        "_next",
        "_parser",
        "_server",
        "_size",
        "_transport",
        "_url",
        "ended",
        "entered",
        "held",
        "is_fresh",
        "peer",
        "phase",
        "since",
        "until",
    )

    def __init__(self, server: Host) -> None:
        self._server = server
        self._parser = httptools.HttpRequestParser(self)
        self._next: deque[tuple[Asking, bool]] = deque()
        """Whole requests behind the one that waits, and whether the connection stays after it."""
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []
        self._size = self._fed = 0
        self._in_head = False
        """Whether what is read stands before a body; a field behind it says nothing about it."""
        self._method = ""
        self._keep = True
        self._is_full = False
        """Whether the client does not take what it was answered."""
        self._is_last = False
        """Whether the client said that it sends nothing more."""
        self.phase = IDLE
        self.since = server.now
        """When the phase began, in seconds of the monotonic clock, as the server last looked."""
        self.held = 0
        """Bytes of a body that is not whole, as the server counts them."""
        self.entered = 0.0
        """When what waits entered the room, in seconds of the monotonic clock."""
        self.until = 0.0
        """When the answer to what waits is no longer wanted, in seconds of the monotonic clock."""
        self.ended = False
        self.is_fresh = True
        """Whether it has said nothing yet."""

    # What the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        found = transport.get_extra_info("peername")
        self.peer = str(found[0]) if found else ""
        self._server.opened(self)

    def connection_lost(self, _exc: Exception | None) -> None:
        self.ended = True
        self.is_fresh = False
        self._server.closed(self)

    def eof_received(self) -> bool:
        """Whether the connection stays: for the answers that are still to go out."""
        self._is_last = True
        return self.phase == WAITING

    def data_received(self, data: bytes) -> None:
        if self.ended:
            return
        if self.phase == IDLE:
            self.phase, self.since = HEAD, self._server.now
            self.is_fresh = False
        # What follows the last piece of a body or a whole request, such as a head.
        self._fed += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # What it would be upgraded to is not spoken here: it was answered as what it is.
            self._keep = False
            self._end()
            return
        except httptools.HttpParserError as exc:
            if not self.ended:
                self.refuse(invalid("request.malformed", "this is not HTTP", why=str(exc)))
            return
        if self._fed > HEAD_BYTES:
            where = "head" if self._in_head else "framing"
            what = f"the {where} of the request has more than {HEAD_BYTES} bytes"
            self.refuse(invalid("request.head-too-large", what))
        elif self.phase != HEAD and self._size:
            self._server.hold(self, self._size)

    def pause_writing(self) -> None:
        self._is_full, self.since = True, self._server.now
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._is_full, self.since = False, self._server.now
        self._go_on()

    # What the parser calls

    def on_message_begin(self) -> None:
        if self.ended:
            return
        self._url, self._headers, self._body, self._size = b"", {}, [], 0
        self._in_head = True

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if self._in_head and name in HEADERS:
            self._headers[name] = value

    def on_headers_complete(self) -> None:
        if self.ended:
            return
        self._in_head, self._fed = False, 0
        parser, headers = self._parser, self._headers
        self._method = parser.get_method().decode("latin-1")
        self._keep = parser.should_keep_alive() and not self._server.draining
        if self.phase != WAITING:
            self.phase, self.since = BODY, self._server.now
        limits = self._server.limits
        length = headers.get(b"content-length")
        if length is not None and int(length) > limits.body_bytes:
            self.refuse(too_large(limits))
        elif b"expect" in headers and headers[b"expect"].lower() == b"100-continue":
            self._transport.write(_CONTINUE)

    def on_body(self, body: bytes) -> None:
        if self.ended:
            return
        self._fed = 0
        self._size += len(body)
        if self._size > self._server.limits.body_bytes:
            self.refuse(too_large(self._server.limits))
        else:
            self._body.append(body)

    def on_message_complete(self) -> None:
        if self.ended:
            return
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._body, self._size, self._fed = [], 0, 0
        if self.held:
            self._server.hold(self, 0)
        try:
            path = _path(self._url)
        except ValueError:
            self.refuse(invalid("request.malformed", "the target of the request cannot be read"))
            return
        asking = Asking(self._method, path, self._headers, body, self.peer)
        self._next.append((asking, self._keep))
        if self.phase != WAITING:
            self._begin()
        elif len(self._next) == 2:
            self._transport.pause_reading()

    # What the server calls

    def answer(self) -> Awaitable[object] | None:
        """To the request that has waited for its turn; what is returned ends when it is known."""
        return None if self.ended else self._reply(self._server.answer(self._next[0][0]))

    def let_go(self) -> bool:
        """Of what was asked: it will be sent away, and may wait for that."""
        if not self.ended:
            self._next[0][0].body = b""
        return True

    def send_away(self, error: FreeholdError) -> None:
        """That the request which has waited is not answered."""
        if not self.ended:
            self._reply(self._server.refusal(error, self._next[0][0].path))

    def look(self, now: float, head: float, body: float, idle: float) -> None:
        """Ends what has taken longer than it may, all in seconds."""
        since = now - self.since
        if self._is_full:
            if since > idle:
                self._transport.abort()
        elif self.phase == IDLE and since > idle:
            self._end()
        elif self.phase == HEAD and since > head:
            what = f"the head did not arrive in {head:g} s"
            self.refuse(invalid("request.slow", what))
        elif self.phase == BODY and since > body:
            what = f"the body did not arrive in {body:g} s"
            self.refuse(invalid("request.slow", what))

    def drain(self) -> None:
        """Ends now if nothing is under way, else after what is."""
        self._keep = False
        if self.phase == IDLE:
            self._end()

    def abort(self) -> None:
        self._transport.abort()

    def refuse(self, error: FreeholdError) -> None:
        """Ends the connection. Of requests sent behind each other, those before are answered first,
        or not at all."""
        if self.ended:
            return
        if not self._next:
            answer = self._server.refusal(error, "")
            self._transport.write(
                wire(answer, self._server.stamp, close=True, only_head=False, keep=False)
            )
        self._end()

    def _begin(self) -> None:
        self.phase = WAITING
        self._server.enter(self, self._next[0][0])

    def _reply(self, found: "Answer | Awaitable[Answer]") -> Awaitable[object] | None:
        if isinstance(found, Answer):
            self._write(found)
            return None
        task = asyncio.ensure_future(found)
        task.add_done_callback(self._write_later)
        return task

    def _write_later(self, done: "asyncio.Future[Answer]") -> None:
        if not self.ended:
            self._write(done.result())

    def _write(self, answer: Answer) -> None:
        asking, keep = self._next.popleft()
        keep = keep and not answer.close and not self._server.draining
        keep = keep and not (self._is_last and not self._next)
        told = b"connection" in asking.headers
        self._transport.write(
            wire(
                answer,
                self._server.stamp,
                close=not keep,
                only_head=asking.method == "HEAD",
                keep=told,
            )
        )
        if not keep:
            self._end()
            return
        self.phase, self.since = IDLE, self._server.now
        if self._next and not self._is_full:
            self._go_on()

    def _go_on(self) -> None:
        """With the next of the requests that were sent behind each other."""
        if self.ended:
            return
        if self.phase == IDLE and self._next:
            self._begin()
        if len(self._next) < 2 and not self._is_full:
            self._transport.resume_reading()

    def _end(self) -> None:
        """What is written still goes out."""
        self.ended = True
        self._next.clear()
        self._transport.close()


@lru_cache(maxsize=256)
def _path(url: bytes) -> str:
    """Without the query, unquoted. Raises ValueError."""
    if url.startswith(b"/"):
        raw = url.partition(b"?")[0]
    else:
        try:
            raw = httptools.parse_url(url).path or b"/"
        except httptools.HttpParserInvalidURLError as exc:
            raise ValueError("no address") from exc
    return unquote(raw.decode("ascii")) if b"%" in raw else raw.decode("ascii")
