"""Hours in which machines of one's own stood there for nobody."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import polars as pl

from freehold.app.costs.tariff import tariff_of
from freehold.app.site.opening import Site


def unused(
    site: Site, rows: pl.LazyFrame, since: datetime | None, until: datetime | None
) -> list[dict[str, Any]]:
    """Of each machine type that is `owned` and whose `count` is stated, from `since`, or else from
    the first that was metered at its place, to `until` or now: hours that were there, those that
    steps and endpoints took, and the rest at the derived price.

    Two steps at once on one machine take two hours in an hour: such machines may seem fuller than
    they were, and the rest is never under nothing. `rows` are metered ones of these days.
    """
    now = datetime.fromtimestamp(site.clock() / 1e6, UTC)
    end = min(until, now) if until is not None else now
    taken, first = _taken(rows)
    return sorted(
        _of_sites(site, taken, first, since, end),
        key=lambda one: (-(one["effective"] or 0.0), one["site"], one["machine"]),
    )


def _of_sites(
    site: Site,
    taken: dict[tuple[str, str], float],
    first: dict[str, datetime],
    since: datetime | None,
    end: datetime,
) -> Iterator[dict[str, Any]]:
    spec, tariff = site.project.spec, tariff_of(site.project)
    for name, place in spec.sites.items():
        start = since or first.get(name)
        if start is None or start >= end:
            continue
        for machine, one in place.machines.items():
            if one.owned is None or not one.count:
                continue
            there = (end - start).total_seconds() / 3600 * one.count
            used = taken.get((name, machine), 0.0)
            idle = max(0.0, there - used)
            price = tariff.price_of(name, machine, False)
            yield {
                "site": name,
                "machine": machine,
                "count": one.count,
                "currency": spec.currency,
                "hours_there": there,
                "hours_used": used,
                "hours": idle,
                "effective": None if price is None else idle * price.value,
                "price": None if price is None else price.as_json(),
                "utilisation": one.owned.utilisation,
            }


def _taken(rows: pl.LazyFrame) -> tuple[dict[tuple[str, str], float], dict[str, datetime]]:
    """Hours by site and machine; the first moment of each site."""
    found = (
        rows.filter(pl.col("x_Kind").is_in(["step", "endpoint"]))
        .group_by("x_Site", "SkuId")
        .agg(pl.col("ConsumedQuantity").sum(), pl.col("ChargePeriodStart").min())
        .collect()
    )
    taken: dict[tuple[str, str], float] = {}
    first: dict[str, datetime] = {}
    for at, machine, hours, start in found.iter_rows():
        taken[at, machine] = hours
        first[at] = min(start, first.get(at, start))
    return taken, first
