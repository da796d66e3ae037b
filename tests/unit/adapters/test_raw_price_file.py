"""The price file itself: what it has at zero became no price. apache-libcloud has it, which lies
in an environment of its own.
"""

import json
from pathlib import Path

import polars as pl
import pytest

from freehold.adapters.price_tables import tables

ROOT = Path(__file__).parents[3]
WHERE = ".environments/prices/lib/python*/site-packages/libcloud/data/pricing.json"
ENTRIES, ZEROS = 15_589, 2_754
"""AWS, Linux: of apache-libcloud 3.9.1."""


@pytest.fixture(scope="module")
def entries() -> dict[tuple[str, str], float]:
    """Type and region → USD an hour."""
    found = list(ROOT.glob(WHERE))
    if len(found) != 1:
        pytest.fail(f"{WHERE} is not there: run `make .environments/prices/made`")
    listed = json.loads(found[0].read_text())["compute"]["ec2_linux"]
    return {(name, at): price for name, regions in listed.items() for at, price in regions.items()}


def test_so_many_of_its_entries_are_zero(entries: dict[tuple[str, str], float]) -> None:
    assert len(entries) == ENTRIES
    assert sum(price == 0 for price in entries.values()) == ZEROS


def test_what_is_unknown_in_the_table_is_what_is_zero_in_the_file(
    entries: dict[tuple[str, str], float],
) -> None:
    """Of the types whose size is known; the others are in no table."""
    table = pl.read_parquet(tables.DATA / "prices.parquet").filter(pl.col("provider") == "aws")
    ours = {
        (row["machine"], row["region"]): row["on_demand"] for row in table.iter_rows(named=True)
    }
    assert ours.keys() <= entries.keys()
    sized = {machine for machine, _ in ours}
    zeros = {key for key, price in entries.items() if price == 0}
    assert {key for key, price in ours.items() if price is None} == {
        key for key in zeros if key[0] in sized
    }
    assert not {key for key in zeros if key[0] not in sized} & ours.keys()
