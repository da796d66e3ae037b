"""An error as gRPC tells it: a status code, a text, and the stable code in trailing metadata."""

from collections.abc import Mapping

import grpc
import orjson

from freehold.domain.errors import FreeholdError
from freehold.endpoint.refusal import status_of
from freehold.serving.admission import SENT_AWAY
from freehold.serving.response import error_response

CODE = "freehold-code"
"""Trailing metadata: the error's code."""
RETRY_AFTER = "retry-after"
"""Trailing metadata of RESOURCE_EXHAUSTED: seconds after which to come again."""
DETAILS = "freehold-error-bin"
"""Trailing metadata: what REST would have answered, as JSON, where it is short enough."""
_DETAILS_BYTES = 3072
"""Clients refuse headers of more than 8 KiB, and bytes travel there in base64."""
_BY_STATUS: Mapping[int, grpc.StatusCode] = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    404: grpc.StatusCode.NOT_FOUND,
    408: grpc.StatusCode.DEADLINE_EXCEEDED,
    413: grpc.StatusCode.INVALID_ARGUMENT,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
    507: grpc.StatusCode.UNAVAILABLE,
}


def status_code(error: FreeholdError) -> grpc.StatusCode:
    return _BY_STATUS.get(status_of(error), grpc.StatusCode.INTERNAL)


def trailing_metadata(error: FreeholdError) -> tuple[tuple[str, str | bytes], ...]:
    told: tuple[tuple[str, str | bytes], ...] = ((CODE, error.code),)
    if error.code in SENT_AWAY:
        told = (*told, (RETRY_AFTER, error.hint))
    details = orjson.dumps(error_response(error))
    return (*told, (DETAILS, details)) if len(details) <= _DETAILS_BYTES else told
