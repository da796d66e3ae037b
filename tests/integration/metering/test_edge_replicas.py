"""What a bundle's endpoint served is metered by who takes its reports in, once."""

from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from freehold.app.costs.meter import meter
from tests.integration.metering.conftest import TARIFF


def hours(consumer: Any) -> dict[str, float]:
    """By version, of rows that stand at the bundle's own site."""
    rows = consumer.rows().filter(pl.col("x_Kind") == "endpoint")
    assert set(rows["x_Site"]) <= {"there"}
    return dict(rows.group_by("x_Version").agg(pl.col("PricingQuantity").sum()).iter_rows())


def test_each_report_adds_what_was_served_since_the_one_before(consumer: Any) -> None:
    start = consumer.clock.now
    consumer.clock.pass_seconds(3600)
    consumer.edge_replica(start, v1=3600.0)
    consumer.meter()
    assert hours(consumer) == pytest.approx({"1": 1.0})
    consumer.clock.pass_seconds(1800)
    consumer.edge_replica(start, v1=3600.0, v2=1800.0)
    consumer.edge_replica(start, v1=3600.0, v2=1800.0)
    consumer.edge_replica(start, v1=1200.0)
    consumer.meter()
    assert hours(consumer) == pytest.approx({"1": 1.0, "2": 0.5})
    assert consumer.meter() is None
    consumer.edge_replica(start + 1, v2=1800.0)
    consumer.meter()
    assert hours(consumer) == pytest.approx({"1": 1.0, "2": 1.0}), "another box of the same place"


def test_its_rows_bear_the_tags_and_the_place_of_the_bundle(consumer: Any) -> None:
    consumer.clock.pass_seconds(3600)
    consumer.edge_replica(consumer.clock.now - 3_600_000_000, v1=3600.0)
    consumer.meter()
    (row,) = consumer.rows().filter(pl.col("x_Kind") == "endpoint").iter_rows(named=True)
    assert (row["x_Site"], row["x_Model"], row["x_Version"]) == ("there", "churn", "1")
    assert row["ResourceType"] == "Endpoint Replica"
    assert row["x_Unpriced"], "nobody said what machine stands there"


def test_it_is_priced_where_its_site_has_one_machine_type(consumer: Any) -> None:
    consumer.edge_replica(consumer.clock.now - 3_600_000_000, v1=3600.0)
    consumer.clock.pass_seconds(0.001)
    known = replace(TARIFF, sole_machine_of=lambda site: "m5.large" if site == "there" else "")
    meter(consumer.site, known)
    (row,) = consumer.rows().filter(pl.col("x_Kind") == "endpoint").iter_rows(named=True)
    assert (row["SkuId"], row["x_Unpriced"]) == ("m5.large", False)
    assert row["EffectiveCost"] > 0
