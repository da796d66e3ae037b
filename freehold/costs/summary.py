"""Sums over rows of FOCUS, whoever wrote them. Lazy: what is read is what is summed.

Law: money of two currencies is never added. Each sum is of one currency; where one is wanted for
all, every other is converted by a rate that the project states, with the day from which it holds.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches

import polars as pl

from freehold.costs.focus import TIME
from freehold.costs.rates import Rate
from freehold.domain.errors import Fault, Refused, WrongUsage

KEYS = {
    "account": "BillingAccountId",
    "category": "ServiceCategory",
    "environment": "x_Environment",
    "kind": "x_Kind",
    "model": "x_Model",
    "project": "x_Project",
    "provider": "ProviderName",
    "region": "RegionId",
    "run": "x_Run",
    "service": "ServiceName",
    "site": "x_Site",
    "source": "x_Source",
    "step": "x_Step",
    "team": "x_Team",
    "version": "x_Version",
}
"""What sums can be asked by → the column; beside them `day`, `month` and `tag:KEY`."""
TAG = "tag:"
SUMS = ("effective", "billed", "carbon", "rows")


@dataclass(frozen=True)
class Covered:
    """That a bill tells what a provider's machines cost from one moment to before another."""

    provider: str
    """As ProviderName has it."""
    start: datetime
    end: datetime


def key_of(name: str) -> pl.Expr:
    """Of a row, under the name. Raises WrongUsage `usage.by` for what is no key."""
    if name in KEYS:
        return pl.col(KEYS[name]).alias(name)
    if name == "day":
        return pl.col("ChargePeriodStart").dt.date().alias(name)
    if name == "month":
        return pl.col("ChargePeriodStart").dt.strftime("%Y-%m").alias(name)
    if name.startswith(TAG) and len(name) > len(TAG):
        key = name.removeprefix(TAG).replace("\\", "\\\\").replace("'", "\\'")
        return pl.col("Tags").str.json_path_match(f"$['{key}']").alias(name)
    near = get_close_matches(name, [*KEYS, "day", "month"], n=3)
    raise WrongUsage(
        f"costs cannot be summed by '{name}'",
        why=f"near it there are {', '.join(near)}" if near else "there is no such key",
        hint=f"by {', '.join(sorted((*KEYS, 'day', 'month')))}, or tag:KEY",
        code="usage.by",
    )


def totals(rows: pl.LazyFrame, by: Sequence[str] = ()) -> pl.LazyFrame:
    """Columns `by`, `currency`, and SUMS: money by EffectiveCost and by BilledCost, kgCO2e (null
    where no row knows it), and the number of rows. In no order.

    Raises WrongUsage `usage.by`.
    """
    carbon = pl.col("x_CarbonKilograms")
    return rows.group_by(
        *(key_of(name) for name in by), pl.col("BillingCurrency").alias("currency")
    ).agg(
        pl.col("EffectiveCost").sum().alias("effective"),
        pl.col("BilledCost").sum().alias("billed"),
        pl.when(carbon.count() > 0).then(carbon.sum()).alias("carbon"),
        pl.len().cast(pl.Int64()).alias("rows"),
    )


def totals_in(
    rows: pl.LazyFrame, by: Sequence[str], into: str, rates: Iterable[Rate]
) -> pl.DataFrame:
    """As `totals`, in one currency: each day's money by the rate of that day.

    Raises Refused `costs.no-rate` with a fault for each currency that has no rate on a day that has
    costs; WrongUsage `usage.by`.
    """
    # Under a name that no key has.
    day = pl.col("ChargePeriodStart").dt.date()
    daily = (
        rows.with_columns(day.alias("on"))
        .group_by(*(key_of(name) for name in by), "on", pl.col("BillingCurrency").alias("currency"))
        .agg(
            pl.col("EffectiveCost").sum().alias("effective"),
            pl.col("BilledCost").sum().alias("billed"),
            pl.col("x_CarbonKilograms").sum().alias("carbon"),
            pl.col("x_CarbonKilograms").count().alias("known"),
            pl.len().cast(pl.Int64()).alias("rows"),
        )
        .collect(engine="streaming")
    )
    rated = _rated(daily, into, rates)
    _require_rates(rated, into)
    carbon = pl.when(pl.col("known").sum() > 0).then(pl.col("carbon").sum())
    return (
        rated.group_by(*by, pl.lit(into).alias("currency"))
        .agg(
            (pl.col("effective") * pl.col("rate")).sum(),
            (pl.col("billed") * pl.col("rate")).sum(),
            carbon.alias("carbon"),
            pl.col("rows").sum(),
        )
        .select(*by, "currency", *SUMS)
    )


def counted_once(rows: pl.LazyFrame, covered: Iterable[Covered]) -> pl.LazyFrame:
    """Without what was metered here, at a table's price, of machines that a bill covers: the bill
    has them too. Metered rows of one's own racks stay, and so do those of times without a bill.
    """
    metered = (pl.col("x_Source") == "metered") & pl.col("x_Estimated")
    start = pl.col("ChargePeriodStart")
    twice = pl.lit(False)
    for one in covered:
        of_it = pl.col("ProviderName") == one.provider
        first, last = pl.lit(one.start, TIME), pl.lit(one.end, TIME)
        twice = twice | (metered & of_it & (start >= first) & (start < last))
    return rows.filter(~twice)


def idle(rows: pl.LazyFrame, top: int = 10) -> pl.DataFrame:
    """Endpoints that were paid for while nothing was asked of them: columns `site`, `model`,
    `version`, `currency`, `hours` (of one replica), `effective`, `carbon`; the dearest first, `top`
    of each currency.

    A charge of an endpoint counts if no requests of its site, model and version overlap it.
    """
    about = ("x_Site", "x_Model", "x_Version")
    start, end = pl.col("ChargePeriodStart"), pl.col("ChargePeriodEnd")
    # No metered row leaves its day.
    day = start.dt.date().alias("on")
    endpoints = rows.filter(pl.col("x_Kind") == "endpoint").with_row_index("place")
    asked = rows.filter(pl.col("x_Kind") == "requests").select(
        *about, day, start.alias("asked"), end.alias("until")
    )
    busy = (
        endpoints.select("place", *about, day, start, end)
        .join(asked, on=[*about, "on"], nulls_equal=True)
        .filter((pl.col("asked") < end) & (pl.col("until") > start))
        .select("place")
        .unique()
    )
    hours = (
        pl.when(pl.col("PricingUnit") == "Hours")
        .then("PricingQuantity")
        .otherwise((end - start).dt.total_seconds() / 3600)
    )
    return (
        endpoints.join(busy, on="place", how="anti")
        .group_by(
            *(pl.col(name).alias(name.removeprefix("x_").lower()) for name in about),
            pl.col("BillingCurrency").alias("currency"),
        )
        .agg(
            hours.sum().alias("hours"),
            pl.col("EffectiveCost").sum().alias("effective"),
            pl.col("x_CarbonKilograms").sum().alias("carbon"),
        )
        .sort(["effective", "site", "model", "version"], descending=[True, False, False, False])
        .group_by("currency", maintain_order=True)
        .head(top)
        .select("site", "model", "version", "currency", "hours", "effective", "carbon")
        .collect(engine="streaming")
    )


def _rated(daily: pl.DataFrame, into: str, rates: Iterable[Rate]) -> pl.DataFrame:
    table = pl.DataFrame(
        [(rate.currency, rate.since, rate.value) for rate in rates if rate.into == into],
        schema={"currency": pl.String(), "since": pl.Date(), "rate": pl.Float64()},
        orient="row",
    )
    found = daily.sort("on").join_asof(
        table.sort("since"),
        left_on="on",
        right_on="since",
        by="currency",
        strategy="backward",
        check_sortedness=False,
    )
    own = pl.col("currency") == into
    return found.with_columns(pl.when(own).then(1.0).otherwise("rate").alias("rate"))


def _require_rates(rated: pl.DataFrame, into: str) -> None:
    missing = (
        rated.filter(pl.col("rate").is_null())
        .group_by("currency")
        .agg(pl.col("on").min(), pl.col("rows").sum())
        .sort("currency")
    )
    faults = [
        Fault(
            "costs.no-rate",
            f"there is no rate from {currency} to {into} for {first} ({count:,} rows)",
            currency,
            f"state one that holds from {first} or earlier",
        )
        for currency, first, count in missing.iter_rows()
    ]
    if faults:
        raise Refused(
            f"not all costs can be told in {into}",
            faults=faults,
            hint="without a rate, ask for each currency's sums by themselves",
            code="costs.no-rate",
        )
