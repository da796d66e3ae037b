"""Meters what was consumed at this site since it was metered last: once, whatever is killed.

The rows are an artifact before any fact names them. The facts are decided beside the state that the
rows were made from: if that has moved, or a collection let go of what nothing named yet, the rows
are made anew. Files of counters go once a fact says that they are in; one that a crash left is
known by that fact.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import polars as pl

from freehold.app.costs import replicas
from freehold.app.costs.accelerators import metrics_here
from freehold.app.costs.consumption import Metering, Waiting
from freehold.app.costs.rows import usage_draft
from freehold.app.costs.tariff import Tariff, tariff_of
from freehold.app.site import moved, stored
from freehold.app.site.opening import Site
from freehold.app.site.stored import OBJECTS, STORE, Sample
from freehold.catalog.metering import last_metering, unmetered
from freehold.costs.usage import frame_of_usage
from freehold.domain.errors import FreeholdError
from freehold.domain.fact import Draft
from freehold.domain.projection import State

TRIES = 20
"""Times that rows are made anew because the history has grown meanwhile."""
WORTH_BYTES = 1_000_000
"""Moved bytes that are metered at once; fewer wait for something else, or for an hour."""
WORTH_FILES = 50
HOUR = stored.HOUR
SPENT = ("day", "site", "kind", "model", "version", "pipeline", "run", "currency")


@dataclass(frozen=True)
class Metered:
    rows: int
    unpriced: int
    """Rows of which nobody knows the price."""
    money: Mapping[str, float]
    """By currency."""
    warnings: tuple[str, ...] = ()
    """What is not known that was asked for."""


def meter(site: Site, tariff: Tariff | None = None) -> Metered | None:
    """None where nothing was consumed that is worth a row yet, and where other processes append so
    fast that the next call has to do it. Raises StorageFailed."""
    used: _Used | None = None
    for _ in range(TRIES):
        waiting = _look(site)
        _tidy(site, waiting)
        if not _is_worth(waiting, site.clock()):
            return None
        tariff, used = tariff or tariff_of(site.project), used or _Used()
        frame = frame_of_usage(Metering(site, tariff, waiting, used).usages())
        spent = _spent(frame)
        drafts = [_metered(site, waiting, frame.height, spent)]
        if frame.height:
            drafts.insert(0, usage_draft(site, frame, "mixed"))

        def decision(
            state: State, drafts: list[Draft] = drafts, waiting: Waiting = waiting
        ) -> list[Draft]:
            named = [one.body["artifact"] for one in drafts if one.type == "usage.recorded"]
            is_there = all(site.artifacts.holds(artifact) for artifact in named)
            return drafts if is_there and _is_as_seen(site, state, waiting) else []

        if site.ledger.decide(decision):
            _tidy(site, _look(site))
            return _told(spent, used.warnings)
    return None


class _Used:
    """Accelerators' use of this machine. A server that does not tell it stops no metering: what it
    would have told is unknown, and that is said."""

    def __init__(self) -> None:
        self.warnings: tuple[str, ...] = ()
        self._known: dict[tuple[int, int], float | None] = {}

    def __call__(self, start: int, end: int) -> float | None:
        if (start, end) not in self._known:
            self._known[start, end] = self._asked(start, end)
        return self._known[start, end]

    def _asked(self, start: int, end: int) -> float | None:
        if self.warnings:
            return None
        try:
            metrics = metrics_here()
            return None if metrics is None else metrics.between(start / 1e6, end / 1e6)
        except FreeholdError as error:
            self.warnings = (f"accelerators' use is not known: [{error.code}] {error.what}",)
            return None


def metered(site: Site) -> list[str]:
    """Meters beside something that must not fail because this does: what went wrong, for people."""
    try:
        done = meter(site)
    except FreeholdError as error:
        return [f"what was used is metered later: [{error.code}] {error.what}"]
    return [] if done is None else list(done.warnings)


@contextmanager
def metering(site: Site) -> Iterator[list[str]]:
    """Meters at the end, however that comes; gives what went wrong with that, for people."""
    warnings: list[str] = []
    try:
        yield warnings
    finally:
        warnings += metered(site)


def _look(site: Site) -> Waiting:
    writer = site.ledger.writer
    last = last_metering(site.state, writer) or {}
    return Waiting(
        facts=unmetered(site.state, writer),
        counters=tuple(moved.counters(site.folder)),
        replicas=tuple(replicas.replicas(site.serving)),
        samples=_samples(site, last.get("storage", {})),
        last=last,
    )


def _samples(site: Site, last: Mapping[str, Any]) -> dict[str, Sample]:
    found = {}
    if stored.due(last.get(OBJECTS), site.clock()):
        found[OBJECTS] = stored.own_objects(site)
    store = stored.published(site)
    if store is not None and (STORE not in last or store.at > last[STORE]["at"]):
        found[STORE] = store
    return found


def _is_worth(waiting: Waiting, now: int) -> bool:
    """Not every beat of an idle agent: what is recorded is published, which moves bytes."""
    stands = any(one.bytes for one in waiting.samples.values())
    if waiting.facts or stands or (waiting.samples and _stood(waiting)):
        return True
    moves = [waiting.moved(one).total for one in waiting.counters]
    if sum(moves) >= WORTH_BYTES or len(moves) >= WORTH_FILES:
        return True
    served = [(one, sum(waiting.served(one).values())) for one in waiting.replicas]
    if any(seconds and one.ended for one, seconds in served):
        return True
    starts = [one.start for one in waiting.counters] + [one.start for one in waiting.replicas]
    is_late = now - int(waiting.last.get("until", min(starts, default=now))) >= HOUR
    return is_late and (any(moves) or any(seconds for _, seconds in served))


def _stood(waiting: Waiting) -> bool:
    """Whether anything was stored at the last look."""
    return any(one["bytes"] for one in waiting.last.get("storage", {}).values())


def _is_as_seen(site: Site, state: State, waiting: Waiting) -> bool:
    writer = site.ledger.writer
    last = last_metering(state, writer) or {}
    now = [one.fact for one in unmetered(state, writer)]
    return last.get("fact") == waiting.last.get("fact") and now == [
        one.fact for one in waiting.facts
    ]


def _metered(site: Site, waiting: Waiting, rows: int, spent: list[dict[str, Any]]) -> Draft:
    samples = {name: one.as_json() for name, one in waiting.samples.items()}
    body = {
        "until": site.clock(),
        "rows": rows,
        "spent": spent,
        "tags": dict(site.project.spec.tags),
        "storage": {**waiting.last.get("storage", {}), **samples},
        "replicas": {one.name: one.as_json() for one in waiting.replicas},
        "moved": {
            one.name: {"until": one.until, "moves": one.moves.as_json()} for one in waiting.counters
        },
    }
    return Draft("usage.metered", body, actor=site.actor)


def _spent(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Rows that agree in all but their amounts, summed."""
    named = frame.select(
        pl.col("ChargePeriodStart").dt.strftime("%Y-%m-%d").alias("day"),
        pl.col("x_Site").alias("site"),
        pl.col("x_Kind").alias("kind"),
        pl.col("x_Model").fill_null("").alias("model"),
        pl.col("x_Version").fill_null("").alias("version"),
        pl.col("Tags").str.json_path_match("$.pipeline").fill_null("").alias("pipeline"),
        pl.col("x_Run").fill_null("").alias("run"),
        pl.col("BillingCurrency").alias("currency"),
        "EffectiveCost",
        "x_CarbonKilograms",
        "x_Unpriced",
    )
    carbon = pl.col("x_CarbonKilograms")
    summed = named.group_by(SPENT).agg(
        pl.col("EffectiveCost").sum().alias("money"),
        pl.when(carbon.count() > 0).then(carbon.sum()).alias("carbon"),
        pl.len().alias("rows"),
        pl.col("x_Unpriced").sum().alias("unpriced"),
    )
    return summed.sort(SPENT).to_dicts()


def _told(spent: Iterable[Mapping[str, Any]], warnings: tuple[str, ...]) -> Metered:
    rows = unpriced = 0
    money: dict[str, float] = {}
    for one in spent:
        rows, unpriced = rows + one["rows"], unpriced + one["unpriced"]
        money[one["currency"]] = money.get(one["currency"], 0.0) + one["money"]
    return Metered(rows, unpriced, money, warnings)


def _tidy(site: Site, waiting: Waiting) -> None:
    """Away with files that are metered and that nothing is added to."""
    long_ago = site.clock() - replicas.SILENT
    for counter in waiting.counters:
        known = waiting.last.get("moved", {}).get(counter.name)
        is_over = counter.ended or counter.until < long_ago
        if known is not None and is_over and not waiting.moved(counter).total:
            moved.forget(site.folder, counter.name)
    for replica in waiting.replicas:
        known = waiting.last.get("replicas", {}).get(replica.name)
        is_over = replica.ended or replica.beat < long_ago
        if known is not None and is_over and known["beat"] == replica.beat:
            replicas.forget(site.serving, replica.name)
