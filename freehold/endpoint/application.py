"""The endpoint's HTTP face: a bare ASGI application.

Open Inference Protocol, version 2, REST; `/metrics` for Prometheus; `/freehold/...` for ourselves.
A fault of the request is a 4xx, a model's is a 500; both with `{"error", "code"}`.
"""

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from importlib.metadata import version
from time import perf_counter
from typing import Any

import orjson
from prometheus_client import CONTENT_TYPE_LATEST

from freehold.domain.errors import FreeholdError, NotFound, RequestInvalid
from freehold.endpoint.inference import Inference
from freehold.endpoint.loading import LoadedTable
from freehold.endpoint.metrics import Metrics
from freehold.endpoint.request_log import RequestLog
from freehold.endpoint.watcher import Watcher
from freehold.serving.request import invalid
from freehold.serving.response import Identity, error_response, model_metadata, routing_state

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

STATUS: Mapping[str, int] = {
    "request.not-found": 404,
    "request.method": 405,
    "request.slow": 408,
    "request.too-large": 413,
    "request.too-many-rows": 413,
    "request.content-type": 415,
    "request.not-loopback": 403,
    "endpoint.log-unwritable": 507,
    "endpoint.withdrawn": 503,
}
_VERSION = version("freehold")
_JSON = (b"content-type", b"application/json")
_TEXT = (b"content-type", CONTENT_TYPE_LATEST.encode())


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    kind: tuple[bytes, bytes] = _JSON
    allow: str = ""
    """Of a 405."""
    close: bool = False
    """Whether the connection has to end, since the request was not read to its end."""


class _Disconnected(Exception):
    """The client left before its request was whole: nobody waits for an answer."""


class Application:
    def __init__(
        self,
        watcher: Watcher,
        inference: Inference,
        log: RequestLog,
        metrics: Metrics,
        identity: Identity,
    ) -> None:
        self._watcher, self._inference = watcher, inference
        self._log, self._metrics = log, metrics
        self._identity = identity
        self.draining = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError(f"no scope of the type {scope['type']} is served")
        try:
            answer = await self._answer(scope, receive)
        except _Disconnected:
            return
        except FreeholdError as exc:
            answer = self._refusal(exc)
        except Exception as exc:  # noqa: BLE001 (the boundary: a bug of ours answers too)
            what = "the endpoint failed"
            answer = self._refusal(
                FreeholdError(what, why=type(exc).__name__, code="endpoint.internal")
            )
        self._metrics.requests.labels(str(answer.status)).inc()
        await _send(send, answer)

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        path, method = scope["path"], scope["method"]
        if path.startswith("/v2/models/"):
            return await self._model(path, method, scope, receive)
        if path == "/freehold/log/flush":
            return await self._flush(method, scope)
        _only("GET", method)
        if path in ("/v2", "/v2/"):
            return _json({"name": "freehold", "version": _VERSION, "extensions": []})
        if path == "/v2/health/live":
            return _json({"live": True})
        if path == "/v2/health/ready":
            return self._ready()
        if path == "/metrics":
            return Answer(200, self._metrics.text(), _TEXT)
        if path == "/freehold/routing":
            return _json(self._routing())
        raise _nothing(path)

    async def _model(self, path: str, method: str, scope: Scope, receive: Receive) -> Answer:
        loaded = self._watcher.table
        if self._watcher.withdrawn is not None:
            raise self._watcher.withdrawn
        parts = path.split("/")[3:]
        if parts[0] != loaded.table.model:
            raise invalid("request.not-found", f"no model is named {parts[0]!r:.60}")
        pinned = None
        rest = parts[1:]
        if rest[:1] == ["versions"] and len(rest) > 1:
            pinned = _place(loaded, rest[1])
            rest = rest[2:]
        if rest == ["infer"]:
            _only("POST", method)
            return await self._infer(loaded, pinned, scope, receive)
        if rest == ["ready"]:
            _only("GET", method)
            return _json({"name": loaded.table.model, "ready": True})
        if not rest:
            _only("GET", method)
            return _json(_metadata(loaded, pinned))
        raise _nothing(path)

    async def _infer(
        self, loaded: LoadedTable, pinned: int | None, scope: Scope, receive: Receive
    ) -> Answer:
        limits = self._inference.limits
        body = await _body(scope, receive, limits.body_bytes, limits.body_seconds)
        started = perf_counter()
        answer = _json(self._inference.answer(loaded, body, pinned))
        self._metrics.seconds.observe(perf_counter() - started)
        return answer

    def _routing(self) -> dict[str, Any]:
        return routing_state(self._watcher.table.table, self._watcher.refused, self._identity)

    def _ready(self) -> Answer:
        log = self._log.state
        # A full disk is told here and costs no traffic: it gets room again, and then the rows that
        # wait are written. A log that has ended never is again.
        ready = log.alive and not self.draining and self._watcher.withdrawn is None
        state = {
            "ready": ready,
            "log": {"alive": log.alive, "failure": log.failure},
            "routing": self._routing(),
        }
        # The protocol wants a 4xx where it is not ready.
        return _json(state, 200 if ready else 400)

    async def _flush(self, method: str, scope: Scope) -> Answer:
        _only("POST", method)
        if not _is_loopback(scope):
            raise invalid("request.not-loopback", "the log is flushed from this machine only")
        state = await asyncio.to_thread(self._log.flush)
        return _json({"rows": state.written, "dropped": state.dropped, "parts": state.parts})

    def _refusal(self, error: FreeholdError) -> Answer:
        self._metrics.errors.labels(error.code).inc()
        kinds = (RequestInvalid, NotFound)
        status = STATUS.get(error.code, 400 if isinstance(error, kinds) else 500)
        allow = error.hint if error.code == "request.method" else ""
        unread = error.code in ("request.too-large", "request.slow", "request.content-type")
        return Answer(status, orjson.dumps(error_response(error)), allow=allow, close=unread)


async def _send(send: Send, answer: Answer) -> None:
    headers = [answer.kind, (b"content-length", str(len(answer.body)).encode())]
    if answer.allow:
        headers.append((b"allow", answer.allow.encode()))
    if answer.close:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


async def _body(scope: Scope, receive: Receive, limit: int, seconds: float) -> bytes:
    """Raises RequestInvalid: `request.content-type`, `request.too-large`, `request.slow`."""
    for name, value in scope["headers"]:
        if name == b"content-length" and int(value) > limit:
            raise _too_large(limit)
        if name == b"content-type" and value.split(b";")[0].strip().lower() != _JSON[1]:
            raise invalid("request.content-type", "the body must be application/json")
        if name in (b"content-encoding", b"inference-header-content-length"):
            raise invalid("request.content-type", f"{name.decode()} is not offered")
    chunks, size = [], 0
    try:
        async with asyncio.timeout(seconds):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise _Disconnected
                chunk = message.get("body", b"")
                size += len(chunk)
                if size > limit:
                    raise _too_large(limit)
                chunks.append(chunk)
                if not message.get("more_body", False):
                    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
    except TimeoutError as exc:
        raise invalid("request.slow", f"the body did not arrive in {seconds} s") from exc


def _metadata(loaded: LoadedTable, pinned: int | None) -> Any:
    variants, models = loaded.table.variants, loaded.models
    if pinned is not None:
        variants, models = (variants[pinned],), (models[pinned],)
    return model_metadata(
        loaded.table.model, [v.version for v in variants], [m.columns for m in models]
    )


def _place(loaded: LoadedTable, named: str) -> int:
    # Far more digits than a version has would make int() itself refuse.
    number = int(named) if named.isascii() and named.isdigit() and len(named) < 19 else -1
    place = loaded.place(number)
    if place is None:
        raise invalid(
            "request.not-found", f"{loaded.table.model} has no version {named!r:.40} here"
        )
    return place


def _json(value: Any, status: int = 200) -> Answer:
    return Answer(status, orjson.dumps(value))


def _only(allowed: str, method: str) -> None:
    if method != allowed:
        raise RequestInvalid(f"{method} is not possible here", code="request.method", hint=allowed)


def _nothing(path: str) -> RequestInvalid:
    return invalid("request.not-found", f"there is nothing at {path!r:.80}")


def _too_large(limit: int) -> RequestInvalid:
    return invalid("request.too-large", f"the body has more than {limit} bytes")


def _is_loopback(scope: Scope) -> bool:
    client = scope.get("client")
    return client is not None and ipaddress.ip_address(client[0]).is_loopback
