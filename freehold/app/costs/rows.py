"""Every row of usage and of bills that this site can read, as one lazy frame."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import polars as pl

from freehold.app.site.opening import Site
from freehold.catalog.spending import bills, spending_of
from freehold.costs.focus import schema
from freehold.costs.summary import Covered
from freehold.domain.artifact import object_key
from freehold.domain.errors import IntegrityError
from freehold.domain.fact import Draft
from freehold.ports.object_store import LocalPaths


@dataclass(frozen=True)
class UsageRows:
    frame: pl.LazyFrame
    """Columns of `freehold.costs.focus`; read when it is collected."""
    absent: tuple[str, ...]
    """Artifacts of other sites that are not here: their rows are not in the frame."""


def usage_rows(site: Site, since: int = 0) -> UsageRows:
    """Bills, and parts of metered usage with a row that ends at or after `since` (microseconds).

    Bytes are checked as they are read. Raises IntegrityError if an artifact of this site is gone or
    damaged.
    """
    return _read(site, spending_of(site.state, since))


def bill_rows(site: Site, since: int = 0) -> UsageRows:
    """As `usage_rows`, of bills with a charge that ends at or after `since`."""
    brought = {one.artifact: one.site for one in bills(site.state) if one.last >= since}
    return _read(site, brought)


def _read(site: Site, recorded: Mapping[str, str]) -> UsageRows:
    """`recorded`: artifact → the site that recorded it."""
    found: list[bytes] = []
    files: list[Path] = []
    absent = []
    for artifact, recorded_at in recorded.items():
        try:
            data = site.artifacts.get(artifact)
        except IntegrityError as error:
            if error.code != "artifact.missing" or recorded_at == site.name:
                raise
            absent.append(artifact)
            continue
        if isinstance(site.objects, LocalPaths):
            files.append(site.objects.path(object_key(artifact)))
        else:
            found.append(data)
    return UsageRows(_scanned(files or found), tuple(absent))


def usage_frames(site: Site, since: int = 0) -> pl.LazyFrame:
    """The frame of `usage_rows`."""
    return usage_rows(site, since).frame


def usage_draft(site: Site, frame: pl.DataFrame, kind: str) -> Draft:
    """Puts metered rows into the store; the fact that is to be appended of them. `frame` has rows
    and the schema of `freehold.costs.focus`; `kind` is theirs, or `mixed`."""
    first, last = span_of(frame)
    body = {
        "artifact": site.artifacts.put(parquet_of(frame)),
        "rows": frame.height,
        "first": first,
        "last": last,
        "kind": kind,
        "site": site.name,
    }
    return Draft("usage.recorded", body, actor=site.actor)


def parquet_of(frame: pl.DataFrame) -> bytes:
    buffer = BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


def span_of(frame: pl.DataFrame) -> tuple[int, int]:
    """The earliest start of a charge and the latest end, microseconds since 1970 UTC."""
    row = frame.select(
        pl.col("ChargePeriodStart").min().dt.epoch("us"),
        pl.col("ChargePeriodEnd").max().dt.epoch("us"),
    ).row(0)
    return int(row[0]), int(row[1])


def _scanned(sources: list[Path] | list[bytes]) -> pl.LazyFrame:
    if not sources:
        return pl.LazyFrame(schema=schema())
    # A part that an earlier release wrote lacks the columns that came since.
    return pl.scan_parquet(
        sources, schema=schema(), missing_columns="insert", extra_columns="ignore"
    )


def covered(site: Site) -> list[Covered]:
    """What bills tell, for `freehold.costs.summary.counted_once`."""
    return [
        Covered(bill.provider, _moment(bill.first), _moment(bill.last))
        for bill in bills(site.state)
    ]


def _moment(microseconds: int) -> datetime:
    return datetime.fromtimestamp(microseconds / 1e6, UTC)
