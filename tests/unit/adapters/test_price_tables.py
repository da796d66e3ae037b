"""The shipped tables' own laws; nothing here asks a network."""

import csv
import importlib.util
import math
import re
from collections import Counter
from pathlib import Path
from types import ModuleType

import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from freehold.adapters.price_tables import source as shipped
from freehold.adapters.price_tables import tables
from freehold.adapters.price_tables.source import ShippedPrices

ROOT = Path(__file__).parents[3]
PRICES = pl.read_parquet(tables.DATA / "prices.parquet")
SIZES = pl.read_parquet(tables.DATA / "sizes.parquet")
LISTED = tables.rows("listed")
TOLERANCE = 0.01
"""Of a row of `listed.csv` against the price file."""


def mending() -> ModuleType:
    spec = importlib.util.spec_from_file_location("mending", ROOT / "tools/prices/mending.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class TestOwnTable:
    def test_it_has_what_teams_use(self) -> None:
        types = {(row["provider"], row["machine"]) for row in LISTED}
        assert len(types) >= 40
        assert min(Counter(provider for provider, _ in types).values()) >= 10
        kinds = {tables.sizes(provider)[name].hardware.accelerator for provider, name in types}
        assert {"t4", "l4", "v100", "a10g", "a100-40gb", "a100-80gb", "h100"} <= kinds

    def test_every_row_has_a_price_and_a_dated_source(self) -> None:
        known = tables.keyed("sources", "source")
        for row in LISTED:
            assert float(row["on_demand"]) > 0
            spot = row["spot"]
            assert bool(spot) == bool(row["spot_source"])
            assert not spot or 0 < float(spot) < float(row["on_demand"]), row
            assert known[(row["source"],)]["words"]
            assert known[(row["source"],)]["date"], row
            assert not spot or known[(row["spot_source"],)]["date"], row

    def test_nothing_is_said_twice(self) -> None:
        for name, columns in {
            "listed": ("provider", "region", "machine"),
            "listed_sizes": ("provider", "machine"),
            "grid": ("provider", "region"),
            "processors": ("provider", "processor"),
            "accelerators": ("accelerator",),
            "providers": ("provider",),
            "sources": ("source",),
            "storage": ("provider", "region"),
            "transfer": ("provider", "to"),
        }.items():
            assert len(tables.keyed(name, *columns)) == len(tables.rows(name)) > 0

    def test_it_agrees_with_the_price_file_or_says_why_not(self) -> None:
        compared = 0
        for row in LISTED:
            entry = tables.listed(row["provider"], row["region"]).get(row["machine"])
            if entry is None or entry.on_demand is None:
                assert row["differs"] == "", row
                continue
            compared += 1
            apart = abs(entry.on_demand / float(row["on_demand"]) - 1)
            assert bool(row["differs"]) == (apart > TOLERANCE), (row, entry)
        assert compared > 100


class TestTables:
    def test_every_source_that_is_named_is_known_and_used(self) -> None:
        named = set()
        for path in tables.DATA.glob("*.csv"):
            with path.open(newline="", encoding="utf-8") as file:
                for row in csv.DictReader(file):
                    assert None not in row, (path.name, row)
                    if path.stem != "sources":
                        named |= {row[key] for key in ("source", "spot_source") if row.get(key)}
        assert named == {row["source"] for row in tables.rows("sources")}

    def test_dates_are_iso(self) -> None:
        dates = [row["date"] for row in tables.rows("sources")] + [tables.origin()["date"]]
        assert all(re.fullmatch(r"(\d{4}(-\d\d(-\d\d)?)?)?", day) for day in dates)

    def test_a_zero_of_the_price_file_is_unknown_and_never_given(self) -> None:
        assert PRICES.filter(pl.col("on_demand") <= 0).height == 0
        assert PRICES.filter(pl.col("spot") <= 0).height == 0
        unknown = PRICES.filter(pl.col("on_demand").is_null() & (pl.col("provider") == "aws"))
        assert unknown.height > 2000
        machine = ShippedPrices().machine("aws", "us-east-1", "c5.9xlarge")
        assert machine.on_demand is None
        assert machine.spot is None
        assert machine.hardware.cpus == 36

    def test_spot_is_below_on_demand_in_every_row(self) -> None:
        assert PRICES.filter(pl.col("spot") >= pl.col("on_demand")).height == 0

    def test_every_type_has_a_size_and_every_size_a_power(self) -> None:
        for provider in shipped.PROVIDERS:
            sizes = tables.sizes(provider)
            sold = set(PRICES.filter(pl.col("provider") == provider)["machine"])
            sold |= {row["machine"] for row in LISTED if row["provider"] == provider}
            assert sold == set(sizes)
            for name, size in sizes.items():
                assert size.hardware.cpus > 0, name
                assert size.hardware.memory > 0, name
                assert shipped._watts(provider, size) is not None, name

    def test_power_and_carbon_are_of_a_sensible_size(self) -> None:
        for row in (*tables.rows("processors"), *tables.rows("accelerators")):
            assert 0 < float(row["idle_watts"]) < float(row["full_watts"]) < 1000, row
        for row in tables.rows("grid"):
            assert 1 < float(row["grams_per_kwh"]) < 1000, row
        for row in tables.rows("providers"):
            assert 1 <= float(row["overhead"]) < 2

    def test_what_was_published_wrongly_is_mended_and_says_so(self) -> None:
        source = ShippedPrices()
        for region, grams in {"finlandcentral": 77, "germanywestcentral": 402}.items():
            found = source.grid_carbon("azure", region)
            assert found is not None
            assert found.value == grams
            assert "decimal point" in found.source

    @pytest.mark.parametrize("provider", shipped.PROVIDERS)
    def test_every_machine_of_every_region_can_be_asked(self, provider: str) -> None:
        source, asked = ShippedPrices(), 0
        for region in sorted(shipped.regions(provider)):
            for name in sorted(shipped.machines(provider, region)):
                machine = source.machine(provider, region, name)
                for figure in (machine.on_demand, machine.spot, machine.watts):
                    assert figure is None or (figure.value > 0 and figure.source)
                if machine.spot and machine.on_demand:
                    assert machine.spot.value < machine.on_demand.value
                asked += 1
        assert asked > 2000

    def test_what_is_assumed_says_so(self) -> None:
        spot = ShippedPrices().machine("aws", "us-east-1", "m6i.large").spot
        assert spot is not None
        assert spot.source.startswith("assumed: 65% under on demand (0.096 USD/h)")
        assert math.isclose(spot.value, 0.096 * 0.35)
        storage = ShippedPrices().storage("aws", "eu-west-3")
        assert storage is not None
        assert "assumed" in storage.source

    def test_transfers_are_those_of_the_origin(self) -> None:
        source = ShippedPrices()

        def cost(*pair: tuple[str, str]) -> float:
            found = source.transfer(*pair)
            assert found is not None
            return found.value

        aws, other, google = ("aws", "us-east-1"), ("aws", "us-west-2"), ("gcp", "us-west1")
        assert cost(aws, other) == 0.02
        assert cost(aws, google) == cost(aws, ("", "")) == 0.09
        assert cost(google, aws) == 0.12
        assert cost(("", "rack"), aws) == cost(aws, aws) == 0

    def test_nearest_names_heed_no_case(self) -> None:
        with pytest.raises(shipped.NotFound, match="Standard_NC24ads_A100_v4"):
            ShippedPrices().machine("azure", "eastus", "standard_nc24ads_a100_v4")

    def test_it_is_small(self) -> None:
        assert sum(path.stat().st_size for path in tables.DATA.iterdir()) < 1_500_000


SIZES_OF_A_FAMILY = ("large", "xlarge", "2xlarge", "4xlarge", "9xlarge", "24xlarge")
types = st.sampled_from([f"m5.{size}" for size in SIZES_OF_A_FAMILY])
regions = st.sampled_from([f"region-{at}" for at in range(6)])


class TestMending:
    """A family's sizes cost the same per unit of size; a dedicated entry lies above."""

    @given(
        st.sets(st.tuples(types, regions), max_size=18),
        st.sampled_from([1.06, 1.1]),
        st.floats(0.01, 2),
    )
    def test_dedicated_entries_come_back_to_the_shared_price(
        self, dedicated: set[tuple[str, str]], dearer: float, base: float
    ) -> None:
        module = mending()
        shared = {
            (f"m5.{size}", f"region-{at}"): base * (1 + 0.07 * at) * module.size(f"m5.{size}")
            for size in SIZES_OF_A_FAMILY
            for at in range(6)
        }
        of_region = Counter(region for _, region in dedicated)
        assume(all(count <= len(SIZES_OF_A_FAMILY) - 2 for count in of_region.values()))
        table = {key: price * (dearer if key in dedicated else 1) for key, price in shared.items()}
        found = module.mended(table)
        assert set(found) == dedicated
        for key, price in found.items():
            assert price == pytest.approx(shared[key], rel=1e-3)

    @given(
        st.dictionaries(
            st.tuples(types, regions), st.floats(0.01, 100, allow_nan=False), max_size=24
        )
    )
    def test_it_only_lowers_and_never_by_more_than_a_dedicated_machine_costs(
        self, table: dict[tuple[str, str], float]
    ) -> None:
        for key, price in mending().mended(table).items():
            assert 0.87 * table[key] < price < table[key]

    def test_families_that_are_not_priced_by_size_are_left_alone(self) -> None:
        uneven = {f"g5.{size}": 1 + 0.2 * at for at, size in enumerate(SIZES_OF_A_FAMILY)}
        table = {(name, "here"): price for name, price in uneven.items()}
        assert mending().mended(table) == {}

    def test_the_shipped_table_is_mended_within_those_bounds(self) -> None:
        changed = PRICES.filter(pl.col("listed").is_not_null())
        ratio = changed["listed"] / changed["on_demand"]
        assert set(changed["provider"]) == {"aws"}
        assert 1000 < changed.height < 2500
        assert 1.03 < min(ratio) < max(ratio) < 1.14
