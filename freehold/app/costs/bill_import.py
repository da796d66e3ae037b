"""`freehold bills import`: what a bill would change, and keeping it.

Laws
- All bills of a call are kept, or none.
- The same rows a second time change nothing, whatever the file is called and however it is written.
- A later export of the same account and period takes the place of the earlier one, and says so. It
  must share charges with it: one that shares none is another part of the export, and would lose the
  first part.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from typing import Any, Literal

import polars as pl

from freehold.app.costs.reading import ReadBill, ReadBills
from freehold.app.costs.rows import parquet_of
from freehold.app.site.opening import Site
from freehold.catalog.spending import Bill, bill_of, bills
from freehold.domain.errors import Conflict, Fault, IntegrityError
from freehold.domain.fact import Draft
from freehold.domain.projection import State

Standing = Literal["new", "already there", "replaces"]

CHARGE = (
    "ChargePeriodStart",
    "ChargeCategory",
    "SubAccountId",
    "ResourceId",
    "ServiceName",
    "RegionId",
    "SkuId",
    "SkuPriceId",
)
"""What names a charge across two exports of a bill."""


@dataclass(frozen=True)
class Examined:
    """A bill beside what is kept of its account and period."""

    bill: ReadBill
    standing: Standing
    before: Bill | None
    """What is kept."""
    cost_before: float | None
    """Its sum of EffectiveCost; None where nothing is kept, or its rows lie at another site."""

    def as_json(self) -> dict[str, Any]:
        bill = self.bill
        return {
            "provider": bill.provider,
            "account": bill.account,
            "period": bill.period,
            "currency": bill.currency,
            "rows": bill.count,
            "cost": bill.cost,
            "standing": self.standing,
            "rows_before": self.before.rows if self.before else None,
            "cost_before": self.cost_before,
        }


def examine(site: Site, read: ReadBills, replace: bool = False) -> list[Examined]:
    """`replace`: an export that shares no charge with the earlier one takes its place all the same,
    and so does one that has only some of its rows.

    Raises Conflict `bill.overlaps` with a fault for each bill of which it cannot be told what is
    meant.
    """
    found, faults = [], []
    for bill in read.bills:
        fault = _crossing(site.state, bill)
        before = bill_of(site.state, bill.provider, bill.account, bill.period)
        if fault is None and before is not None:
            one, fault = _beside(site, bill, before, read.digest, replace)
            found.append(one)
        elif fault is None:
            found.append(Examined(bill, "new", None, None))
        if fault is not None:
            faults.append(fault)
    if faults:
        raise Conflict(
            "it cannot be told how these bills belong to those that are kept",
            faults=faults,
            hint="nothing was imported",
            code="bill.overlaps",
        )
    return found


def keep(site: Site, read: ReadBills, examined: Sequence[Examined]) -> int:
    """Returns the rows kept. Raises Conflict: `bill.changed` if another process imported one of
    these bills since they were examined, `bill.collected` if one let go of the rows just stored."""
    wanted = [one for one in examined if one.standing != "already there"]
    drafts = [_draft(site, one, read.digest) for one in wanted]

    def decision(state: State) -> list[Draft]:
        for one in wanted:
            bill = one.bill
            if bill_of(state, bill.provider, bill.account, bill.period) != one.before:
                raise Conflict(
                    f"the bill of {bill.account} for {bill.period} was imported meanwhile",
                    why="another process was quicker",
                    hint="import again, and see what would change now",
                    code="bill.changed",
                )
        if not all(site.artifacts.holds(draft.body["artifact"]) for draft in drafts):
            raise Conflict(
                "the bill's rows were let go of before anything named them",
                why="another process collected what nothing refers to just then",
                hint="import again",
                code="bill.collected",
            )
        return drafts

    if drafts:
        site.ledger.decide(decision)
    return sum(one.bill.count for one in wanted)


def _draft(site: Site, one: Examined, digest: str) -> Draft:
    bill = one.bill
    body = {
        "artifact": site.artifacts.put(parquet_of(bill.rows.collect(engine="streaming"))),
        "digest": digest,
        "rows": bill.count,
        "provider": bill.provider,
        "account": bill.account,
        "period": bill.period,
        "currency": bill.currency,
        "first": bill.first,
        "last": bill.last,
        "replaces": one.before.artifact if one.before else "",
    }
    return Draft("bill.imported", body, actor=site.actor)


def _beside(
    site: Site, bill: ReadBill, before: Bill, digest: str, replace: bool
) -> tuple[Examined, Fault | None]:
    kept = _rows(site, before)
    if kept is None:
        standing: Standing = "already there" if digest == before.digest else "replaces"
        return Examined(bill, standing, before, None), None
    cost = float(kept.select(pl.col("EffectiveCost").sum()).collect().item())
    same = _count(bill.rows.join(kept, on="x_RowId", how="semi"))
    if same == bill.count == before.rows or (same == bill.count and not replace):
        return Examined(bill, "already there", before, cost), None
    shared = _count(bill.rows.join(kept, on=list(CHARGE), how="semi", nulls_equal=True))
    fault = None
    if not shared and not replace:
        fault = Fault(
            "bill.overlaps",
            f"it shares no charge with the {before.rows:,} rows that are kept for {bill.period}",
            f"{bill.provider} {bill.account}",
            "name all files of the export in one command; or say --replace if this is all of it",
        )
    return Examined(bill, "replaces", before, cost), fault


def _crossing(state: State, bill: ReadBill) -> Fault | None:
    """A kept bill of the account for another period that covers part of this one's."""
    start, end = _times(bill.period)
    for kept in bills(state):
        if (kept.provider, kept.account) != (bill.provider, bill.account):
            continue
        other_start, other_end = _times(kept.period)
        if kept.period != bill.period and start < other_end and other_start < end:
            return Fault(
                "bill.overlaps",
                f"{bill.period} overlaps {kept.period}, which is kept",
                f"{bill.provider} {bill.account}",
                "bring the same period again, or one that begins where a kept one ends",
            )
    return None


def _times(period: str) -> tuple[datetime, datetime]:
    start, _, end = period.partition("/")
    return datetime.fromisoformat(start), datetime.fromisoformat(end)


def _rows(site: Site, bill: Bill) -> pl.LazyFrame | None:
    """None if they lie at another site."""
    try:
        return pl.scan_parquet(BytesIO(site.artifacts.get(bill.artifact)))
    except IntegrityError as error:
        if error.code != "artifact.missing" or bill.site == site.name:
            raise
        return None


def _count(rows: pl.LazyFrame) -> int:
    return int(rows.select(pl.len()).collect(engine="streaming").item())
