"""What was spent: usage that was metered, and bills that were brought.

Facts
  usage.recorded {artifact, rows, first, last, kind, site}
  bill.imported {artifact, digest, rows, provider, account, period, currency, first, last, replaces}

An artifact is a Parquet table with the columns of FOCUS. `first` and `last` are microseconds since
1970 UTC: the earliest start of a charge, and the latest end. `digest` is that of the bytes that
were read; `period` the billing period as an ISO 8601 interval; `replaces` the artifact of an
earlier import of the same provider, account and period, or empty.

A bill stands once for all sites: of two that were brought of one account and period the later
holds, wherever either was brought.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import quote

from freehold.domain.fact import Fact, site_of
from freehold.domain.projection import Change, Projection, State

USAGE = "usage_parts"
"""By day of `last`, and fact."""
BILLS = "bills"
"""By period, provider and account."""
DAY = 86_400_000_000
"""Microseconds."""


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


def _fold(fact: Fact, _: State) -> Iterable[Change]:
    body = dict(fact.body)
    if fact.type == "usage.recorded":
        return [Change(USAGE, f"{body['last'] // DAY:06d}/{fact.name}", body)]
    key = _key(body["provider"], body["account"], body["period"])
    stamp = {"wall": fact.time.wall, "site": site_of(fact.writer)}
    return [Change(BILLS, key, {**body, **stamp})]


projection = Projection(
    name="spending",
    version=1,
    types=frozenset({"usage.recorded", "bill.imported"}),
    fold=_fold,
)
