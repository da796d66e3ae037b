"""One request, asked of as many sites as it takes.

Laws
- No site is asked whose rules bar the request's labels.
- A request is asked of another site when one does not answer, cannot, or has no room; of a second
  beside the first when that is late, as far as hedges go, and in any case once the first one's
  circuit is open. The first answer that is one counts.
- Nothing goes on beyond the request's deadline.
"""

import asyncio
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from freehold.domain.errors import Failed, FreeholdError, Refused, Unreachable
from freehold.domain.project import SiteSpec
from freehold.endpoint.exchange import Exchanges, Told
from freehold.replication.travel import barred
from freehold.serving.admission import DEADLINE
from freehold.serving.upstreams import (
    Hedges,
    Upstream,
    UpstreamSettings,
    in_order,
    let_out_the_wrong,
)

READY = "/v2/health/ready"
_NO_ROOM = 429
_CANNOT = frozenset({502, 503, 504})


@dataclass(frozen=True)
class RelaySettings:
    seconds: float = 10.0
    """That a request may take if it names no deadline."""
    look_seconds: float = 1.0
    """Between two looks at each site's health, each of which may take as long."""
    upstreams: UpstreamSettings = field(default_factory=UpstreamSettings)


@dataclass
class Counted:
    """Since the start, by site."""

    answered: dict[str, int] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)
    hedged: int = 0
    retried: int = 0

    def count(self, kind: dict[str, int], name: str) -> None:
        kind[name] = kind.get(name, 0) + 1


class Relay:
    def __init__(
        self,
        sites: Mapping[str, SiteSpec],
        settings: RelaySettings = RelaySettings(),
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`sites`: those that have an endpoint. `tell` gets what befalls a site, for people.

        Raises Refused `gateway.no-sites`.
        """
        self._sites = {name: site for name, site in sites.items() if site.endpoint}
        if not self._sites:
            raise Refused(
                "no site of this project has an endpoint that could be asked",
                why="freehold.yaml names none under `sites`",
                hint="say where each one answers: `endpoint: https://…`",
                code="gateway.no-sites",
            )
        self._settings, self._tell = settings, tell
        self.upstreams = tuple(
            Upstream(name, site.endpoint, settings.upstreams) for name, site in self._sites.items()
        )
        self._exchanges = {one.name: Exchanges(one.name, one.url) for one in self.upstreams}
        self._hedges = Hedges(settings.upstreams.hedge_share)
        self.counted = Counted()
        self._opening: asyncio.Future[None] | None = None

    def opening(self) -> "asyncio.Future[None]":
        """Done once some site's circuit opens. For the loop that asks."""
        if self._opening is None or self._opening.done():
            self._opening = asyncio.get_running_loop().create_future()
        return self._opening

    def allowed(self, labels: Mapping[str, str]) -> list[Upstream]:
        """Raises Refused `gateway.barred` if none is."""
        rules = {one.name: barred(labels, self._sites[one.name]) for one in self.upstreams}
        found = [one for one in self.upstreams if not rules[one.name]]
        if not found:
            raise Refused(
                "no site may have what this request sends",
                why="; ".join(f"{name}: {rule}" for name, rule in rules.items()),
                hint="say what the sites accept in freehold.yaml, or send less",
                code="gateway.barred",
            )
        return found

    async def ask(
        self,
        method: str,
        target: str,
        headers: Mapping[bytes, bytes],
        body: bytes,
        *,
        labels: Mapping[str, str],
        seconds: float = math.inf,
    ) -> tuple[Told, str]:
        """The answer and the site that gave it. `seconds` until nobody waits any more.

        Raises Refused `gateway.barred`; Failed `gateway.late`; Unreachable `gateway.no-answer`.
        """
        allowed, now = self.allowed(labels), monotonic()
        for one in let_out_the_wrong(self.upstreams, now):
            self._tell(f"{one.name} is let out: it answers wrongly more often than not")
        self._hedges.earn()
        attempt = _Attempt(
            self, method, target, headers, body, now + min(seconds, self._settings.seconds)
        )
        return await attempt.run(iter(in_order(allowed, now)))

    async def send(
        self, one: Upstream, method: str, target: str, headers: Mapping[bytes, bytes], body: bytes
    ) -> Told:
        """To one site, which is thereby known better. Raises Unreachable."""
        began = monotonic()
        was_closed = one.is_closed
        one.under_way += 1
        try:
            told = await self._exchanges[one.name].ask(method, target, headers, body)
        except Unreachable:
            self._failed(one, was_closed)
            raise
        finally:
            one.under_way -= 1
        now = monotonic()
        if told.status == _NO_ROOM:
            one.full(now, _seconds(told.headers.get(b"retry-after")))
        elif told.status in _CANNOT:
            self._failed(one, was_closed)
        else:
            one.answered(now - began, is_right=told.status < 500)
            self.counted.count(self.counted.answered, one.name)
            if not was_closed:
                self._tell(f"{one.name} answers again")
        return told

    def _failed(self, one: Upstream, was_closed: bool) -> None:
        one.failed(monotonic())
        self.counted.count(self.counted.failed, one.name)
        if was_closed and not one.is_closed:
            if self._opening is not None and not self._opening.done():
                self._opening.set_result(None)
            self._tell(f"{one.name} does not answer: others are asked")

    def hedge(self) -> bool:
        if self._hedges.take():
            self.counted.hedged += 1
            return True
        return False

    async def keep_looking(self) -> None:
        """Asks every site how it is, until cancelled."""
        while True:
            await asyncio.gather(*map(self.look, self.upstreams))
            await asyncio.sleep(self._settings.look_seconds)

    async def look(self, one: Upstream) -> None:
        """How near it is, and whether it is well."""
        began, was_closed = monotonic(), one.is_closed
        try:
            async with asyncio.timeout(self._settings.look_seconds):
                told = await self._exchanges[one.name].ask("GET", READY, {}, b"")
        except (Unreachable, TimeoutError):
            self._failed(one, was_closed)
            return
        if told.status == 200:
            one.measured(monotonic() - began)
            if not was_closed and monotonic() >= one.due and not one.is_on_trial:
                one.answered(monotonic() - began, is_right=True)
                self._tell(f"{one.name} answers again")
        else:
            self._failed(one, was_closed)

    def close(self) -> None:
        for exchanges in self._exchanges.values():
            exchanges.close()


@dataclass
class _Attempt:
    relay: Relay
    method: str
    target: str
    headers: Mapping[bytes, bytes]
    body: bytes
    until: float
    _since: "dict[asyncio.Task[Told], float]" = field(default_factory=dict)

    async def run(self, order: Iterator[Upstream]) -> tuple[Told, str]:
        asked: dict[asyncio.Task[Told], Upstream] = {}
        best: tuple[Told, str] | None = None
        failure: FreeholdError | None = None
        try:
            self._ask(next(order), asked)
            while asked:
                late = await self._first(asked)
                if not late:
                    for task in [one for one in asked if one.done()]:
                        name = asked.pop(task).name
                        try:
                            told = task.result()
                        except Unreachable as exc:
                            failure = exc
                        else:
                            if told.status < 500 and told.status != _NO_ROOM:
                                return told, name
                            best = told, name
                if monotonic() >= self.until:
                    break
                lost = not late or not any(one.is_closed for one in asked.values())
                if lost or self.relay.hedge():
                    one = next(order, None)
                    if one is not None:
                        self.relay.counted.retried += lost
                        self._ask(one, asked)
        finally:
            now = monotonic()
            for task, one in asked.items():
                if not task.done():
                    task.cancel()
                    one.given_up(now - self._since[task], now)
        if asked or (best is None and failure is None):
            raise Failed(
                "no site answered in time",
                why=f"asked: {', '.join(one.name for one in asked.values())}",
                hint=f"say more with {DEADLINE}, or see which site is slow: /freehold/gateway",
                code="gateway.late",
            )
        if best is not None:
            return best
        assert failure is not None
        raise failure

    def _ask(self, one: Upstream, asked: dict[asyncio.Task[Told], Upstream]) -> None:
        left = max(0, int((self.until - monotonic()) * 1000))
        headers = {**self.headers, DEADLINE.encode(): b"%d" % left}
        sending = self.relay.send(one, self.method, self.target, headers, self.body)
        task = asyncio.ensure_future(sending)
        asked[task], self._since[task] = one, monotonic()

    async def _first(self, asked: Mapping["asyncio.Task[Told]", Upstream]) -> bool:
        """Waits for an answer; whether it is late instead, a circuit opened, or the deadline has
        come."""
        left = self.until - monotonic()
        patience = next(iter(asked.values())).patience if len(asked) == 1 else math.inf
        awaited: list[asyncio.Future[Any]] = [*asked, self.relay.opening()]
        await asyncio.wait(
            awaited,
            timeout=max(0.0, min(left, patience)),
            return_when=asyncio.FIRST_COMPLETED,
        )
        return not any(task.done() for task in asked)


def _seconds(value: bytes | None) -> float:
    return float(value) if value is not None and value.isdigit() and len(value) < 6 else 1.0


def labels_of(value: bytes | None) -> dict[str, str]:
    """Of the header `freehold-labels`: `residency=EU, pii`. Raises Refused `gateway.labels`."""
    labels: dict[str, str] = {}
    for part in (value or b"").decode("latin-1").split(","):
        name, _, told = part.strip().partition("=")
        if name:
            labels[name] = told
        elif told:
            raise Refused(
                "freehold-labels cannot be read",
                why=f"{part!r:.60} has no name",
                hint="write NAME=VALUE, NAME=VALUE",
                code="gateway.labels",
            )
    return labels
