"""What was consumed since the last metering, as rows of usage."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from freehold.app.costs.replicas import ReplicaTime
from freehold.app.costs.tariff import HOURS_OF_A_MONTH, Tariff
from freehold.app.site.moved import Counter, Moves
from freehold.app.site.opening import Site
from freehold.app.site.stored import Sample
from freehold.catalog.metering import Consumed
from freehold.catalog.versions import versions_of
from freehold.costs.usage import Usage
from freehold.domain.offer import Figure

OUTCOMES = {"step.failed": "failed", "step.finished": "", "step.interrupted": "interrupted"}
"""Type of fact → tag of an attempt that came to nothing."""
UNSPECIFIED = "unspecified"
"""Machine type where nobody said which it was."""
GIGABYTE = 1e9
Used = Callable[[int, int], float | None]
"""From one moment to another, microseconds since 1970 UTC → mean share; None where unknown."""
_HOUR = 3.6e9
"""Microseconds."""
_PART = 2_000_000
"""Microseconds before a part of the request log was answered in which its requests came."""


def _unknown(*_: int) -> float | None:
    return None


@dataclass(frozen=True)
class Waiting:
    """What is not metered yet."""

    facts: tuple[Consumed, ...] = ()
    counters: tuple[Counter, ...] = ()
    replicas: tuple[ReplicaTime, ...] = ()
    samples: Mapping[str, Sample] = field(default_factory=dict)
    """That were taken after those of `last`."""
    last: Mapping[str, Any] = field(default_factory=dict)
    """The body of the last `usage.metered`; empty before the first."""

    def moved(self, counter: Counter) -> Moves:
        """What a counter says on top of what is metered of it."""
        before = self.last.get("moved", {}).get(counter.name)
        return counter.moves.less(Moves.from_json(before["moves"])) if before else counter.moves

    def served(self, replica: ReplicaTime) -> dict[str, float]:
        """Seconds by version on top of what is metered of a replica."""
        before = self.last.get("replicas", {}).get(replica.name, {"seconds": {}})["seconds"]
        found = {one: seconds - before.get(one, 0.0) for one, seconds in replica.seconds.items()}
        return {one: seconds for one, seconds in found.items() if seconds > 0}


class Metering:
    """Rows of one metering. Prices come from the tariff; what has none is a row that says so."""

    def __init__(self, site: Site, tariff: Tariff, waiting: Waiting, used: Used = _unknown) -> None:
        """`used`: of this machine's accelerators."""
        self._site, self._tariff, self._waiting, self._used = site, tariff, waiting, used
        spec = site.project.spec
        self._tags = {**spec.tags, "project": spec.project}
        # Of several models of one pipeline the first, as budgets have it.
        self._models = {one.pipeline: name for name, one in reversed([*spec.models.items()])}

    def usages(self) -> Iterator[Usage]:
        """Raises ValueError for what cannot be a row: a fault of ours."""
        for fact in self._waiting.facts:
            if fact.type == "log.recorded":
                yield from self._requests(fact)
            elif fact.type == "bundle.told":
                yield from self._edge_replica(fact)
            else:
                yield self._step(fact)
        for counter in self._waiting.counters:
            yield from self._transfers(counter)
        for replica in self._waiting.replicas:
            yield from self._replica(replica)
        yield from self._storage()

    @cached_property
    def _versions(self) -> dict[str, str]:
        """Run → version that it made."""
        return {one.run: str(one.version) for one in versions_of(self._site.state)}

    def _step(self, fact: Consumed) -> Usage:
        body, run = fact.body, str(fact.body["run"])
        row = self._site.state.get("runs", run) or {}
        pipeline = str(row.get("pipeline", ""))
        at = str(body.get("site") or self._site.name)
        planned, spot = str(body.get("machine") or ""), bool(body.get("spot"))
        machine = planned
        if at == self._site.name:
            machine = self._tariff.stated or planned or self._tariff.machine
        spot = spot and machine == planned
        microseconds = int(body["microseconds"])
        hours = microseconds / _HOUR
        tags = {
            "model": self._models.get(pipeline, ""),
            "pipeline": pipeline,
            "run": run,
            "step": str(body["step"]),
            "version": self._versions.get(run, ""),
            "outcome": OUTCOMES[fact.type],
        }
        return self._row(
            self._tariff.price_of(at, machine, spot),
            kind="step",
            site=at,
            resource_id=f"{run}/{body['step']}",
            resource_name=str(body["step"]),
            resource_type="Pipeline Step",
            sku=machine or UNSPECIFIED,
            quantity=hours,
            unit="Hours",
            start=_moment(fact.wall - microseconds),
            end=_moment(fact.wall),
            tags=tags,
            carbon=_of(self._tariff.carbon_of(at, machine), hours),
            spot=spot,
            **self._accelerators(at, machine, fact.wall - microseconds, fact.wall),
        )

    def _accelerators(self, at: str, machine: str, start: int, end: int) -> dict[str, Any]:
        """Of a time in microseconds. What another site's machine used is not known here."""
        count = self._tariff.accelerators_of(at, machine)
        if not count or at != self._site.name:
            return {"accelerators": count}
        return {"accelerators": count, "accelerator_use": self._used(start, end)}

    def _requests(self, fact: Consumed) -> Iterator[Usage]:
        """Counted; what answering costs is the replicas' time."""
        body = fact.body
        rows = [{"version": "", "rows": body["rows"], "requests": 0, "failed": 0}]
        for variant in body.get("variants", rows):
            counts = {
                "requests": ("1000 Requests", variant["requests"]),
                "predictions": ("1000 Predictions", variant["rows"]),
                "failed-predictions": ("1000 Predictions", variant["failed"]),
            }
            for sku, (unit, count) in counts.items():
                if count:
                    yield self._row(
                        Figure(0.0, unit, "paid with the replicas' time"),
                        kind="requests",
                        site=str(body.get("edge", self._site.name)),
                        resource_id=f"{body['model']}/{body['file']}",
                        resource_name=str(body["model"]),
                        resource_type="Request Log",
                        sku=sku,
                        quantity=count / 1000,
                        unit=unit,
                        start=_moment(body["answered"] - _PART),
                        end=_moment(body["answered"]),
                        tags={"model": body["model"], "version": str(variant["version"])},
                    )

    def _transfers(self, counter: Counter) -> Iterator[Usage]:
        """What a place sends out stands on that place's bill, whoever asked for it."""
        moves, here = self._waiting.moved(counter), self._site.name
        before = self._waiting.last.get("moved", {}).get(counter.name, {"until": counter.start})
        ways = [(here, store, size) for store, size in moves.sent.items()]
        ways += [(store, here, size) for store, size in moves.fetched.items()]
        for origin, destination, size in ways:
            if origin != destination:
                yield self._row(
                    self._tariff.transfer_of(origin, destination),
                    kind="transfer",
                    site=origin,
                    sku=f"{origin} to {destination}",
                    quantity=size / GIGABYTE,
                    unit="GB",
                    start=_moment(before["until"]),
                    end=_moment(max(counter.until, before["until"] + 1)),
                    tags={"destination": destination, "metered": here},
                )

    def _replica(self, replica: ReplicaTime) -> Iterator[Usage]:
        site, machine = self._site.name, self._tariff.machine
        before = self._waiting.last.get("replicas", {}).get(replica.name, {"beat": replica.start})
        resource = replica.name.partition(".")[0]
        for version, seconds in self._waiting.served(replica).items():
            yield self._endpoint(
                (site, machine),
                resource,
                (replica.model, version),
                seconds,
                (before["beat"], replica.beat),
            )

    def _edge_replica(self, fact: Consumed) -> Iterator[Usage]:
        """Of a bundle, as it told of itself when it could."""
        body, site = fact.body, str(fact.body["site"])
        machine, model = self._tariff.sole_machine_of(site), str(body["model"])
        for version, seconds in body["seconds"].items():
            yield self._endpoint(
                (site, machine),
                f"{model}/{body['replica']}",
                (model, version),
                seconds,
                (body["start"], body["beat"]),
            )

    def _endpoint(
        self,
        place: tuple[str, str],
        resource: str,
        served: tuple[str, str],
        seconds: float,
        span: tuple[int, int],
    ) -> Usage:
        """`place`: site and machine type; `served`: model and version; `span`: microseconds."""
        (site, machine), (model, version), (start, beat) = place, served, span
        hours = seconds / 3600
        return self._row(
            self._tariff.price_of(site, machine, False),
            kind="endpoint",
            site=site,
            resource_id=resource,
            resource_name=model,
            resource_type="Endpoint Replica",
            sku=machine or UNSPECIFIED,
            quantity=hours,
            unit="Hours",
            start=_moment(start),
            end=_moment(max(beat, start + 1)),
            tags={"model": model, "version": version},
            carbon=_of(self._tariff.carbon_of(site, machine), hours),
            **self._accelerators(site, machine, start, beat),
        )

    def _storage(self) -> Iterator[Usage]:
        """Between two looks the size is taken to have grown evenly."""
        price = self._tariff.storage_of(self._site.name)
        hourly = price and Figure(
            price.value / HOURS_OF_A_MONTH, price.unit, price.source, price.date
        )
        for name, sample in self._waiting.samples.items():
            before = self._waiting.last.get("storage", {}).get(name)
            if before is None or sample.at <= before["at"]:
                continue
            mean = (before["bytes"] + sample.bytes) / 2 / GIGABYTE
            if mean:
                yield self._row(
                    hourly,
                    kind="storage",
                    site=self._site.name,
                    sku=name,
                    quantity=mean * (sample.at - before["at"]) / _HOUR,
                    unit="GB-Hours",
                    start=_moment(before["at"]),
                    end=_moment(sample.at),
                )

    def _row(
        self,
        price: Figure | None,
        *,
        site: str,
        tags: Mapping[str, str] | None = None,
        **told: Any,
    ) -> Usage:
        provider, region = self._tariff.provider(site)
        return Usage(
            **told,
            site=site,
            provider=provider,
            region=region,
            unit_price=price.value if price else 0.0,
            priced=price is not None,
            currency=self._tariff.currency,
            tags={**self._tags, **(tags or {})},
        )


def _of(figure: Figure | None, hours: float) -> float | None:
    return None if figure is None else figure.value * hours


def _moment(microseconds: int) -> datetime:
    return datetime.fromtimestamp(microseconds // 1_000_000, UTC).replace(
        microsecond=microseconds % 1_000_000
    )
