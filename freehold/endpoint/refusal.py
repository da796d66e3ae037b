"""What an error is answered with, whichever face tells it."""

from collections.abc import Mapping
from typing import Any

import orjson

from freehold.domain.errors import FreeholdError, NotFound, RequestInvalid, Unreachable
from freehold.endpoint.message import Answer
from freehold.serving.admission import SENT_AWAY
from freehold.serving.response import error_response

STATUS: Mapping[str, int] = {
    "endpoint.log-unwritable": 507,
    "endpoint.no-reader": 503,
    "endpoint.overloaded": 429,
    "endpoint.stopping": 503,
    "endpoint.withdrawn": 503,
    "gateway.barred": 403,
    "gateway.labels": 400,
    "gateway.late": 504,
    "request.content-type": 415,
    "request.deadline": 504,
    "request.head-too-large": 431,
    "request.method": 405,
    "request.not-found": 404,
    "request.not-loopback": 403,
    "request.slow": 408,
    "request.too-large": 413,
    "request.too-many-rows": 413,
    "request.too-often": 429,
    "runtime.busy": 503,
}
"""By code, where the kind of the error does not say it."""
UNREAD = frozenset({"request.too-large", "request.slow", "request.content-type"})
"""Faults with which the connection ends: its request was not read to its end, or is best not read
on."""


def status_of(error: FreeholdError) -> int:
    """Of HTTP; by it all requests are counted, gRPC's too."""
    if error.code in STATUS:
        return STATUS[error.code]
    if isinstance(error, RequestInvalid | NotFound):
        return 400
    return 502 if isinstance(error, Unreachable) else 500


def as_error(exc: Exception) -> FreeholdError:
    """At the boundary, where a bug of ours answers too."""
    if isinstance(exc, FreeholdError):
        return exc
    why = type(exc).__name__
    return FreeholdError("the endpoint failed", why=why, code="endpoint.internal")


def answer_of(error: FreeholdError, told: Mapping[str, Any] | None = None) -> Answer:
    """`told`: the body, where it is not what most are told."""
    return Answer(
        status_of(error),
        orjson.dumps(error_response(error) if told is None else told),
        allow=error.hint if error.code == "request.method" else "",
        close=error.code in UNREAD,
        retry_after=error.hint if error.code in SENT_AWAY else "",
    )
