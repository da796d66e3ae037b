"""What passes between the server and the application (ASGI 3), and what it takes of it."""

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, NamedTuple

from freehold.serving.request import Limits, invalid

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

JSON = "application/json"
OCTETS = "application/octet-stream"
_PLAIN = JSON.encode()
_WINDOW: Mapping[str, int] = {
    "gzip": 16 + zlib.MAX_WBITS,
    "x-gzip": 16 + zlib.MAX_WBITS,
    "deflate": zlib.MAX_WBITS,
}
"""RFC 9110, section 8.4.1; to zlib, sixteen more is gzip."""


class Answer(NamedTuple):
    status: int
    body: bytes
    kind: str = JSON
    allow: str = ""
    """Of a 405."""
    close: bool = False
    """Whether the connection has to end, since the request was not read to its end."""
    header_length: int | None = None
    """How many bytes of the body are JSON, if binary data follow."""


class Content(NamedTuple):
    body: bytes
    """Unpacked."""
    kind: str
    """Media type; that of the route where the client named none."""
    header_length: int | None
    """How many bytes of the body are JSON, if the client said so."""


class Disconnected(Exception):
    """The client left before its request was whole: nobody waits for an answer."""


async def send_answer(send: Send, answer: Answer) -> None:
    headers = [
        (b"content-type", answer.kind.encode()),
        (b"content-length", str(len(answer.body)).encode()),
    ]
    if answer.header_length is not None:
        length = str(answer.header_length).encode()
        headers.append((b"inference-header-content-length", length))
    if answer.allow:
        headers.append((b"allow", answer.allow.encode()))
    if answer.close:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


async def read_content(
    scope: Scope, receive: Receive, limits: Limits, kinds: tuple[str, ...]
) -> Content:
    """`kinds`: media types that the route takes, the one first that goes without saying.

    Raises RequestInvalid: `request.content-type`, `request.too-large`, `request.slow`,
    `request.malformed`, `request.binary`; Disconnected.
    """
    kind, window, header_length = kinds[0], 0, None
    for name, value in scope["headers"]:
        if name == b"content-length":
            if int(value) > limits.body_bytes:
                raise _too_large(limits)
        elif name == b"content-type":
            if value != _PLAIN or kind != JSON:
                kind = _kind(value.decode("latin-1"), kinds)
        elif name == b"content-encoding":
            window = _window(value.decode("latin-1").strip().lower())
        elif name == b"inference-header-content-length":
            header_length = _length(value)
    body = await _body(receive, limits)
    if window:
        body = _unpacked(body, window, limits)
    return Content(body, kind, header_length)


async def _body(receive: Receive, limits: Limits) -> bytes:
    chunks, size = [], 0
    try:
        async with asyncio.timeout(limits.body_seconds):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Disconnected
                chunk = message.get("body", b"")
                size += len(chunk)
                if size > limits.body_bytes:
                    raise _too_large(limits)
                chunks.append(chunk)
                if not message.get("more_body", False):
                    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
    except TimeoutError as exc:
        what = f"the body did not arrive in {limits.body_seconds} s"
        raise invalid("request.slow", what) from exc


def _kind(value: str, kinds: tuple[str, ...]) -> str:
    kind, *parameters = value.split(";")
    kind = kind.strip().lower()
    if kind not in kinds:
        raise invalid("request.content-type", f"the body must be {' or '.join(kinds)}")
    for parameter in parameters:
        name, _, given = parameter.partition("=")
        if name.strip().lower() == "charset" and given.strip(' "').lower() not in ("utf-8", "utf8"):
            raise invalid("request.content-type", f"the charset must be utf-8, not {given!r:.40}")
    return kind


def _window(coding: str) -> int:
    if coding in ("", "identity"):
        return 0
    if coding not in _WINDOW:
        told = f"the content encoding must be gzip or deflate, not {coding!r:.40}"
        raise invalid("request.content-type", told)
    return _WINDOW[coding]


def _length(value: bytes) -> int:
    # Far more digits than a length has would make int() itself refuse.
    if not value.isdigit() or len(value) > 18:
        raise invalid("request.binary", "Inference-Header-Content-Length must be a number of bytes")
    return int(value)


def _unpacked(body: bytes, window: int, limits: Limits) -> bytes:
    """One stream and nothing after it; no more is unpacked than a body may have, and a byte."""
    unpacking = zlib.decompressobj(window)
    try:
        unpacked = unpacking.decompress(body, limits.body_bytes + 1)
    except zlib.error as exc:
        raise invalid("request.malformed", "the body cannot be unpacked", str(exc)) from exc
    if len(unpacked) > limits.body_bytes:
        raise _too_large(limits)
    if not unpacking.eof or unpacking.unused_data:
        why = "it goes on behind its end" if unpacking.eof else "it has no end"
        raise invalid("request.malformed", "the body cannot be unpacked", why)
    return unpacked


def _too_large(limits: Limits) -> Exception:
    return invalid("request.too-large", f"the body has more than {limits.body_bytes} bytes")
