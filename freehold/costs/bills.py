"""FOCUS exports of any version and provider, as frames with the columns of `focus`.

Everything is lazy, so that a bill larger than memory can be streamed. What is wrong with a bill is
found by `bill_faults`.
"""

from collections.abc import Mapping
from hashlib import sha256

import polars as pl

from freehold.costs import exports
from freehold.costs.bill_columns import (
    BY_NAME,
    Reading,
    listed,
    moment,
    number,
    text,
    used_of_others,
)
from freehold.costs.focus import FOCUS, OWN, TYPES, Column, schema
from freehold.costs.services import SUBCATEGORIES
from freehold.costs.tags import normalised_tags, repeated

ROW, ORIGIN = "row", "origin"
"""Columns beside those of `focus`: number of the row in its file, from 1; hash of all that stood in
it."""


def normalised(raw: pl.LazyFrame, reading: Reading, sites: Mapping[str, str]) -> pl.LazyFrame:
    """The columns of `focus`, and ROW and ORIGIN. `sites`: region → site of the project, for rows
    whose tags name none."""
    read = raw.with_row_index(ROW, offset=1).select(
        ROW,
        pl.struct(pl.all().exclude(ROW)).hash().alias(ORIGIN),
        *(_read(reading, column).alias(column.name) for column in FOCUS),
        *(text(reading, name).alias(name) for name in used_of_others(reading.export)),
        text(reading, exports.SUBCATEGORY).alias(exports.SUBCATEGORY),
    )
    read = read.with_columns(*_filled(reading)).with_columns(*_preview(reading))
    read = read.with_columns(*_completed()).with_columns(*_corrected(reading))
    read = read.with_columns(
        pl.col("Tags")
        .map_batches(repeated, return_dtype=pl.Struct(_tag_fields()), is_elementwise=True)
        .alias("tagged")
    ).unnest("tagged")
    here = pl.col("RegionId").replace_strict(dict(sites), default=None, return_dtype=pl.String())
    read = read.with_columns(pl.coalesce("x_Site", here).alias("x_Site")) if sites else read
    read = read.with_columns(*_own(), pl.lit("bill").alias("x_Source"))
    return with_names(read).select(ROW, ORIGIN, *schema())


def with_names(rows: pl.LazyFrame) -> pl.LazyFrame:
    """With `x_RowId`: the same for the same values of FOCUS's columns, in whatever file."""
    told = pl.concat_str(
        [pl.col(column.name).cast(pl.String()).fill_null("\x00") for column in FOCUS],
        separator="\x1f",
    )
    named = told.map_batches(_digests, return_dtype=pl.String(), is_elementwise=True)
    return rows.with_columns(named.alias("x_RowId"))


def _digests(column: pl.Series) -> pl.Series:
    return pl.Series(
        column.name,
        [sha256(value.encode()).hexdigest()[:32] for value in column],
        dtype=pl.String(),
    )


def _read(reading: Reading, column: Column) -> pl.Expr:
    if column.name == "Tags":
        source = reading.sources.get("Tags")
        if source is None:
            return pl.lit(None, pl.String())
        return pl.col(source).map_batches(
            normalised_tags, return_dtype=pl.String(), is_elementwise=True
        )
    if column.kind == "decimal":
        return number(reading, column.name)
    if column.kind == "time":
        return moment(reading, column.name)
    if column.allowed:
        return listed(reading, column.name)
    return text(reading, column.name)


def _filled(reading: Reading) -> list[pl.Expr]:
    """Of columns as they were read: no fill reads what another has filled."""
    found = []
    for name, places in reading.fills.items():
        kind = TYPES[BY_NAME[name].kind]
        values = [_place(reading, place).cast(kind, strict=False) for place in places]
        found.append(pl.coalesce(pl.col(name), *values).alias(name))
    if reading.export.provider:
        provider = pl.lit(reading.export.provider)
        found.append(provider.alias("ProviderName"))
    return found


def _place(reading: Reading, place: str) -> pl.Expr:
    if place.startswith("="):
        return pl.lit(place[1:])
    return pl.lit(reading.export.provider) if place == "ProviderName" else pl.col(place)


def _preview(reading: Reading) -> list[pl.Expr]:
    """What 1.0-preview said in ChargeSubcategory."""
    if reading.version != "1.0-preview":
        return []
    said = pl.col(exports.SUBCATEGORY).str.to_lowercase()
    credit = (pl.col("ChargeCategory") == "Adjustment") & (said == "credit")
    states = {"used commitment": "Used", "unused commitment": "Unused"}
    status = said.replace_strict(states, default=None, return_dtype=pl.String())
    return [
        pl.when(credit.fill_null(False))
        .then(pl.lit("Credit"))
        .otherwise("ChargeCategory")
        .alias("ChargeCategory"),
        pl.coalesce("CommitmentDiscountStatus", status).alias("CommitmentDiscountStatus"),
    ]


def _completed() -> list[pl.Expr]:
    """Columns that came with later versions, where what they say follows from the others."""
    same = pl.col("PricingCurrency").fill_null(pl.col("BillingCurrency")) == pl.col(
        "BillingCurrency"
    )
    usage = pl.col("ChargeCategory") == "Usage"
    other = pl.concat_str(pl.lit("Other ("), "ServiceCategory", pl.lit(")"))
    found = [
        pl.coalesce("PricingCurrency", "BillingCurrency").alias("PricingCurrency"),
        pl.coalesce("ServiceSubcategory", other).alias("ServiceSubcategory"),
        pl.coalesce(
            "ChargeFrequency",
            pl.when(usage).then(pl.lit("Usage-Based")).otherwise(pl.lit("One-Time")),
        ).alias("ChargeFrequency"),
    ]
    for name, called in (("BillingAccount", "Billing Account"), ("SubAccount", "Sub Account")):
        there = pl.col(f"{name}Id").is_not_null()
        kind = pl.coalesce(f"{name}Type", pl.lit(called))
        found.append(pl.when(there).then(kind).alias(f"{name}Type"))
    found.append(pl.coalesce("RegionName", "RegionId").alias("RegionName"))
    for name in ("EffectiveCost", "ListUnitPrice", "ContractedUnitPrice"):
        priced = f"PricingCurrency{name}"
        found.append(pl.coalesce(priced, pl.when(same).then(pl.col(name))).alias(priced))
    return found


def _corrected(reading: Reading) -> list[pl.Expr]:
    found = [
        # A subcategory of another category is one of a later version, or a mistake.
        pl.when(
            pl.col("ServiceSubcategory").replace_strict(
                {name: category for category, names in SUBCATEGORIES.items() for name in names},
                default=None,
                return_dtype=pl.String(),
            )
            == pl.col("ServiceCategory")
        )
        .then("ServiceSubcategory")
        .otherwise(pl.concat_str(pl.lit("Other ("), "ServiceCategory", pl.lit(")")))
        .alias("ServiceSubcategory")
    ]
    if reading.export.last_day:
        end = pl.col("BillingPeriodEnd")
        short = end.dt.offset_by("1d").dt.month() != end.dt.month()
        found.append(
            pl.when(short).then(end.dt.offset_by("1d")).otherwise(end).alias("BillingPeriodEnd")
        )
    return found


def _own() -> list[pl.Expr]:
    """What a bill does not say in columns of ours: null, or no where that may not be."""
    return [
        pl.lit(None if column.nullable else False, TYPES[column.kind]).alias(column.name)
        for column in OWN[:-8]
        if column.nullable or column.kind == "flag"
    ]


def _tag_fields() -> dict[str, pl.DataType]:
    return {column.name: pl.String() for column in OWN[-8:]}
