"""What plans said beside what their runs came to, by what one asks."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Any

import polars as pl

from freehold.app.costs.budgets import tags_of
from freehold.app.costs.tariff import OWN
from freehold.app.site.opening import Site
from freehold.catalog.spending import planned_steps
from freehold.catalog.versions import version_of_run
from freehold.costs.expected import Expected, frame_of_expected

Sum = Callable[[pl.LazyFrame, Sequence[str]], list[dict[str, Any]]]
"""Rows, keys → what they come to, as `freehold costs` tells it."""


def estimates(
    site: Site, rows: pl.LazyFrame, by: Sequence[str], days: Callable[[date], bool], sum_: Sum
) -> list[dict[str, Any]]:
    """Of the runs that were started on `days` and have a plan: by each key and currency the plan's
    estimate, and what is metered of the same runs, though a bill may have the same: few bills know
    runs. A key that a plan does not know is null in it.

    What a run sends and keeps is in its estimate, and is not told apart by run when it is metered.
    """
    steps = list(_expected(site, days))
    if not steps:
        return []
    runs = sorted({one.tags["run"] for one in steps})
    spent = rows.filter(pl.col("x_Run").is_in(runs), pl.col("x_Source") == "metered")
    unpriced = spent.filter(pl.col("x_Unpriced").fill_null(False))
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for name, frame in (
        ("estimate", frame_of_expected(steps).lazy()),
        ("money", spent),
        ("unpriced", unpriced),
    ):
        for row in sum_(frame, by):
            key = tuple(row[one] for one in (*by, "currency"))
            told = found.setdefault(
                key, {**dict(zip((*by, "currency"), key, strict=True)), **_NONE}
            )
            if name == "unpriced":
                told["unpriced"] = row["rows"]
            else:
                told[name] = row["effective"]
                told["carbon" if name == "money" else "carbon_estimate"] = row["carbon"]
    return sorted(found.values(), key=lambda one: (one["currency"], -(one["estimate"] or 0.0)))


_NONE = {"estimate": None, "money": 0.0, "carbon_estimate": None, "carbon": None, "unpriced": 0}


def _expected(site: Site, days: Callable[[date], bool]) -> Iterator[Expected]:
    spec = site.project.spec
    for run, row in site.state.scan("runs"):
        started = datetime.fromtimestamp(row["started"] / 1e6, UTC)
        if not days(started.date()):
            continue
        version = version_of_run(site.state, run)
        made = "" if version is None else str(version.version)
        for one in planned_steps(site.state, row["cause"]):
            place = spec.sites.get(one.site)
            yield Expected(
                site=one.site,
                provider=(place.provider if place is not None else "") or OWN,
                region=place.region if place is not None else "",
                machine=one.machine,
                currency=one.currency,
                money=one.money,
                carbon=one.carbon,
                tags=tags_of(site, row["pipeline"], one.site, run=run, step=one.step, version=made),
                at=started,
            )
