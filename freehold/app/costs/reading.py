"""Bills of files: read, normalised and judged; nothing is kept yet."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Literal

import polars as pl

from freehold.app.costs.bill_files import BillFile, invalid, open_files
from freehold.app.costs.rows import span_of
from freehold.costs.bill_columns import reading_of
from freehold.costs.bill_faults import GROUP, mixed_currencies, repeated_rows, unread, unsound
from freehold.costs.bills import normalised
from freehold.costs.exports import export_of
from freehold.costs.focus import schema
from freehold.costs.opencost import Labelled, allocations_of
from freehold.domain.errors import Fault

Format = Literal["auto", "focus", "opencost"]


@dataclass(frozen=True)
class ReadAs:
    """What is known beside the files."""

    format: Format = "auto"
    """`auto`: JSON is OpenCost's, anything else FOCUS."""
    organisation: str = "own"
    """Whose machines OpenCost speaks of."""
    currency: str = "USD"
    """Of OpenCost's answer, which names none."""
    regions: Mapping[str, str] = field(default_factory=dict)
    """Region → the project's site there."""
    sites: frozenset[str] = frozenset()


@dataclass(frozen=True)
class ReadBill:
    """One account's bill for one period."""

    provider: str
    account: str
    period: str
    """ISO 8601 interval."""
    currency: str
    rows: pl.LazyFrame
    """Columns of `focus`, from a file in the scratch folder."""
    count: int
    cost: float
    """Sum of EffectiveCost."""
    first: int
    last: int


@dataclass(frozen=True)
class ReadBills:
    bills: tuple[ReadBill, ...]
    digest: str
    """Of the one file; of several, of their digests."""
    versions: Mapping[str, str]
    """File → version of FOCUS, or `opencost`."""
    ignored: tuple[str, ...]
    """Columns of the files that are not kept."""


def read_bills(paths: Sequence[Path], told: ReadAs, scratch: Path) -> ReadBills:
    """All files together are one export. Streams through files in `scratch`.

    Raises NotFound `bill.no-file`; Refused `bill.invalid` with every fault of every file.
    """
    files = open_files(paths, scratch)
    found = _Found(told, scratch)
    for file in files:
        as_opencost = told.format == "opencost" or (told.format == "auto" and file.kind == "json")
        if as_opencost:
            found.read_opencost(file)
        else:
            found.read_focus(file)
    found.judge()
    if found.faults:
        raise invalid(found.faults)
    digests = sorted(file.digest for file in files)
    digest = digests[0] if len(digests) == 1 else _digest_of(digests)
    return ReadBills(tuple(found.bills()), digest, found.versions, tuple(sorted(found.ignored)))


def _digest_of(digests: list[str]) -> str:
    return "sha256:" + sha256("\n".join(digests).encode()).hexdigest()


@dataclass
class _Found:
    told: ReadAs
    scratch: Path
    faults: list[Fault] = field(default_factory=list)
    raw: dict[str, pl.LazyFrame] = field(default_factory=dict)
    parts: list[Path] = field(default_factory=list)
    opencost: list[ReadBill] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    ignored: set[str] = field(default_factory=set)

    def read_focus(self, file: BillFile) -> None:
        try:
            self._read_table(file)
        except (pl.exceptions.ComputeError, pl.exceptions.NoDataError, OSError) as exc:
            what = f"it cannot be read as a table: {str(exc).splitlines()[0]}"
            hint = "bring a whole Parquet or CSV file"
            self.faults.append(Fault("bill.format", what, file.name, hint))

    def _read_table(self, file: BillFile) -> None:
        if file.kind == "json":
            what = "it is JSON: of FOCUS, Parquet and CSV are read"
            hint = "say --format opencost if it is OpenCost's answer"
            self.faults.append(Fault("bill.format", what, file.name, hint))
            return
        raw = (
            pl.scan_parquet(file.path, glob=False)
            if file.kind == "parquet"
            else pl.scan_csv(file.path, infer_schema=False, glob=False)
        )
        kinds = dict(raw.collect_schema())
        reading = reading_of(kinds, export_of(_provider(raw, kinds)))
        self.versions[file.name] = reading.version
        self.ignored |= set(reading.ignored)
        for fault in reading.faults:
            where = f"{file.name}, {fault.where}"
            self.faults.append(Fault(fault.code, fault.what, where, fault.hint))
        if reading.faults:
            return
        before = unread(raw, reading, file.name)
        path = self.scratch / f"{len(self.parts)}.rows"
        rows = normalised(raw, reading, self.told.regions)
        rows.with_columns(pl.lit(file.name).alias("file")).sink_parquet(path)
        self.raw[file.name] = raw
        self.parts.append(path)
        found = pl.scan_parquet(path)
        if not found.head(1).collect().height:
            hint = "bring the export of a period that was billed"
            self.faults.append(Fault("bill.empty", "it has no rows", file.name, hint))
        self.faults += [*before, *unsound(found, reading, file.name, before)]

    def read_opencost(self, file: BillFile) -> None:
        self.versions[file.name] = "opencost"
        try:
            document = json.loads(file.path.read_bytes())
        except ValueError as exc:
            hint = "fetch OpenCost's answer again: it did not arrive whole"
            self.faults.append(Fault("bill.format", f"it is no JSON: {exc}", file.name, hint))
            return
        about = Labelled(self.told.organisation, self.told.currency, self.told.sites)
        read = allocations_of(document, about, file.name)
        self.faults += read.faults
        for account in read.rows["BillingAccountId"].unique().sort():
            rows = read.rows.filter(pl.col("BillingAccountId") == account)
            period = _interval(read.start.isoformat(), read.end.isoformat())
            self.opencost.append(_bill(rows, self.told.organisation, account, period))

    def judge(self) -> None:
        """What is wrong with the files together."""
        if self.parts:
            rows = pl.scan_parquet(self.parts)
            self.faults += repeated_rows(self.raw, rows)
            self.faults += mixed_currencies(rows)
        seen = set()
        for bill in self.opencost:
            if (bill.account, bill.period) in seen:
                what = f"cluster {bill.account} is told twice for {bill.period}"
                hint = "bring one answer for a window"
                self.faults.append(Fault("bill.duplicates", what, "", hint))
            seen.add((bill.account, bill.period))

    def bills(self) -> Iterator[ReadBill]:
        yield from self.opencost
        if not self.parts:
            return
        rows = pl.scan_parquet(self.parts)
        groups = (
            rows.group_by(*GROUP)
            .agg(
                pl.len().alias("count"),
                pl.col("EffectiveCost").sum(),
                pl.col("BillingCurrency").first(),
                pl.col("ChargePeriodStart").min().dt.epoch("us"),
                pl.col("ChargePeriodEnd").max().dt.epoch("us"),
            )
            .sort(*GROUP)
            .collect(engine="streaming")
        )
        for group in groups.iter_rows(named=True):
            of_it = pl.all_horizontal(pl.col(name) == group[name] for name in GROUP)
            start, end = (group[name] for name in GROUP[2:])
            yield ReadBill(
                provider=group["ProviderName"],
                account=group["BillingAccountId"],
                period=_interval(start.isoformat(), end.isoformat()),
                currency=group["BillingCurrency"],
                rows=rows.filter(of_it).select(*schema()),
                count=group["count"],
                cost=group["EffectiveCost"],
                first=group["ChargePeriodStart"],
                last=group["ChargePeriodEnd"],
            )


def _bill(rows: pl.DataFrame, provider: str, account: str, period: str) -> ReadBill:
    first, last = span_of(rows)
    currency, cost = rows["BillingCurrency"][0], float(rows["EffectiveCost"].sum())
    return ReadBill(
        provider, account, period, currency, rows.lazy(), rows.height, cost, first, last
    )


def _interval(start: str, end: str) -> str:
    return f"{start.replace('+00:00', 'Z')}/{end.replace('+00:00', 'Z')}"


def _provider(raw: pl.LazyFrame, kinds: Mapping[str, pl.DataType]) -> str | None:
    """What ProviderName says throughout; None where rows differ, and so nothing is forgiven."""
    names = [name for name in kinds if name.lower() in ("providername", "provider")]
    if not names or kinds[names[0]] != pl.String():
        return None
    said = raw.select(pl.col(names[0]).drop_nulls().unique()).collect(engine="streaming")
    told = [value for value in said.to_series() if value.strip()]
    exports = {export_of(value).provider for value in told}
    return told[0] if len(exports) == 1 else None
