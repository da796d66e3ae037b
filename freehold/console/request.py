"""What a client asks: its body read within limits, its fields checked all at once."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import orjson

from freehold.console.settings import Limits
from freehold.domain.errors import Fault, RequestInvalid

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
JSON, FORM = "application/json", "application/x-www-form-urlencoded"
LONGEST_KEY = 200
_WORDS = {str: "a string", int: "an integer", dict: "an object", list: "a list of strings"}


class Disconnected(Exception):
    """The client left before its request was whole: nobody waits for an answer."""


@dataclass(frozen=True)
class Field:
    """A member of a JSON body."""

    name: str
    kind: type
    """str, int, dict, or list: of strings."""
    required: bool = False


@dataclass(frozen=True)
class Asked:
    """One request, as its handler gets it."""

    place: Mapping[str, str]
    """What the path named."""
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    key: str = ""
    """Idempotency-Key."""

    def flag(self, name: str) -> bool:
        """Raises RequestInvalid if it is neither true nor false."""
        value = self.query.get(name, "false")
        if value not in ("true", "false"):
            raise malformed([Fault("request.field", "must be true or false", name)])
        return value == "true"

    def fields(self, *fields: Field) -> dict[str, Any]:
        """Those of the JSON body that were given. Raises RequestInvalid with every fault."""
        value = _json(self.body)
        known = {one.name: one for one in fields}
        faults = [
            Fault("request.field", "is not known here", name, f"known: {', '.join(known)}")
            for name in value
            if name not in known
        ]
        for one in fields:
            if one.name not in value:
                if one.required:
                    faults.append(Fault("request.field", "is missing", one.name))
            elif not _fits(value[one.name], one.kind):
                faults.append(Fault("request.field", f"must be {_WORDS[one.kind]}", one.name))
        if faults:
            raise malformed(faults)
        return value


def malformed(faults: Sequence[Fault]) -> RequestInvalid:
    return RequestInvalid(
        "the request cannot be read",
        why=f"{len(faults)} fault{'' if len(faults) == 1 else 's'} in it",
        hint="the guide on the console has the fields of each request",
        faults=faults,
        code="request.malformed",
    )


def query_of(scope: Scope, known: Sequence[str]) -> dict[str, str]:
    """Raises RequestInvalid for what is unknown here or given twice."""
    try:
        # Latin-1 never fails to decode; what is no UTF-8 between the percents is replaced.
        pairs = parse_qsl(
            scope.get("query_string", b"").decode("latin-1"),
            keep_blank_values=True,
            max_num_fields=20,
        )
    except ValueError as exc:
        raise malformed([Fault("request.field", "has too many parts", "query")]) from exc
    names = [name for name, _ in pairs]
    faults = [
        Fault("request.field", "is not known here", name, f"known: {', '.join(known) or 'none'}")
        for name in dict.fromkeys(names)
        if name not in known
    ]
    faults += [
        Fault("request.field", "is given more than once", name)
        for name in dict.fromkeys(names)
        if names.count(name) > 1
    ]
    if faults:
        raise malformed(faults)
    return dict(pairs)


def key_of(headers: Sequence[tuple[bytes, bytes]]) -> str:
    """Of the Idempotency-Key header, or empty. Raises RequestInvalid."""
    given = [value for name, value in headers if name == b"idempotency-key"]
    key = given[0].decode("latin-1").strip() if given else ""
    if len(given) > 1 or (given and not key) or len(key) > LONGEST_KEY:
        what = f"must be one value of 1 to {LONGEST_KEY} characters"
        raise malformed([Fault("request.field", what, "Idempotency-Key")])
    return key


async def body_of(scope: Scope, receive: Receive, limits: Limits, kind: str) -> bytes:
    """Raises RequestInvalid: `request.content-type`, `request.too-large`, `request.slow`."""
    try:
        async with asyncio.timeout(limits.body_seconds):
            body = await _read(scope, receive, limits.body_bytes)
    except TimeoutError as exc:
        raise RequestInvalid(
            f"the body did not arrive in {limits.body_seconds:g} s",
            why="the connection is slow, or its other end waits for something",
            hint="send the request again",
            code="request.slow",
        ) from exc
    if body:
        _require_kind(scope, kind)
    return body


async def _read(scope: Scope, receive: Receive, limit: int) -> bytes:
    for name, value in scope["headers"]:
        if name == b"content-length" and int(value) > limit:
            raise _too_large(limit)
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        body += message.get("body", b"")
        if len(body) > limit:
            raise _too_large(limit)
        if not message.get("more_body", False):
            return bytes(body)


def _require_kind(scope: Scope, kind: str) -> None:
    headers = dict(scope["headers"])
    given = headers.get(b"content-type", b"").split(b";")[0].strip().lower().decode("latin-1")
    if given != kind or b"content-encoding" in headers:
        raise RequestInvalid(
            f"the body must be {kind}",
            why=f"its Content-Type is {given[:60] or 'missing'}"
            + (", and it is encoded" if b"content-encoding" in headers else ""),
            hint=f"send `Content-Type: {kind}`, without an encoding",
            code="request.content-type",
        )


def _json(body: bytes) -> dict[str, Any]:
    if not body.strip():
        return {}
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        what = f"is not JSON: {exc.msg}, line {exc.lineno} column {exc.colno}"
        raise malformed([Fault("request.field", what, "body")]) from exc
    if not isinstance(value, dict):
        raise malformed([Fault("request.field", "must be an object", "body")])
    return value


def _fits(value: Any, kind: type) -> bool:
    if kind is list:
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    if kind is int:
        return type(value) is int and abs(value) < 2**53
    return isinstance(value, kind)


def _too_large(limit: int) -> RequestInvalid:
    return RequestInvalid(
        f"the body has more than {limit:,} bytes",
        why="nothing that the console takes is that long",
        hint="send less",
        code="request.too-large",
    )
