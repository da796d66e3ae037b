"""`freehold costs`: what was spent, by what one asks; what plans said; what answers cost."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from difflib import get_close_matches
from typing import Any

import polars as pl

from freehold.app.costs.estimates import estimates
from freehold.app.costs.offers import price_source
from freehold.app.costs.rows import covered, usage_rows
from freehold.app.costs.unused import unused
from freehold.app.site.opening import Site
from freehold.catalog.metering import spent_by
from freehold.catalog.versions import version_of_run
from freehold.costs.accelerators import accelerator_use
from freehold.costs.charts import bars, sparkline
from freehold.costs.converted import stated_of
from freehold.costs.drawings import Stacks, svg
from freehold.costs.focus import TIME
from freehold.costs.own_prices import CURRENCIES
from freehold.costs.rates import rates_into
from freehold.costs.summary import counted_once, idle, totals, totals_in
from freehold.delivery.releases import aliases_of
from freehold.domain.errors import NotFound, WrongUsage
from freehold.planning.applied import estimate_of

SHAPE = 1
ABOUT = ("x_Model", "x_Version")


@dataclass(frozen=True)
class Asked:
    by: tuple[str, ...] = ("site",)
    """Keys of `freehold.costs.summary`: `site`, `model`, `team`, `day`, `tag:KEY`, …"""
    since: date | None = None
    until: date | None = None
    """The first day after."""
    into: str = ""
    """Currency in which sums are told; empty for each row's own."""

    def has(self, day: date) -> bool:
        return (self.since is None or day >= self.since) and (
            self.until is None or day < self.until
        )

    def holds(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        start = pl.col("ChargePeriodStart")
        if self.since is not None:
            rows = rows.filter(start >= pl.lit(_midnight(self.since), TIME))
        if self.until is not None:
            rows = rows.filter(start < pl.lit(_midnight(self.until), TIME))
        return rows


def asked(by: Sequence[str], since: str = "", until: str = "", into: str = "") -> Asked:
    """From what people type. Raises WrongUsage `usage.day`, `usage.currency`."""
    made = Asked(tuple(by) or ("site",), _day(since), _day(until), _currency(into))
    if made.since is not None and made.until is not None and made.until <= made.since:
        raise WrongUsage(
            f"there is no day from {since} to before {until}",
            why="--until is the first day that does not count",
            hint="give a later one",
            code="usage.day",
        )
    return made


def costs(site: Site, wanted: Asked) -> dict[str, Any]:
    """JSON, shape 1. Bills and metered usage in one view: what is metered at a table's price of
    what a bill covers is left out, since the bill has it. Sums are told in the currency that is
    asked for; runs, predictions and what idles in their own.

    Raises WrongUsage `usage.by`, Refused `costs.no-rate`, IntegrityError where rows of this site
    are damaged.
    """
    sums = _Sums(site, wanted.into)
    since = int(_midnight(wanted.since).timestamp() * 1e6) if wanted.since else 0
    read = usage_rows(site, since)
    metered = wanted.holds(read.frame)
    rows = counted_once(metered, covered(site))
    return {
        "shape": SHAPE,
        "by": list(wanted.by),
        "since": wanted.since and wanted.since.isoformat(),
        "until": wanted.until and wanted.until.isoformat(),
        "in": wanted.into or None,
        "rates": sums.rates_json(),
        "totals": sums.of(rows, wanted.by),
        "sources": sums.of(rows, ("source",)),
        "days": sums.of(rows, ("day", wanted.by[0])) if wanted.by[0] != "day" else [],
        "estimates": estimates(site, metered, wanted.by, wanted.has, sums.of),
        "runs": _runs(site, wanted),
        "experiments": _experiments(site, wanted),
        "predictions": _predictions(metered),
        "champions": _champions(site, metered),
        "idle": idle(metered).to_dicts(),
        "unused": unused(site, metered, _start(wanted.since), _start(wanted.until)),
        "accelerators": accelerator_use(metered).to_dicts(),
        "unpriced": _unpriced(rows),
        "absent": len(read.absent),
    }


def drawing(found: dict[str, Any]) -> str:
    """SVG of the money by day and first key, in the currency that has most rows. Raises NotFound
    `costs.nothing` where there is nothing to draw."""
    rows = found["days"] or [{**row, "all": "all"} for row in found["totals"] if "day" in row]
    if not rows:
        raise NotFound(
            "there is nothing to draw",
            why="nothing was spent in these days",
            hint="`freehold run` is metered when it ends; `freehold bills` brings bills",
            code="costs.nothing",
        )
    key = found["by"][0] if found["days"] else "all"
    counts: dict[str, int] = {}
    for row in rows:
        counts[row["currency"]] = counts.get(row["currency"], 0) + row["rows"]
    currency = max(counts, key=lambda one: (counts[one], one))
    drawn = [row for row in rows if row["currency"] == currency]
    days = sorted({str(row["day"]) for row in drawn})
    groups: dict[str, list[float]] = {}
    for row in drawn:
        amounts = groups.setdefault(str(row[key] or "none"), [0.0] * len(days))
        amounts[days.index(str(row["day"]))] += row["effective"]
    return svg(Stacks(f"Costs by day and {key}", currency, days, groups))


def chart(found: dict[str, Any], width: int) -> list[str]:
    """Lines for a terminal: a bar for each sum, then the days; of the currency that is first."""
    if not found["totals"]:
        return []
    currency = found["totals"][0]["currency"]
    rows = [row for row in found["totals"] if row["currency"] == currency]
    named = [" ".join(str(row[name] or "–") for name in found["by"]) for row in rows]
    amounts = [row["effective"] for row in rows]
    lines = bars(list(zip(named, amounts, strict=True)), width, currency)
    by_day: dict[str, float] = {}
    for row in found["days"]:
        if row["currency"] == currency:
            by_day[row["day"]] = by_day.get(row["day"], 0.0) + row["effective"]
    days = sorted(by_day)
    if len(days) > 1:
        lines.append(f"{days[0]} {sparkline([by_day[day] for day in days], width)} {days[-1]}")
    return lines


class _Sums:
    """In each row's own currency, or all in one."""

    def __init__(self, site: Site, into: str) -> None:
        """Raises ProjectInvalid for a file of prices that is wrong."""
        self._into = into
        self._rates = rates_into(into, stated_of(price_source(site.project))) if into else []

    def of(self, rows: pl.LazyFrame, by: Sequence[str]) -> list[dict[str, Any]]:
        if self._into:
            return _sorted(totals_in(rows, by, self._into, self._rates))
        return _sorted(totals(rows, by).collect(engine="streaming"))

    def rates_json(self) -> list[dict[str, Any]]:
        """Since when each holds; null from the beginning."""
        return [
            {**asdict(one), "since": None if one.since == date.min else one.since.isoformat()}
            for one in self._rates
        ]


def _sorted(found: pl.DataFrame) -> list[dict[str, Any]]:
    keys = [name for name in found.columns if name not in ("effective", "billed", "carbon", "rows")]
    days = [name for name in keys if name in ("day", "month")]
    rows = found.sort([*days, "currency", "effective", *keys], descending=False).to_dicts()
    if not days:
        rows.sort(key=lambda row: (row["currency"], -row["effective"]))
    return [{**row, "day": row["day"].isoformat()} if "day" in row else row for row in rows]


def _runs(site: Site, wanted: Asked) -> list[dict[str, Any]]:
    """The estimate of each run's plan beside what is metered of it; the latest first."""
    found = []
    for run, row in site.state.scan("runs"):
        day = datetime.fromtimestamp(row["started"] / 1e6, UTC).date()
        if not wanted.has(day):
            continue
        spent, estimate = spent_by(site.state, run), estimate_of(site.state, row["cause"])
        if not spent and estimate is None:
            continue
        version = version_of_run(site.state, run)
        known = [one.carbon for one in spent if one.carbon is not None]
        found.append(
            {
                "run": run,
                "pipeline": row["pipeline"],
                "status": row["status"],
                "version": version and version.name,
                "started": day.isoformat(),
                "currency": site.project.spec.currency,
                "estimate": estimate and estimate["money"],
                "money": sum(o.money for o in spent if o.currency == site.project.spec.currency),
                "unpriced": sum(one.unpriced for one in spent),
                "carbon_estimate": estimate and estimate["carbon"],
                "carbon": sum(known) if known else None,
            }
        )
    return sorted(found, key=lambda one: one["run"], reverse=True)


def _experiments(site: Site, wanted: Asked) -> list[dict[str, Any]]:
    """By pipeline, what all its runs came to; of those that had a plan, what it said, and what they
    came to: the two that can be compared."""
    found: dict[str, dict[str, Any]] = {}
    nothing = {"runs": 0, "money": 0.0, "unpriced": 0, "planned_runs": 0}
    for run in _runs(site, wanted):
        new = {"pipeline": run["pipeline"], "currency": run["currency"], **nothing}
        one = found.setdefault(run["pipeline"], {**new, "estimate": 0.0, "money_of_planned": 0.0})
        one["runs"] += 1
        one["money"] += run["money"]
        one["unpriced"] += run["unpriced"]
        if run["estimate"] is not None:
            one["planned_runs"] += 1
            one["estimate"] += run["estimate"]
            one["money_of_planned"] += run["money"]
    return [{**one, "per_run": one["money"] / one["runs"]} for _, one in sorted(found.items())]


def _served(rows: pl.LazyFrame) -> pl.DataFrame:
    """By model and version: predictions, and what their endpoints cost."""
    is_predicted = (pl.col("x_Kind") == "requests") & (pl.col("SkuId") == "predictions")
    answered = (
        rows.filter(is_predicted)
        .group_by(ABOUT)
        .agg((pl.col("ConsumedQuantity").sum() * 1000).round().alias("predictions"))
    )
    paid = (
        rows.filter(pl.col("x_Kind") == "endpoint")
        .group_by(*ABOUT, pl.col("BillingCurrency").alias("currency"))
        .agg(
            pl.col("EffectiveCost").sum().alias("money"),
            pl.col("x_CarbonKilograms").sum().alias("carbon"),
            pl.col("x_Unpriced").sum().alias("unpriced"),
            pl.col("ChargePeriodStart").dt.date().n_unique().alias("days"),
        )
    )
    return (
        paid.join(answered, on=ABOUT, how="left", nulls_equal=True)
        .with_columns(pl.col("predictions").fill_null(0.0))
        .rename({"x_Model": "model", "x_Version": "version"})
        .sort("model", "version", "currency")
        .collect()
    )


def _predictions(rows: pl.LazyFrame) -> list[dict[str, Any]]:
    """Idle hours are in it: what is kept up has to be paid by what it answers. A price that is not
    known gives none."""
    found = []
    for row in _served(rows).to_dicts():
        count, is_known = row["predictions"], not row["unpriced"]
        per = row["money"] / count * 1000 if count and is_known else None
        found.append({**row, "predictions": int(count), "per_thousand": per})
    return found


def _champions(site: Site, rows: pl.LazyFrame) -> list[dict[str, Any]]:
    """What a day of each model's champion costs, on days on which it was up."""
    served = _served(rows).to_dicts()
    found = []
    for model in site.project.spec.models:
        champion = aliases_of(site.state, model).get("champion")
        for row in served:
            if row["model"] == model and row["version"] == str(champion):
                kept = {name: row[name] for name in ("model", "version", "currency", "days")}
                per = None if row["unpriced"] else row["money"] / row["days"]
                found.append({**kept, "money": row["money"], "per_day": per})
    return found


def _unpriced(rows: pl.LazyFrame) -> int:
    return int(rows.select(pl.col("x_Unpriced").fill_null(False).sum()).collect().item() or 0)


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as exc:
        raise WrongUsage(
            f"'{text}' is no day",
            why=str(exc),
            hint="write it like 2026-11-01",
            code="usage.day",
        ) from exc


def _currency(code: str) -> str:
    if not code or code.upper() in CURRENCIES:
        return code.upper()
    near = get_close_matches(code.upper(), CURRENCIES, n=3)
    raise WrongUsage(
        f"there is no currency '{code}'",
        why=f"near it there are {', '.join(near)}" if near else "no ISO 4217 code is near it",
        hint="write EUR, GBP, USD or the like",
        code="usage.currency",
    )


def _start(day: date | None) -> datetime | None:
    return None if day is None else _midnight(day)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
