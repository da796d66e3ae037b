"""What is wrong with a bill: the column, how many rows, and the first of them by number."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from freehold.costs.bill_columns import Reading, listed, moment, number, text
from freehold.costs.bills import ORIGIN, ROW
from freehold.costs.focus import FOCUS
from freehold.costs.tags import unreadable_tags
from freehold.domain.errors import Fault

SHOWN = 3
"""Rows that a fault names."""
LENIENT = ("ServiceSubcategory",)
"""Later versions add values: an unknown one becomes `Other (…)`."""
GROUP = ("ProviderName", "BillingAccountId", "BillingPeriodStart", "BillingPeriodEnd")
"""What makes two rows part of one bill."""

CURRENCY = "^[A-Z]{3}$"
REGULAR = ["Usage", "Purchase"]
NUMBERS = "write it as 1234.5: no currency, no thousands separator"
TIMES = "write it as ISO 8601 with its zone, such as 2026-01-31T13:00:00Z"
TAGS = 'tags are one JSON object, such as {"team": "risk"}'


@dataclass(frozen=True)
class RowCheck:
    code: str
    what: str
    column: str
    wrong: pl.Expr
    """Whether a row breaks it."""
    shown: pl.Expr
    """What a fault says of such a row."""
    hint: str


def unread(raw: pl.LazyFrame, reading: Reading, file: str) -> list[Fault]:
    """Values that are there and cannot be read as what their columns hold."""
    return _faults(raw.with_row_index(ROW, offset=1), list(_values(reading)), file)


def unsound(
    rows: pl.LazyFrame, reading: Reading, file: str, before: Sequence[Fault]
) -> list[Fault]:
    """Of rows that `bills.normalised` gave of one file. `before`: what `unread` found, which is not
    told a second time as a value that is missing."""
    known = {fault.where.rpartition(", ")[2] for fault in before}
    checks = [
        check
        for check in _sense(reading)
        if check.code != "bill.missing" or check.column not in known
    ]
    return _faults(rows, checks, file)


def repeated_rows(raw: dict[str, pl.LazyFrame], rows: pl.LazyFrame) -> list[Fault]:
    """Rows that stand twice, in one file or in two. `raw`: the files' rows as they were read;
    `rows`: those of all files, with ORIGIN, ROW and `file`."""
    twice = (
        rows.group_by(ORIGIN)
        .agg(pl.len().alias("times"), pl.col("file"), pl.col(ROW))
        .filter(pl.col("times") > 1)
        .collect(engine="streaming")
        .sort(pl.col(ROW).list.min())
    )
    found: list[Fault] = []
    count = 0
    for files, numbers in twice.select("file", ROW).iter_rows():
        places = sorted(zip(files, numbers, strict=True))
        same = [places[0]]
        first = _row_of(raw, places[0])
        # Two rows may differ and have one hash.
        same += [place for place in places[1:] if _row_of(raw, place) == first]
        if len(same) > 1:
            count += len(same) - 1
            if len(found) < SHOWN:
                names = " and ".join(f"{file} row {row}" for file, row in same[:SHOWN])
                hint = "leave the copies out, or export the bill again"
                found.append(Fault("bill.duplicates", f"the same row stands at {names}", "", hint))
    if count > len(found) and found:
        what = f"{count:,} rows are copies of others in all"
        found.append(Fault("bill.duplicates", what, "", "export the bill again"))
    return found


def mixed_currencies(rows: pl.LazyFrame) -> list[Fault]:
    """Bills in two currencies. `rows`: those of all files, with `file`."""
    mixed = (
        rows.filter(pl.col("BillingCurrency").str.contains(CURRENCY))
        .group_by(*GROUP)
        .agg(
            pl.col("BillingCurrency").unique().sort(),
            pl.col(ROW)
            .filter(pl.col("BillingCurrency") != pl.col("BillingCurrency").first())
            .first(),
            pl.col("file")
            .filter(pl.col("BillingCurrency") != pl.col("BillingCurrency").first())
            .first(),
        )
        .filter(pl.col("BillingCurrency").list.len() > 1)
        .sort(*GROUP)
        .collect(engine="streaming")
    )
    return [
        Fault(
            "bill.currencies",
            f"account {row['BillingAccountId']} of {row['ProviderName']} is billed in "
            f"{' and '.join(row['BillingCurrency'])} for one period",
            f"{row['file']} row {row[ROW]}",
            "an account has one billing currency: export each currency's bill by itself",
        )
        for row in mixed.iter_rows(named=True)
    ]


def _row_of(raw: dict[str, pl.LazyFrame], place: tuple[str, int]) -> list[object]:
    file, row = place
    return list(raw[file].slice(row - 1, 1).collect().row(0))


def _values(reading: Reading) -> Iterator[RowCheck]:
    for column in FOCUS:
        name, source = column.name, reading.sources.get(column.name)
        if source is None:
            continue
        said = text(reading, name)
        if column.kind == "decimal":
            wrong = said.is_not_null() & number(reading, name).is_null()
            yield RowCheck("bill.numbers", "no number", name, wrong, said, NUMBERS)
        elif column.kind == "time":
            wrong = said.is_not_null() & moment(reading, name).is_null()
            yield RowCheck("bill.times", "no time with a zone", name, wrong, said, TIMES)
        elif name == "Tags":
            wrong = pl.col(source).map_batches(
                unreadable_tags, return_dtype=pl.Boolean(), is_elementwise=True
            )
            yield RowCheck("bill.tags", "no tags", name, wrong, said, TAGS)
        elif column.allowed and name not in (*reading.export.strange, *LENIENT):
            wrong = said.is_not_null() & listed(reading, name).is_null()
            hint = f"one of {', '.join(column.allowed[:6])}{', …' * (len(column.allowed) > 6)}"
            yield RowCheck("bill.values", "no value of FOCUS", name, wrong, said, hint)


def _sense(reading: Reading) -> Iterator[RowCheck]:
    for column in FOCUS:
        if column.level == "mandatory" and not column.nullable:
            wrong = pl.col(column.name).is_null()
            hint = "every row of a bill has one"
            yield RowCheck("bill.missing", "no value", column.name, wrong, pl.lit(""), hint)
    currency = pl.col("BillingCurrency")
    yield RowCheck(
        "bill.currency",
        "no currency",
        "BillingCurrency",
        ~currency.str.contains(CURRENCY),
        currency,
        "write its ISO 4217 code, such as EUR",
    )
    start, end = pl.col("ChargePeriodStart"), pl.col("ChargePeriodEnd")
    billed, until = pl.col("BillingPeriodStart"), pl.col("BillingPeriodEnd")
    yield RowCheck(
        "bill.periods",
        "a charge that ends before it begins",
        "ChargePeriodEnd",
        end <= start,
        pl.format("{} to {}", _told(start), _told(end)),
        "the end is the first moment after the charge",
    )
    yield RowCheck(
        "bill.periods",
        "a billing period that ends before it begins",
        "BillingPeriodEnd",
        until <= billed,
        pl.format("{} to {}", _told(billed), _told(until)),
        "the end is the first moment after the period",
    )
    earliest = billed.dt.offset_by(f"-{reading.export.late_days}d")
    outside = (start < earliest) | (start >= until)
    regular = pl.col("ChargeClass").is_null() & pl.col("ChargeCategory").is_in(REGULAR)
    yield RowCheck(
        "bill.periods",
        "a charge outside its billing period",
        "ChargePeriodStart",
        outside & regular & (until > billed),
        pl.format("{} in the bill of {} to {}", _told(start), _told(billed), _told(until)),
        "only a correction, a credit, a tax or an adjustment may lie outside: look at ChargeClass",
    )


def _told(moment: pl.Expr) -> pl.Expr:
    return moment.dt.strftime("%Y-%m-%dT%H:%M:%SZ")


def _faults(rows: pl.LazyFrame, checks: list[RowCheck], file: str) -> list[Fault]:
    counts = (
        rows.select(
            check.wrong.fill_null(False).sum().alias(str(place))
            for place, check in enumerate(checks)
        )
        .collect(engine="streaming")
        .row(0)
    )
    broken = [(check, count) for check, count in zip(checks, counts, strict=True) if count]
    return [_fault(rows, check, count, file) for check, count in broken]


def _fault(rows: pl.LazyFrame, check: RowCheck, count: int, file: str) -> Fault:
    first = (
        rows.filter(check.wrong)
        .select(ROW, check.shown.cast(pl.String()).alias("shown"))
        .head(SHOWN)
        .collect(engine="streaming")
        .sort(ROW)
    )
    rows_shown = ", ".join(str(row) for row in first[ROW])
    more = ", …" if count > first.height else ""
    said = [f"'{value}'" for value in first["shown"].unique(maintain_order=True) if value]
    what = f"{check.what}: {', '.join(said)}" if said else check.what
    where = f"{file} row {rows_shown}{more}, {check.column}"
    rows_told = "1 row" if count == 1 else f"{count:,} rows"
    return Fault(check.code, f"{what} ({rows_told})", where, check.hint)
