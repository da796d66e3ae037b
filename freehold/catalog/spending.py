"""What was spent: usage that was metered, and bills that were brought; and what plans said that
their steps would cost.

Facts
  usage.recorded {artifact, rows, first, last, kind, site}
  bill.imported {artifact, digest, rows, provider, account, period, currency, first, last, replaces}
  plan.applied   as `freehold.planning.applied` has it: of each step its place and its estimate

An artifact is a Parquet table with the columns of FOCUS. `first` and `last` are microseconds since
1970 UTC: the earliest start of a charge, and the latest end. `digest` is that of the bytes that
were read; `period` the billing period as an ISO 8601 interval; `replaces` the artifact of an
earlier import of the same provider, account and period, or empty.

A bill stands once for all sites: of two that were brought of one account and period the later
holds, wherever either was brought.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from freehold.domain.fact import Fact, site_of
from freehold.domain.projection import Change, Projection, State

USAGE = "usage_parts"
"""By day of `last`, and fact."""
BILLS = "bills"
"""By period, provider and account."""
PLANS = "planned_steps"
"""By fact that carried a plan out."""
DAY = 86_400_000_000
"""Microseconds."""
LEAST = 1e-9
"""Money under which a difference is one of rounding."""


@dataclass(frozen=True)
class UsagePart:
    """A Parquet artifact of metered rows."""

    artifact: str
    rows: int
    first: int
    last: int
    kind: str
    """`step`, `storage`, `transfer`, `endpoint`, `requests`, or `mixed`."""
    site: str
    """Where it was metered."""


@dataclass(frozen=True)
class Bill:
    """What holds of a provider's account in a billing period."""

    artifact: str
    digest: str
    """Of the bytes that were read: of one file, or of several files' digests."""
    rows: int
    provider: str
    account: str
    period: str
    """ISO 8601 interval of two UTC times."""
    currency: str
    first: int
    last: int
    replaces: str
    """Artifact of what it took the place of, or empty."""
    wall: int
    """When it was brought."""
    site: str
    """Where it was brought, and so where its artifact lies."""


@dataclass(frozen=True)
class PlannedStep:
    step: str
    """Empty for what crosses between sites and what is kept at others, which is no step's."""
    site: str
    machine: str
    currency: str
    money: float
    carbon: float | None
    """kgCO2e; None where the plan does not know it."""


def planned_steps(state: State, causes: Iterable[str]) -> tuple[PlannedStep, ...]:
    """Of the plan that is among the causes of a run; empty where none is, or nothing was placed."""
    for name in causes:
        row = state.get(PLANS, name)
        if row is not None:
            return tuple(PlannedStep(**one) for one in row["steps"])
    return ()


def usage_parts(state: State, since: int = 0) -> Iterator[UsagePart]:
    """Parts with a row that ends at or after `since`, by the day of their last row."""
    for key, row in state.scan(USAGE):
        if int(key.partition("/")[0]) >= since // DAY and row["last"] >= since:
            yield UsagePart(**row)


def bills(state: State) -> Iterator[Bill]:
    """Those that hold, by period, provider and account."""
    return (Bill(**row) for _, row in state.scan(BILLS))


def spending_of(state: State, since: int = 0) -> dict[str, str]:
    """Artifact of each bill that holds and of each part as of `usage_parts`, with the site that
    recorded it."""
    recorded: list[Bill | UsagePart] = [*bills(state), *usage_parts(state, since)]
    return {one.artifact: one.site for one in recorded}


def bill_of(state: State, provider: str, account: str, period: str) -> Bill | None:
    row = state.get(BILLS, _key(provider, account, period))
    return None if row is None else Bill(**row)


def _key(provider: str, account: str, period: str) -> str:
    return "/".join(quote(part, safe="") for part in (period, provider, account))


def _planned(body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What the whole comes to beside its steps is a row of its own: the sum is the plan's."""
    told = {"currency": body["currency"]}
    money, carbon = body["money"], body["carbon"]
    for step, one in body["steps"].items():
        if one["estimate"] is not None:
            place = {"site": one["place"]["site"], "machine": one["place"]["machine"]}
            of_step = {name: one["estimate"][name] for name in ("money", "carbon")}
            money, carbon = money - of_step["money"], (carbon or 0.0) - (of_step["carbon"] or 0.0)
            yield {**told, **place, **of_step, "step": step}
    if money is not None and money > LEAST:
        nowhere = {"step": "", "site": "", "machine": ""}
        yield {**told, **nowhere, "money": money, "carbon": max(carbon or 0.0, 0.0)}


def _fold(fact: Fact, _: State) -> Iterable[Change]:
    body = dict(fact.body)
    if fact.type == "plan.applied":
        steps = list(_planned(body)) if body["money"] is not None else []
        return [Change(PLANS, fact.name, {"steps": steps})] if steps else []
    if fact.type == "usage.recorded":
        return [Change(USAGE, f"{body['last'] // DAY:06d}/{fact.name}", body)]
    key = _key(body["provider"], body["account"], body["period"])
    stamp = {"wall": fact.time.wall, "site": site_of(fact.writer)}
    return [Change(BILLS, key, {**body, **stamp})]


projection = Projection(
    name="spending",
    version=2,
    types=frozenset({"usage.recorded", "bill.imported", "plan.applied"}),
    fold=_fold,
)
