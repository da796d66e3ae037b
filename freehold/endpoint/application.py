"""The endpoint's HTTP face: a whole request in, an answer out.

Open Inference Protocol, version 2, REST; the scoring protocol of MLflow's server; plain rows;
`/metrics` for Prometheus; `/freehold/...` for ourselves; `/openapi.json` says all of it. A fault of
the request is a 4xx, a model's is a 500; both with `{"error", "code"}`.
"""

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from time import perf_counter
from typing import Any

import orjson
from prometheus_client import CONTENT_TYPE_LATEST

from freehold.domain.errors import FreeholdError, RequestInvalid
from freehold.endpoint.inference import Inference
from freehold.endpoint.kin import Kin, merged
from freehold.endpoint.loading import LoadedTable
from freehold.endpoint.message import JSON, OCTETS, Answer, Asking, content_of, trace_of
from freehold.endpoint.metrics import Metrics
from freehold.endpoint.parquet_reader import ParquetReader
from freehold.endpoint.refusal import answer_of, as_error
from freehold.endpoint.request_log import RequestLog
from freehold.endpoint.shadow import Shadows
from freehold.endpoint.watcher import Watcher
from freehold.serving.invocations import CSV, error_of, predictions_body, read_csv, read_invocation
from freehold.serving.open_inference import EXTENSIONS, read_request
from freehold.serving.openapi import openapi
from freehold.serving.parquet import PARQUET, request_of
from freehold.serving.plain_rows import read_rows, rows_body
from freehold.serving.request import ID, InferenceRequest, Limits, invalid
from freehold.serving.response import (
    Identity,
    inference_response,
    model_metadata,
    routing_state,
)

INVOCATIONS = "/invocations"
FLUSH = "/freehold/log/flush"
METRICS = "/metrics"
OWN_FLUSH, OWN_METRICS = "/freehold/process/flush", "/freehold/process/metrics"
"""Of the process that answers alone; the others are of all that share the port."""
_VERSION = version("freehold")


@dataclass(slots=True)
class Asked:
    """A request whose route is known, and the table that answers it."""

    asking: Asking
    loaded: LoadedTable
    pinned: int | None = None
    """Place of the variant that the path names."""

    @property
    def trace(self) -> str | None:
        return trace_of(self.asking.headers.get(b"traceparent"))


Route = Callable[[Asked], Answer | Awaitable[Answer]]


class Application:
    def __init__(
        self,
        watcher: Watcher,
        inference: Inference,
        log: RequestLog,
        metrics: Metrics,
        identity: Identity,
        limits: Limits,
        kin: Kin | None = None,
    ) -> None:
        """`kin`: the other processes, if several share the port."""
        self._watcher, self._inference = watcher, inference
        self._log, self._metrics, self._kin = log, metrics, kin
        self._identity, self._limits = identity, limits
        self.parquet = ParquetReader(limits)
        self.draining = False
        model, pinned = "/v2/models/{model}", "/v2/models/{model}/versions/{version}"
        self.routes: Mapping[str, tuple[str, Route]] = {
            f"{model}/infer": ("POST", self._infer),
            f"{pinned}/infer": ("POST", self._infer),
            INVOCATIONS: ("POST", self._invocations),
            f"/endpoints/{{model}}{INVOCATIONS}": ("POST", self._invocations),
            "/v1/models/{model}/predict": ("POST", self._predict),
            model: ("GET", self._metadata),
            pinned: ("GET", self._metadata),
            f"{model}/ready": ("GET", self._model_ready),
            f"{pinned}/ready": ("GET", self._model_ready),
            "/v2": ("GET", self._server),
            "/v2/health/live": ("GET", self._live),
            "/v2/health/ready": ("GET", self._ready),
            "/ping": ("GET", self._ping),
            "/health": ("GET", self._ping),
            "/version": ("GET", self._version),
            METRICS: ("GET", self._told_metrics),
            OWN_METRICS: ("GET", self._told_own_metrics),
            "/openapi.json": ("GET", self._openapi),
            "/freehold/routing": ("GET", self._told_routing),
            FLUSH: ("POST", self._flush),
            OWN_FLUSH: ("POST", self._flush_own),
        }
        """By the path as the OpenAPI document has it: the method, and what answers."""

    def waits(self, asking: Asking) -> bool:
        """Scoring does; a question about the endpoint itself is answered whatever waits."""
        return asking.method == "POST" and asking.path not in (FLUSH, OWN_FLUSH)

    @property
    def leisure(self) -> Shadows:
        """What is done when nobody waits."""
        return self._inference.shadows

    def answer(self, asking: Asking) -> Answer | Awaitable[Answer]:
        try:
            answer = self._answer(asking)
        except Exception as exc:  # noqa: BLE001 (the boundary: a bug of ours answers too)
            return self.refusal(as_error(exc), asking.path)
        if isinstance(answer, Answer):
            self._metrics.answered(answer.status)
            return answer
        return self._later(answer, asking.path)

    async def _later(self, answer: Awaitable[Answer], path: str) -> Answer:
        try:
            found = await answer
        except Exception as exc:  # noqa: BLE001 (as above)
            return self.refusal(as_error(exc), path)
        self._metrics.answered(found.status)
        return found

    def _answer(self, asking: Asking) -> Answer | Awaitable[Answer]:
        template, model, named = _template(asking.path)
        found = self.routes.get(template)
        if found is None:
            raise _nothing(asking.path)
        method, route = found
        if model is None:
            asked = Asked(asking, self._watcher.table)
        else:
            asked = Asked(asking, *self._watcher.answering(model, named))
        if asking.method != method:
            what = f"{asking.method} is not possible here"
            raise RequestInvalid(what, code="request.method", hint=method)
        if asked.loaded.waits and self.waits(asking):
            return self._elsewhere(route, asked)
        return route(asked)

    @staticmethod
    async def _elsewhere(route: Route, asked: Asked) -> Answer:
        """In a thread, since a model is waited for."""
        found = await asyncio.to_thread(route, asked)
        return found if isinstance(found, Answer) else await found

    def _infer(self, asked: Asked) -> Answer:
        content = content_of(asked.asking, self._limits, (JSON, OCTETS))
        started, at = perf_counter(), self._inference.clock()
        loaded, pinned = asked.loaded, asked.pinned
        request = read_request(
            content.body, self._limits, lambda: loaded.order(pinned), content.header_length
        )
        predictions = self._inference.answer(loaded, request, at, pinned, asked.trace)
        body, header_length = inference_response(request, predictions)
        self._metrics.seconds.observe(perf_counter() - started)
        kind = JSON if header_length is None else OCTETS
        return Answer(200, body, kind, header_length=header_length)

    def _invocations(self, asked: Asked) -> Answer | Awaitable[Answer]:
        if self._watcher.withdrawn is not None:
            raise self._watcher.withdrawn
        content = content_of(asked.asking, self._limits, (JSON, CSV, PARQUET))
        started, at = perf_counter(), self._inference.clock()
        loaded = asked.loaded
        if content.kind == PARQUET:
            return self._invoked_by_parquet(asked, content.body, started, at)
        if content.kind == CSV:
            request = read_csv(content.body, self._limits, loaded.kinds)
        else:
            request = read_invocation(
                content.body, self._limits, loaded.kinds, lambda: loaded.order(None)
            )
        return self._invoked(asked, request, started, at)

    async def _invoked_by_parquet(
        self, asked: Asked, body: bytes, started: float, at: int
    ) -> Answer:
        loaded = asked.loaded
        columns = await self.parquet.columns(body, (*loaded.kinds, ID))
        request = request_of(columns, self._limits, loaded.kinds)
        if loaded.waits:
            return await asyncio.to_thread(self._invoked, asked, request, started, at)
        return self._invoked(asked, request, started, at)

    def _invoked(self, asked: Asked, request: InferenceRequest, started: float, at: int) -> Answer:
        answer = self._inference.answer(asked.loaded, request, at, None, asked.trace)
        body = predictions_body(answer)
        self._metrics.seconds.observe(perf_counter() - started)
        return Answer(200, body)

    def _predict(self, asked: Asked) -> Answer:
        content = content_of(asked.asking, self._limits, (JSON,))
        started, at = perf_counter(), self._inference.clock()
        request, is_one = read_rows(content.body, self._limits, asked.loaded.kinds)
        body = rows_body(
            self._inference.answer(asked.loaded, request, at, None, asked.trace), is_one
        )
        self._metrics.seconds.observe(perf_counter() - started)
        return Answer(200, body)

    def _metadata(self, asked: Asked) -> Answer:
        loaded = asked.loaded
        return _json(model_metadata(loaded.table.model, *loaded.described(asked.pinned)))

    def _model_ready(self, asked: Asked) -> Answer:
        return _json({"name": asked.loaded.table.model, "ready": True})

    def _server(self, _: Asked) -> Answer:
        return _json({"name": "freehold", "version": _VERSION, "extensions": EXTENSIONS})

    def _live(self, _: Asked) -> Answer:
        return _json({"live": True})

    def _ready(self, _: Asked) -> Answer:
        log = self._log.state
        state = {
            "ready": self.is_ready,
            "log": {"alive": log.alive, "failure": log.failure},
            "routing": self._routing(),
        }
        # The protocol wants a 4xx where it is not ready.
        return _json(state, 200 if state["ready"] else 400)

    def _ping(self, _: Asked) -> Answer:
        return Answer(200 if self.is_ready else 503, b"\n", "text/plain")

    def _version(self, _: Asked) -> Answer:
        return Answer(200, _VERSION.encode(), "text/plain")

    def _told_metrics(self, asked: Asked) -> Answer | Awaitable[Answer]:
        return self._told_own_metrics(asked) if self._kin is None else self._all_metrics(self._kin)

    async def _all_metrics(self, kin: Kin) -> Answer:
        told = await kin.ask("GET", OWN_METRICS)
        texts = {place: None if one is None else one.body for place, one in told.items()}
        texts[kin.place] = self._metrics.text()
        return Answer(200, merged(dict(sorted(texts.items()))), CONTENT_TYPE_LATEST)

    def _told_own_metrics(self, _: Asked) -> Answer:
        return Answer(200, self._metrics.text(), CONTENT_TYPE_LATEST)

    def _openapi(self, asked: Asked) -> Answer:
        return _json(openapi(asked.loaded.table.model, asked.loaded.kinds, _VERSION))

    def _told_routing(self, _: Asked) -> Answer:
        return _json(self._routing())

    def _flush(self, asked: Asked) -> Awaitable[Answer]:
        _require_loopback(asked)
        return self._flushed() if self._kin is None else self._all_flushed(self._kin)

    def _flush_own(self, asked: Asked) -> Awaitable[Answer]:
        _require_loopback(asked)
        return self._flushed()

    async def _all_flushed(self, kin: Kin) -> Answer:
        """Sums. What one of them could not write is told as its own answer."""
        own, told = await asyncio.gather(self._flushed(), kin.ask("POST", OWN_FLUSH))
        sums = orjson.loads(own.body)
        for one in told.values():
            if one is not None and one.status != 200:
                return Answer(one.status, one.body)
            for name, count in ({} if one is None else orjson.loads(one.body)).items():
                sums[name] += count
        return _json(sums)

    async def _flushed(self) -> Answer:
        shadows = self._inference.shadows
        while shadows.waits or shadows.next():
            if shadows.waits:
                await asyncio.to_thread(shadows.next)
        state = await asyncio.to_thread(self._log.flush)
        return _json({"rows": state.written, "dropped": state.dropped, "parts": state.parts})

    @property
    def is_ready(self) -> bool:
        # A full disk is told by the route and costs no traffic: it gets room again, and then the
        # rows that wait are written. A log that has ended never is again.
        return self._log.state.alive and not self.draining and self._watcher.withdrawn is None

    def _routing(self) -> dict[str, Any]:
        return routing_state(self._watcher.table.table, self._watcher.refused, self._identity)

    def refusal(self, error: FreeholdError, path: str) -> Answer:
        """`path`: empty if it is not known."""
        answer = answer_of(error)
        if path.endswith(INVOCATIONS):
            answer = answer_of(error, error_of(error, answer.status))
        self._metrics.refused_request(error.code, answer.status)
        return answer


@lru_cache(maxsize=64)
def _template(path: str) -> tuple[str, str | None, str | None]:
    """The path as the routes have it, and the model and version that it names."""
    parts = path.split("/")
    model = named = None
    if len(parts) == 4 and parts[1] == "endpoints":
        model, parts[2] = parts[2], "{model}"
    elif len(parts) > 3 and parts[2] == "models":
        model, parts[3] = parts[3], "{model}"
        if len(parts) > 5 and parts[4] == "versions":
            named, parts[5] = parts[5], "{version}"
    elif parts == ["", "v2", ""]:
        parts.pop()
    return "/".join(parts), model, named


def _json(value: Any, status: int = 200) -> Answer:
    return Answer(status, orjson.dumps(value))


def _require_loopback(asked: Asked) -> None:
    """Raises RequestInvalid `request.not-loopback`."""
    if not ipaddress.ip_address(asked.asking.peer).is_loopback:
        raise invalid("request.not-loopback", "the log is flushed from this machine only")


def _nothing(path: str) -> RequestInvalid:
    return invalid("request.not-found", f"there is nothing at {path!r:.80}")
