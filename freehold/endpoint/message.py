"""What a client asks and is answered over HTTP, and what may be taken of it."""

import re
import zlib
from collections.abc import Mapping
from http import HTTPStatus
from typing import NamedTuple

from freehold.domain.errors import RequestInvalid
from freehold.serving.request import Limits, invalid

JSON = "application/json"
OCTETS = "application/octet-stream"
HEADERS = frozenset(
    {
        b"connection",
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"expect",
        b"freehold-caller",
        b"freehold-labels",
        b"freehold-deadline-ms",
        b"freehold-priority",
        b"inference-header-content-length",
        b"traceparent",
    }
)
"""Those that are looked at, in lower case."""
_PLAIN = JSON.encode()
WINDOWS: Mapping[str, int] = {
    "gzip": 16 + zlib.MAX_WBITS,
    "x-gzip": 16 + zlib.MAX_WBITS,
    "deflate": zlib.MAX_WBITS,
}
"""RFC 9110, section 8.4.1; to zlib, sixteen more is gzip."""
_TRACE = re.compile(
    rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-|\Z)"
)
_STARTS = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus
}


class Asking:
    """A whole request."""

    __slots__ = ("body", "headers", "method", "path", "peer")

    def __init__(
        self, method: str, path: str, headers: dict[bytes, bytes], body: bytes, peer: str
    ) -> None:
        self.method, self.path, self.headers, self.body = method, path, headers, body
        self.peer = peer
        """Address of whoever asks."""


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
    retry_after: str = ""
    """Seconds."""
    site: str = ""
    """That answered, where a gateway asked for it."""


class Content(NamedTuple):
    body: bytes
    """Unpacked."""
    kind: str
    """Media type; that of the route where the client named none."""
    header_length: int | None
    """How many bytes of the body are JSON, if the client said so."""


def wire(answer: Answer, stamp: bytes, *, close: bool, only_head: bool, keep: bool) -> bytes:
    """`stamp`: headers that all answers of this second share. `keep`: say that the connection
    stays, which a client of HTTP/1.0 has to be told."""
    parts = [_STARTS[answer.status], stamp, b"content-type: ", answer.kind.encode()]
    parts.append(b"\r\ncontent-length: %d\r\n" % len(answer.body))
    if answer.header_length is not None:
        parts.append(b"inference-header-content-length: %d\r\n" % answer.header_length)
    if answer.allow:
        parts.append(b"allow: %s\r\n" % answer.allow.encode())
    if answer.retry_after:
        parts.append(b"retry-after: %s\r\n" % answer.retry_after.encode())
    if answer.site:
        parts.append(b"freehold-site: %s\r\n" % answer.site.encode())
    if close:
        parts.append(b"connection: close\r\n")
    elif keep:
        parts.append(b"connection: keep-alive\r\n")
    parts.append(b"\r\n")
    if not only_head:
        parts.append(answer.body)
    return b"".join(parts)


def content_of(asking: Asking, limits: Limits, kinds: tuple[str, ...]) -> Content:
    """`kinds`: media types that the route takes, the one first that goes without saying.

    Raises RequestInvalid: `request.content-type`, `request.too-large`, `request.malformed`,
    `request.binary`.
    """
    headers, kind = asking.headers, kinds[0]
    given = headers.get(b"content-type")
    if given is not None and (given != _PLAIN or kind != JSON):
        kind = _kind(given.decode("latin-1"), kinds)
    length = headers.get(b"inference-header-content-length")
    coding = headers.get(b"content-encoding")
    body = asking.body
    if coding is not None and (window := _window(coding.decode("latin-1").strip().lower())):
        body = unpack(body, window, limits)
    return Content(body, kind, None if length is None else _length(length))


def too_large(limits: Limits) -> RequestInvalid:
    return invalid("request.too-large", f"the body has more than {limits.body_bytes} bytes")


def trace_of(value: bytes | None) -> str | None:
    """The trace's id of a `traceparent` (W3C Trace Context, section 3.2); None for what is none:
    whoever cannot read it is to go on without."""
    found = None if value is None else _TRACE.match(value)
    return None if found is None else found[1].decode()


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
    if coding not in WINDOWS:
        told = f"the content encoding must be gzip or deflate, not {coding!r:.40}"
        raise invalid("request.content-type", told)
    return WINDOWS[coding]


def _length(value: bytes) -> int:
    # Far more digits than a length has would make int() itself refuse.
    if not value.isdigit() or len(value) > 18:
        raise invalid("request.binary", "Inference-Header-Content-Length must be a number of bytes")
    return int(value)


def unpack(body: bytes, window: int, limits: Limits) -> bytes:
    """One stream and nothing after it; no more is unpacked than a body may have, and a byte."""
    unpacking = zlib.decompressobj(window)
    try:
        unpacked = unpacking.decompress(body, limits.body_bytes + 1)
    except zlib.error as exc:
        raise invalid("request.malformed", "the body cannot be unpacked", str(exc)) from exc
    if len(unpacked) > limits.body_bytes:
        raise too_large(limits)
    if not unpacking.eof or unpacking.unused_data:
        why = "it goes on behind its end" if unpacking.eof else "it has no end"
        raise invalid("request.malformed", "the body cannot be unpacked", why)
    return unpacked
