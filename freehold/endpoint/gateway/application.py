"""The gateway's HTTP face: what endpoints answer, it answers by asking one of them."""

import asyncio
import math
from collections.abc import Awaitable, Iterator
from time import monotonic
from typing import Any
from urllib.parse import quote

import orjson
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from freehold.domain.errors import FreeholdError
from freehold.endpoint.gateway.relay import Relay, labels_of
from freehold.endpoint.message import JSON, Answer, Asking
from freehold.endpoint.refusal import answer_of, as_error
from freehold.serving.admission import CALLER, DEADLINE, seconds_left, sent_away

STATE = "/freehold/gateway"
_CALLER = CALLER.encode()
_PASSED = (
    b"content-encoding",
    b"content-type",
    _CALLER,
    b"freehold-priority",
    b"inference-header-content-length",
    b"traceparent",
)


class Gateway:
    def __init__(self, relay: Relay, under_way: int = 1024) -> None:
        """`under_way`: requests at a time; who comes beyond is sent away."""
        self._relay, self._most = relay, under_way
        self._under_way = 0
        self.draining = False
        self._registry = CollectorRegistry()
        self._registry.register(_Told(relay))

    def waits(self, asking: Asking) -> bool:
        return asking.method == "POST"

    def answer(self, asking: Asking) -> Answer | Awaitable[Answer]:
        match asking.path:
            case "/v2/health/live":
                return _json({"live": True})
            case "/v2/health/ready":
                ready = not self.draining and any(one.is_closed for one in self._relay.upstreams)
                return _json({"ready": ready}, 200 if ready else 400)
            case "/metrics":
                return Answer(200, generate_latest(self._registry), CONTENT_TYPE_LATEST)
            case path if path == STATE:
                return _json(self._state())
        if path.startswith("/freehold/"):
            return _json({"error": "there is nothing here", "code": "request.not-found"}, 404)
        if self._under_way >= self._most:
            return self.refusal(sent_away(self._under_way), path)
        # Counted before it begins: many may come in one round of the loop.
        self._under_way += 1
        relayed = asyncio.ensure_future(self._relayed(asking))
        relayed.add_done_callback(self._ended)
        return relayed

    def _ended(self, _: "asyncio.Future[Answer]") -> None:
        self._under_way -= 1

    async def _relayed(self, asking: Asking) -> Answer:
        headers = {name: asking.headers[name] for name in _PASSED if name in asking.headers}
        # Who says no name is known by an address, which for the site would be the gateway's.
        if asking.peer:
            headers.setdefault(_CALLER, asking.peer.encode())
        try:
            told, site = await self._relay.ask(
                asking.method,
                quote(asking.path),
                headers,
                asking.body,
                labels=labels_of(asking.headers.get(b"freehold-labels")),
                seconds=seconds_left(asking.headers.get(DEADLINE.encode())),
            )
        except Exception as exc:  # noqa: BLE001 (the boundary: a bug of ours answers too)
            return self.refusal(as_error(exc), asking.path)
        length = told.headers.get(b"inference-header-content-length")
        return Answer(
            told.status,
            told.body,
            told.headers.get(b"content-type", JSON.encode()).decode("latin-1"),
            allow=told.headers.get(b"allow", b"").decode("latin-1"),
            header_length=None if length is None else int(length),
            retry_after=told.headers.get(b"retry-after", b"").decode("latin-1"),
            site=site,
        )

    def refusal(self, error: FreeholdError, _path: str) -> Answer:
        return answer_of(error)

    def _state(self) -> dict[str, Any]:
        now, counted = monotonic(), self._relay.counted
        return {
            "sites": [
                {
                    "site": one.name,
                    "url": one.url,
                    "asked": one.is_closed,
                    "tried_in_s": max(0.0, one.due - now) if one.due else None,
                    "nearness_ms": None if math.isinf(one.nearness) else one.nearness * 1000,
                    "late_after_ms": None if math.isinf(one.patience) else one.patience * 1000,
                    "under_way": one.under_way,
                    "has_room": one.has_room(now),
                    "answered": counted.answered.get(one.name, 0),
                    "failed": counted.failed.get(one.name, 0),
                }
                for one in self._relay.upstreams
            ],
            "hedged": counted.hedged,
            "retried": counted.retried,
        }


class _Told(Collector):
    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    def collect(self) -> Iterator[Metric]:
        counted, upstreams = self._relay.counted, self._relay.upstreams
        for name, text, by_site in (
            ("answered", "Answers by a site.", counted.answered),
            ("failed", "Times that a site did not answer or could not.", counted.failed),
        ):
            family = CounterMetricFamily(f"freehold_gateway_{name}", text, labels=["site"])
            for one in upstreams:
                family.add_metric([one.name], by_site.get(one.name, 0))
            yield family
        asked = GaugeMetricFamily(
            "freehold_gateway_asked", "Whether a site is asked.", labels=["site"]
        )
        near = GaugeMetricFamily(
            "freehold_gateway_nearness_seconds", "Time of a look at its health.", labels=["site"]
        )
        for one in upstreams:
            asked.add_metric([one.name], float(one.is_closed))
            near.add_metric([one.name], one.nearness)
        yield asked
        yield near
        yield CounterMetricFamily(
            "freehold_gateway_hedged", "Requests asked of a second site.", value=counted.hedged
        )
        yield CounterMetricFamily(
            "freehold_gateway_retried", "Requests asked again.", value=counted.retried
        )


def _json(value: Any, status: int = 200) -> Answer:
    return Answer(status, orjson.dumps(value))
