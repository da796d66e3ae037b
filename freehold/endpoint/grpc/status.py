"""How a call ends (gRPC over HTTP/2): a status, a text, and the stable code among the trailers."""

from base64 import b64encode
from collections.abc import Iterable, Mapping
from enum import IntEnum
from urllib.parse import quote_from_bytes

import orjson

from freehold.domain.errors import FreeholdError
from freehold.endpoint.refusal import status_of
from freehold.serving.admission import SENT_AWAY
from freehold.serving.message_response import error_text
from freehold.serving.response import error_response

CODE = b"freehold-code"
"""Trailer: the error's code."""
RETRY_AFTER = b"retry-after"
"""Trailer of RESOURCE_EXHAUSTED: seconds after which to come again."""
DETAILS = b"freehold-error-bin"
"""Trailer: what REST would have answered, as JSON, where it is short enough."""
_DETAILS_BYTES = 3072
"""Clients refuse headers of more than 8 KiB, and bytes travel there in base64."""
_PLAIN = "".join(chr(at) for at in range(0x20, 0x7F) if chr(at) != "%")


class Status(IntEnum):
    OK = 0
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    RESOURCE_EXHAUSTED = 8
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14


_BY_STATUS: Mapping[int, Status] = {
    400: Status.INVALID_ARGUMENT,
    404: Status.NOT_FOUND,
    408: Status.DEADLINE_EXCEEDED,
    413: Status.RESOURCE_EXHAUSTED,
    415: Status.UNIMPLEMENTED,
    429: Status.RESOURCE_EXHAUSTED,
    503: Status.UNAVAILABLE,
    504: Status.DEADLINE_EXCEEDED,
    507: Status.UNAVAILABLE,
}
_BY_CODE: Mapping[str, Status] = {"request.too-many-rows": Status.INVALID_ARGUMENT}

Trailers = Iterable[tuple[bytes, bytes]]


def ending(status: Status, text: str = "") -> list[tuple[bytes, bytes]]:
    told = [(b"grpc-status", b"%d" % status)]
    if text:
        told.append((b"grpc-message", quote_from_bytes(text.encode(), _PLAIN).encode()))
    return told


def ending_of(error: FreeholdError) -> list[tuple[bytes, bytes]]:
    http = status_of(error)
    status = _BY_CODE.get(error.code, _BY_STATUS.get(http, Status.INTERNAL))
    told = [*ending(status, error_text(error)), (CODE, error.code.encode())]
    if error.code in SENT_AWAY:
        told.append((RETRY_AFTER, error.hint.encode()))
    details = orjson.dumps(error_response(error))
    if len(details) <= _DETAILS_BYTES:
        told.append((DETAILS, b64encode(details).rstrip(b"=")))
    return told
