"""What the price file does not know stays unknown in the shipped table and in every answer."""

import re
from pathlib import Path

import polars as pl
import pytest

from freehold.adapters.price_tables import tables
from freehold.adapters.price_tables.source import PROVIDERS, ShippedPrices

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "prices.md"
PRICES = pl.read_parquet(tables.DATA / "prices.parquet")
UNKNOWN = PRICES.filter(pl.col("on_demand").is_null())


def number(text: str) -> int:
    return int(text.replace(",", ""))


def test_the_guide_counts_what_is_unknown_as_the_table_does() -> None:
    told = re.search(r"([\d,]+) of its ([\d,]+) AWS entries of types whose size", GUIDE.read_text())
    assert told is not None
    aws = PRICES.filter(pl.col("provider") == "aws")
    unknown = UNKNOWN.filter(pl.col("provider") == "aws")
    assert (unknown.height, aws.height) == tuple(number(one) for one in told.groups())
    assert unknown.height > 2000


def test_the_guide_counts_types_regions_and_what_was_mended_as_the_table_does() -> None:
    text = GUIDE.read_text()
    for provider, name in {"aws": "AWS", "azure": "Azure", "gcp": "Google Cloud"}.items():
        told = re.search(rf"{name} \((\d+) types, (\d+) regions\)", text)
        assert told is not None, name
        own = PRICES.filter(pl.col("provider") == provider)
        counted = (own["machine"].n_unique(), own["region"].n_unique())
        assert counted == tuple(number(one) for one in told.groups())
    mended = re.search(r"and mended: ([\d,]+) of them", text)
    assert mended is not None
    assert PRICES["listed"].drop_nulls().len() == number(mended.group(1))


def test_an_unknown_entry_was_not_mended_and_has_no_spot_price() -> None:
    """Neither can be said of what has no price."""
    assert UNKNOWN.filter(pl.col("listed").is_not_null() | pl.col("spot").is_not_null()).is_empty()


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_unknown_entry_gets_no_price_but_a_listed_one_with_its_own_source(
    provider: str,
) -> None:
    source, own = ShippedPrices(), tables.keyed("listed", "provider", "region", "machine")
    listed = 0
    for region, machine in (
        UNKNOWN.filter(pl.col("provider") == provider).select("region", "machine").iter_rows()
    ):
        found = source.machine(provider, region, machine)
        row = own.get((provider, region, machine))
        if row is None:
            assert (found.on_demand, found.spot) == (None, None), (region, machine)
            continue
        listed += 1
        assert found.on_demand is not None
        assert found.on_demand.value == float(row["on_demand"]) > 0
        assert tables.origin()["name"] not in found.on_demand.source
    assert listed < UNKNOWN.height / 10


def test_nothing_that_is_sold_is_free_in_any_table() -> None:
    for name, column in {"listed": "on_demand", "storage": "usd_per_gb_month"}.items():
        assert all(float(row[column]) > 0 for row in tables.rows(name)), name
    known = PRICES.select("on_demand", "spot", "listed").min()
    assert all(lowest > 0 for lowest in known.row(0))
