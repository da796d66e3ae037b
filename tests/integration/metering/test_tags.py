"""Rows of every kind bear the tags by which people ask for their money."""

import json
from collections.abc import Mapping
from typing import Any, get_args

import polars as pl
import pytest

from freehold.adapters.disk.object_store import DiskObjectStore
from freehold.app.costs.costs import asked, costs
from freehold.app.site.stored import look_at_store
from freehold.costs.usage import UsageKind

OF_THE_PROJECT = {"project": "shop", "team": "growth", "environment": "test"}
"""What the project file says: its name and its `tags:`."""
OF_A_MODEL = ("step", "endpoint", "requests")
"""Kinds whose rows are of one model. A store and a line between places are of all models."""
COLUMNS = {
    "environment": "x_Environment",
    "model": "x_Model",
    "project": "x_Project",
    "site": "x_Site",
    "team": "x_Team",
    "version": "x_Version",
}
"""Tag → the column that repeats it."""
HOUR = 3600


def consumed(consumer: Any) -> list[dict[str, Any]]:
    """Rows of a site that did something of every kind."""
    store = DiskObjectStore(consumer.folder / "store")
    store.put("one", b"x" * 4_000_000)
    consumer.site.artifacts.put(b"y" * 4_000_000)
    look_at_store(consumer.site, store)
    consumer.meter()
    start = consumer.clock.now
    consumer.run("r1")
    consumer.step(HOUR, run="r1", step="fit")
    look_at_store(consumer.site, store)
    consumer.moves(sent=3_000_000_000, fetched=1_000_000_000)
    consumer.beat("1-1", start, v1=2700.0, v2=900.0)
    consumer.log_part(100)
    consumer.log_part(50, edge="kiosk")
    consumer.meter()
    rows: list[dict[str, Any]] = consumer.rows().to_dicts()
    return rows


def of_kind(rows: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [row for row in rows if row["x_Kind"] == kind]


def by_resource(rows: list[dict[str, Any]], kind: str, *keys: str) -> dict[Any, dict[str, str]]:
    """What tells the rows of a kind apart → the tags."""
    return {tuple(row[key] for key in keys): json.loads(row["Tags"]) for row in of_kind(rows, kind)}


def test_every_row_of_every_kind_bears_project_team_environment_and_site(consumer: Any) -> None:
    rows = consumed(consumer)
    assert {row["x_Kind"] for row in rows} == set(get_args(UsageKind))
    for row in rows:
        tags = json.loads(row["Tags"])
        assert OF_THE_PROJECT.items() <= tags.items(), row["x_Kind"]
        assert tags["site"] == row["x_Site"] == row["SubAccountId"] != "", row["x_Kind"]


@pytest.mark.parametrize("kind", OF_A_MODEL)
def test_rows_of_what_is_a_models_bear_the_model(consumer: Any, kind: str) -> None:
    found = of_kind(consumed(consumer), kind)
    assert found
    assert {json.loads(row["Tags"])["model"] for row in found} == {"churn"}


def test_stored_bytes_bear_them_for_what_lies_here_and_for_the_store(consumer: Any) -> None:
    found = by_resource(consumed(consumer), "storage", "SkuId")
    tags = {**OF_THE_PROJECT, "site": "here"}
    assert found == {("objects",): tags, ("store",): tags}


def test_transferred_bytes_bear_them_with_the_place_that_pays_and_whereto(consumer: Any) -> None:
    found = by_resource(consumed(consumer), "transfer", "SkuId")
    shared = {**OF_THE_PROJECT, "metered": "here"}
    assert found == {
        ("here to there",): {**shared, "site": "here", "destination": "there"},
        ("there to here",): {**shared, "site": "there", "destination": "here"},
    }


def test_replica_hours_bear_them_with_the_version_that_was_served(consumer: Any) -> None:
    found = by_resource(consumed(consumer), "endpoint", "x_Version")
    shared = {**OF_THE_PROJECT, "site": "here", "model": "churn"}
    assert found == {("1",): {**shared, "version": "1"}, ("2",): {**shared, "version": "2"}}


def test_requests_bear_them_with_the_place_that_was_asked(consumer: Any) -> None:
    """An edge's are counted at the edge, though its log is metered here."""
    found = by_resource(consumed(consumer), "requests", "x_Site", "SkuId")
    shared = {**OF_THE_PROJECT, "model": "churn", "version": "1"}
    assert found == {
        (site, sku): {**shared, "site": site}
        for site in ("here", "kiosk")
        for sku in ("requests", "predictions")
    }


def test_the_columns_that_repeat_tags_say_the_same(consumer: Any) -> None:
    for row in consumed(consumer):
        tags: Mapping[str, str] = json.loads(row["Tags"])
        told = {tag: row[column] for tag, column in COLUMNS.items()}
        assert told == {tag: tags.get(tag) for tag in COLUMNS}, row["x_Kind"]


@pytest.mark.parametrize("key", ["project", "team", "environment", "tag:team", "tag:environment"])
def test_all_money_is_found_by_each_tag(consumer: Any, key: str) -> None:
    """No row stands apart as nobody's."""
    rows = consumed(consumer)
    (total,) = costs(consumer.site, asked([key]))["totals"]
    assert total[key] == OF_THE_PROJECT[key.removeprefix("tag:")]
    assert total["rows"] == len(rows)
    assert total["effective"] == pytest.approx(sum(row["EffectiveCost"] for row in rows))


def test_what_budgets_read_bears_the_projects_tags_for_every_kind(consumer: Any) -> None:
    consumed(consumer)
    spent = consumer.spent()
    assert {one.kind for one in spent} == set(get_args(UsageKind))
    for one in spent:
        told = {"project": "shop", **one.tags}
        assert OF_THE_PROJECT.items() <= told.items(), one.kind
        assert one.site and bool(one.model) == (one.kind in OF_A_MODEL), one.kind


def test_a_step_of_a_run_that_is_not_known_here_bears_the_projects_tags(consumer: Any) -> None:
    """Which pipeline it was of is not known, nor therefore which model."""
    consumer.step(HOUR, run="unheard-of")
    consumer.meter()
    (row,) = consumer.rows().filter(pl.col("x_Kind") == "step").to_dicts()
    tags = json.loads(row["Tags"])
    assert {**OF_THE_PROJECT, "site": "here"}.items() <= tags.items()
    assert "model" not in tags and "pipeline" not in tags
