"""What bills say that the project spent, beside what was metered of it.

A bill is of an account, which others may share: what bears the project's own tag `project` is its.
Of a day at a provider both may tell: the larger counts, so that a bill whose resources bear no tag
takes nothing away, and what nobody metered, as a database, counts too.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

import polars as pl

from freehold.app.costs.rows import bill_rows
from freehold.app.costs.tariff import OWN
from freehold.app.site.opening import Site
from freehold.catalog.metering import Spent
from freehold.costs.tags import plain_tags
from freehold.costs.usage import PROVIDERS
from freehold.domain.project import Project


@dataclass(frozen=True)
class Charged:
    """Money of a day at a provider, with the tags by which a budget knows it."""

    day: date
    provider: str
    """As ProviderName has it."""
    currency: str
    money: float
    rows: int
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Bills:
    charges: tuple[Charged, ...] = ()
    absent: int = 0
    """Bills that lie at other sites, and are not counted."""


def billed_since(site: Site, since: date) -> Bills:
    """Raises IntegrityError if a bill that was brought here is gone or damaged."""
    begin = datetime.combine(since, time(), UTC)
    found = bill_rows(site, int(begin.timestamp() * 1e6))
    rows = found.frame.filter(
        pl.col("x_Project") == site.project.spec.project, pl.col("ChargePeriodStart") >= begin
    )
    about = ("ProviderName", "BillingCurrency", "Tags", "x_Site")
    summed = (
        rows.group_by(pl.col("ChargePeriodStart").dt.date().alias("day"), *about)
        .agg(pl.col("EffectiveCost").sum().alias("money"), pl.len().alias("rows"))
        .sort("day", *about, nulls_last=True)
        .collect(engine="streaming")
    )
    charges = tuple(
        Charged(
            row["day"],
            row["ProviderName"],
            row["BillingCurrency"],
            row["money"],
            row["rows"],
            {**plain_tags(row["Tags"]), **({"site": row["x_Site"]} if row["x_Site"] else {})},
        )
        for row in summed.iter_rows(named=True)
    )
    return Bills(charges, len(found.absent))


def metered_charge(spec: Project, one: Spent) -> Charged:
    """Of this project: its own name is no tag that anybody set."""
    place = spec.sites.get(one.site)
    provider = (place.provider if place else "") or OWN
    tags = {"project": spec.project, **one.all_tags}
    day = date.fromisoformat(one.day)
    return Charged(day, PROVIDERS.get(provider, provider), one.currency, one.money, one.rows, tags)


def money_by_day(
    metered: Iterable[Charged], billed: Iterable[Charged], currency: str
) -> dict[date, float]:
    """Of what is in that currency, the larger of both for each day and provider."""
    sums: tuple[dict[tuple[date, str], float], dict[tuple[date, str], float]] = ({}, {})
    for found, charges in zip(sums, (metered, billed), strict=True):
        for one in charges:
            if one.currency == currency:
                key = one.day, one.provider
                found[key] = found.get(key, 0.0) + one.money
    days: dict[date, float] = {}
    by_meter, by_bill = sums
    for key in sorted({*by_meter, *by_bill}):
        day, _ = key
        money = max(by_meter.get(key, 0.0), by_bill.get(key, 0.0))
        days[day] = days.get(day, 0.0) + money
    return days
