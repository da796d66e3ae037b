"""What a site consumed is metered once, with what is known of it."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from freehold.app.costs.meter import meter
from freehold.app.costs.tariff import tariff_of
from freehold.app.site.opening import open_site
from freehold.domain.fact import Draft

SECOND, HOUR = 1_000_000, 3_600_000_000


def test_a_step_costs_its_time_on_its_machine(consumer: Any) -> None:
    consumer.run("r1")
    consumer.step(1800, run="r1", step="fit")
    done = consumer.meter()
    assert done is not None and done.rows == 1 and done.unpriced == 0
    (row,) = consumer.rows().filter(pl.col("x_Kind") == "step").to_dicts()
    assert row["ConsumedQuantity"] == pytest.approx(0.5) and row["ConsumedUnit"] == "Hours"
    assert row["BilledCost"] == pytest.approx(0.18)
    assert row["x_CarbonKilograms"] == pytest.approx(0.025)
    assert (row["ProviderName"], row["RegionId"], row["SkuId"]) == ("AWS", "eu-west-1", "m5.large")
    assert json.loads(row["Tags"]) == {
        "environment": "test",
        "model": "churn",
        "pipeline": "train",
        "project": "shop",
        "run": "r1",
        "site": "here",
        "step": "fit",
        "team": "growth",
    }
    (spent,) = [one for one in consumer.spent() if one.kind == "step"]
    assert (spent.day, spent.run, spent.pipeline, spent.model) == (
        "2026-11-02",
        "r1",
        "train",
        "churn",
    )
    assert spent.money == pytest.approx(0.18) and dict(spent.tags)["team"] == "growth"


def test_where_a_step_says_its_machine_and_site_these_hold(consumer: Any) -> None:
    consumer.step(3600, site="there", machine="a2-highgpu-1g", spot=True)
    done = consumer.meter()
    assert done is not None and done.unpriced == 1
    (row,) = consumer.rows().filter(pl.col("x_Kind") == "step").to_dicts()
    assert (row["x_Site"], row["SkuId"], row["PricingCategory"]) == (
        "there",
        "a2-highgpu-1g",
        "Dynamic",
    )
    assert row["x_Unpriced"] is True and row["BilledCost"] == 0
    assert row["ConsumedQuantity"] == pytest.approx(1.0)


def test_cached_steps_and_empty_log_parts_are_nothing(consumer: Any) -> None:
    consumer.meter()
    consumer.step(0.0, cached=True)
    consumer.log_part(0)
    assert consumer.meter() is None


def test_a_failed_attempt_costs_what_it_took(consumer: Any) -> None:
    consumer.clock.pass_seconds(60)

    body = {
        "attachment": "",
        "attempt": 1,
        "code": "step.raised",
        "function": "steps:train",
        "microseconds": 60 * SECOND,
        "run": "r1",
        "step": "fit",
    }
    consumer.site.ledger.append([Draft("step.failed", body)])
    consumer.meter()
    (row,) = consumer.rows().filter(pl.col("x_Kind") == "step").to_dicts()
    assert row["ConsumedQuantity"] == pytest.approx(1 / 60)
    assert json.loads(row["Tags"])["outcome"] == "failed"


def test_metering_twice_changes_nothing(consumer: Any) -> None:
    consumer.step(60)
    consumer.moves(sent=5_000_000, fetched=7_000_000)
    consumer.beat("1-1", consumer.clock.now - 60 * SECOND, v1=60.0)
    consumer.log_part(100)
    assert consumer.meter() is not None
    before, entries = consumer.rows(), len(consumer.facts("usage.metered"))
    for _ in range(3):
        assert consumer.meter() is None
    assert consumer.rows().equals(before)
    assert len(consumer.facts("usage.metered")) == entries


def test_bytes_that_leave_a_place_are_on_its_bill(consumer: Any) -> None:
    consumer.moves(sent=3_000_000_000, fetched=1_000_000_000)
    consumer.meter()
    rows = consumer.rows().filter(pl.col("x_Kind") == "transfer").sort("x_Site").to_dicts()
    assert [(row["x_Site"], row["SkuId"], row["ConsumedQuantity"]) for row in rows] == [
        ("here", "here to there", pytest.approx(3.0)),
        ("there", "there to here", pytest.approx(1.0)),
    ]
    assert [row["ProviderName"] for row in rows] == ["AWS", "Google Cloud"]
    assert not list((consumer.site.folder / "metering" / "moved").iterdir())


def test_an_exchange_that_goes_on_is_metered_by_and_by(consumer: Any) -> None:
    counted = consumer.moves(sent=100_000_000, ended=False)
    consumer.meter()
    assert consumer.quantity("transfer") == pytest.approx(0.1)
    counted.sent("there", 50_000_000)
    consumer.clock.pass_seconds(1)
    counted.end()
    consumer.meter()
    assert consumer.quantity("transfer") == pytest.approx(0.15)
    assert consumer.meter() is None


def test_few_bytes_wait_so_that_a_quiet_site_stays_quiet(consumer: Any) -> None:
    consumer.meter()
    consumer.moves(sent=2_000)
    assert consumer.meter() is None
    consumer.clock.pass_seconds(3601)
    assert consumer.meter() is not None
    assert consumer.quantity("transfer") == pytest.approx(2e-6)


def test_a_replica_counts_by_version_until_its_last_beat(consumer: Any) -> None:
    start = consumer.clock.now
    consumer.meter()
    consumer.clock.pass_seconds(3600)
    path = consumer.beat("1-1", start, v1=2700.0, v2=900.0)
    consumer.meter()
    consumer.clock.pass_seconds(3600)
    consumer.beat("1-1", start, v1=5400.0, v2=1800.0)
    consumer.meter()
    rows = consumer.rows().filter(pl.col("x_Kind") == "endpoint")
    by_version = dict(rows.group_by("x_Version").agg(pl.col("ConsumedQuantity").sum()).iter_rows())
    assert by_version == {"1": pytest.approx(1.5), "2": pytest.approx(0.5)}
    assert rows["BilledCost"].sum() == pytest.approx(2 * 0.36)
    # It was killed: nothing comes any more, and after a day its file goes.
    consumer.clock.pass_seconds(2 * 86_400)
    consumer.meter()
    assert consumer.quantity("endpoint") == pytest.approx(2.0)
    assert not path.exists()


def test_requests_and_predictions_are_counted_by_version(consumer: Any) -> None:
    variants = [
        {"version": 1, "requests": 10, "rows": 950, "failed": 0},
        {"version": 2, "requests": 2, "rows": 40, "failed": 10},
    ]
    consumer.log_part(1000, variants=variants)
    consumer.meter()
    rows = consumer.rows().filter(pl.col("x_Kind") == "requests")
    found = {(row["x_Version"], row["SkuId"]): row["ConsumedQuantity"] for row in rows.to_dicts()}
    assert found == {
        ("1", "requests"): 0.01,
        ("1", "predictions"): 0.95,
        ("2", "requests"): 0.002,
        ("2", "predictions"): 0.04,
        ("2", "failed-predictions"): 0.01,
    }
    assert rows["BilledCost"].sum() == 0 and not rows["x_Unpriced"].any()


def test_a_part_of_an_earlier_release_counts_without_its_versions(consumer: Any) -> None:
    consumer.log_part(500)
    fact = consumer.facts("log.recorded")[-1]["body"]
    del fact["variants"]

    consumer.site.ledger.append([Draft("log.recorded", {**fact, "file": "old.parquet"})])
    consumer.meter()
    rows = consumer.rows().filter(pl.col("SkuId") == "predictions")
    assert sorted(rows["x_Version"].to_list(), key=str) == ["1", None]
    assert rows["ConsumedQuantity"].sum() == pytest.approx(1.0)


def test_storage_is_the_mean_of_two_looks_an_hour_apart(consumer: Any) -> None:
    consumer.site.artifacts.put(b"x" * 4_000_000)
    consumer.meter()
    assert consumer.quantity("storage") == 0
    consumer.site.artifacts.put(b"y" * 4_000_000)
    consumer.clock.pass_seconds(1800)
    assert consumer.meter() is None
    consumer.clock.pass_seconds(1801)
    consumer.meter()
    assert consumer.quantity("storage") == pytest.approx(0.006, rel=0.01)
    price = consumer.rows().filter(pl.col("x_Kind") == "storage")["ListUnitPrice"][0]
    assert price == pytest.approx(0.001)


def test_a_step_over_midnight_stands_in_both_days(consumer: Any) -> None:
    consumer.clock.pass_seconds(15 * 3600 - 600)
    consumer.step(1200)
    consumer.meter()
    days = {one.day: one.money for one in consumer.spent() if one.kind == "step"}
    assert days == {"2026-11-02": pytest.approx(0.06), "2026-11-03": pytest.approx(0.06)}


def test_the_project_file_says_prices(consumer: Any) -> None:
    tariff = tariff_of(consumer.site.project)
    price = tariff.price_of("here", "m5.large", False)
    assert price is not None and price.value == 0.36 and "freehold.yaml:" in price.source
    assert tariff.price_of("here", "m5.large", True) is None
    assert tariff.price_of("there", "m5.large", False) is None
    assert tariff.machine == "m5.large"
    consumer.step(3600)
    meter(consumer.site)
    assert consumer.rows()["BilledCost"].sum() == pytest.approx(0.36)


def test_a_site_without_prices_is_told_not_free(tmp_path: Path, consumer: Any) -> None:
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "freehold.yaml").write_text("project: p\npipelines: {}\n")
    with open_site(tmp_path / "plain", consumer.clock) as site:
        other = type(consumer)(tmp_path / "plain", consumer.clock, site)
        other.step(60)
        done = meter(site)
        assert done is not None and done.unpriced == done.rows == 1
        assert other.rows()["x_Unpriced"].to_list() == [True]
