"""One site's endpoint as a client sees it: connections that stay, one request each at a time."""

import asyncio
import ssl
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httptools

from freehold.domain.errors import ProjectInvalid, Unreachable

ANSWER_BYTES = 64 * 2**20
_KEPT = 64
"""Connections that wait for their next request."""


class Told(NamedTuple):
    """What a site answered."""

    status: int
    headers: Mapping[bytes, bytes]
    """In lower case."""
    body: bytes


class Exchanges:
    def __init__(self, name: str, url: str) -> None:
        """`url`: http or https, with no path of its own. Raises ProjectInvalid
        `gateway.address`."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
            raise ProjectInvalid(
                f"the endpoint of {name} is no address: {url!r:.80}",
                why="it needs http or https, a host, and no path",
                hint="mend `endpoint` of that site in freehold.yaml",
                code="gateway.address",
            )
        self._name, self._host = name, parts.hostname or ""
        self._secure = ssl.create_default_context() if parts.scheme == "https" else None
        self._port = parts.port or (443 if self._secure else 80)
        self._authority = parts.netloc.encode()
        self._idle: list[_Exchange] = []

    async def ask(
        self, method: str, target: str, headers: Mapping[bytes, bytes], body: bytes
    ) -> Told:
        """Raises Unreachable `gateway.no-answer`. Whoever cancels it leaves no connection behind.

        A connection that stayed may have ended while nobody looked: where nothing was answered on
        it, the request is sent once more on a new one.
        """
        lines = [f"{method} {target} HTTP/1.1\r\nhost: ".encode() + self._authority]
        lines += [name + b": " + value for name, value in headers.items()]
        data = b"\r\n".join([*lines, b"content-length: %d\r\n\r\n" % len(body)]) + body
        try:
            while self._idle:
                exchange = self._idle.pop()
                if exchange.is_open:
                    try:
                        return await self._asked(exchange, data)
                    except _EndedUnanswered:
                        break
            return await self._asked(await self._connected(), data)
        except (OSError, _EndedUnanswered, httptools.HttpParserError) as exc:
            raise Unreachable(
                f"the site {self._name} did not answer",
                why=str(exc) or type(exc).__name__,
                hint="`freehold sites` shows when it was last heard of",
                code="gateway.no-answer",
            ) from exc

    async def _connected(self) -> "_Exchange":
        loop = asyncio.get_running_loop()
        _, exchange = await loop.create_connection(
            _Exchange, self._host, self._port, ssl=self._secure
        )
        return exchange

    async def _asked(self, exchange: "_Exchange", data: bytes) -> Told:
        try:
            told = await exchange.ask(data)
        except BaseException:
            exchange.close()
            raise
        if exchange.stays and len(self._idle) < _KEPT:
            self._idle.append(exchange)
        else:
            exchange.close()
        return told

    def close(self) -> None:
        for exchange in self._idle:
            exchange.close()
        self._idle.clear()


class _EndedUnanswered(Exception):
    """The connection ended before the answer was whole."""


class _Exchange(asyncio.Protocol):
    def __init__(self) -> None:
        self._answer: asyncio.Future[Told] | None = None
        self._parser: Any = None
        self._headers: dict[bytes, bytes] = {}
        self._body: list[bytes] = []
        self._size = 0
        self.is_open, self.stays = False, True

    async def ask(self, data: bytes) -> Told:
        self._answer = asyncio.get_running_loop().create_future()
        self._parser = httptools.HttpResponseParser(self)
        self._headers, self._body, self._size = {}, [], 0
        self._transport.write(data)
        return await self._answer

    def close(self) -> None:
        if self.is_open:
            self._transport.abort()
        self.is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self.is_open = True

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        self._fail(_EndedUnanswered(str(exc or "the connection ended")))

    def data_received(self, data: bytes) -> None:
        if self._parser is None:
            # Nobody asked: whatever it is, it must not be taken for the next answer.
            self.close()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as exc:
            self._fail(exc)
            self.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._size > ANSWER_BYTES:
            self._fail(_EndedUnanswered(f"the answer has more than {ANSWER_BYTES} bytes"))
            self.close()
        else:
            self._body.append(body)

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:
            return
        self.stays = self._parser.should_keep_alive()
        self._parser = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(Told(status, self._headers, b"".join(self._body)))

    def _fail(self, exc: Exception) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc)
