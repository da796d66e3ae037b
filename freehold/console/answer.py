"""What a client gets: JSON as the commands' `--json` prints it, and errors by their place in the
tree."""

import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from freehold.domain.errors import (
    Conflict,
    FreeholdError,
    NotFound,
    NotSupported,
    PolicyDenied,
    Refused,
    RequestInvalid,
    Unreachable,
    WrongUsage,
)

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

BY_CODE: Mapping[str, int] = {
    "request.content-type": 415,
    "request.host": 403,
    "request.method": 405,
    "request.not-found": 404,
    "request.origin": 403,
    "request.slow": 408,
    "request.token": 401,
    "request.too-large": 413,
    "ledger.other-projections": 503,
    "ledger.other-writer": 503,
    "storage.busy": 503,
    "storage.full": 507,
}
BY_CLASS: Mapping[type[FreeholdError], int] = {
    RequestInvalid: 400,
    WrongUsage: 400,
    PolicyDenied: 403,
    NotFound: 404,
    Conflict: 409,
    Refused: 422,
    NotSupported: 501,
    Unreachable: 503,
    FreeholdError: 500,
}
"""The nearest class above an error's own counts."""
UNREAD = frozenset({"request.slow", "request.too-large"})
"""Faults of a request that was not read to its end."""
SAFE = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; script-src 'self'; style-src 'self';"
     b" connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)  # fmt: skip


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    kind: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


def as_json(value: Any, status: int = 200) -> Answer:
    """The shape is the commands'."""
    return Answer(status, json.dumps(value, ensure_ascii=False, default=str).encode())


def page(text: str, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    return Answer(status, text.encode(), "text/html; charset=utf-8", headers)


def status_of(error: FreeholdError) -> int:
    if error.code in BY_CODE:
        return BY_CODE[error.code]
    return next(BY_CLASS[kind] for kind in type(error).__mro__ if kind in BY_CLASS)


def refusal(error: FreeholdError) -> Answer:
    """`{"error": {code, what, because, hint, faults}}`, as `--json` has it."""
    status = status_of(error)
    headers = []
    if status == 401:
        headers.append(("www-authenticate", 'Bearer realm="freehold console"'))
    if isinstance(error, WrongMethod):
        headers.append(("allow", ", ".join(error.allowed)))
    if error.code in UNREAD:
        headers.append(("connection", "close"))
    return Answer(status, json.dumps(error.as_json()).encode(), headers=tuple(headers))


class WrongMethod(RequestInvalid):
    """There is something at this path, for other methods."""

    code = "request.method"

    def __init__(self, method: str, allowed: tuple[str, ...]) -> None:
        super().__init__(
            f"{method[:20]} is not possible here",
            why=f"this path takes {' and '.join(allowed)}",
            hint="the guide on the console lists what can be asked",
        )
        self.allowed = allowed


async def deliver(send: Send, answer: Answer) -> None:
    headers = [
        (b"content-type", answer.kind.encode()),
        (b"content-length", str(len(answer.body)).encode()),
        *SAFE,
        *((name.encode(), value.encode()) for name, value in answer.headers),
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
