"""The product's table of columns, and a metered row of every kind, against the specification's own
rules."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import polars as pl
import pytest
from focus import rules
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.costs.focus import COLUMNS, FOCUS, TAGGED, frame_of, schema
from freehold.costs.services import SUBCATEGORIES
from freehold.costs.usage import SERVICES, Usage, frame_of_usage

LEVELS = {"M": "mandatory", "R": "recommended", "C": "conditional"}
KINDS = {"number": "decimal", "time": "time", "map": "map"}
RACKS = Usage(
    kind="step",
    site="racks",
    provider="Acme Steel",
    region="hamburg",
    resource_id="run-1/train",
    resource_name="train",
    resource_type="Pipeline Step",
    sku="dl380",
    quantity=3.5,
    unit="Hours",
    unit_price=1.2,
    currency="EUR",
    start=datetime(2026, 1, 31, 22, tzinfo=UTC),
    end=datetime(2026, 2, 1, 1, 30, tzinfo=UTC),
    tags={"project": "delay", "model": "delay", "team": "", "cost centre": "42"},
    carbon=7.0,
)


def test_the_table_is_the_specifications() -> None:
    assert {column.name for column in FOCUS} == set(rules.COLUMNS)
    for column in FOCUS:
        level, kind, needed, _ = rules.COLUMNS[column.name]
        assert column.level == LEVELS[level], column.name
        assert column.kind == KINDS.get(kind, "text"), column.name
        # BillingAccountType is null only where there is no account, and there always is one.
        assert column.nullable != needed or column.name == "BillingAccountType"
        if column.name in rules.LISTED:
            assert "|".join(column.allowed) == rules.LISTED[column.name]
    assert {name: set(below) for name, below in SUBCATEGORIES.items()} == rules.SUBCATEGORIES


def test_columns_of_ours_say_that_they_are() -> None:
    assert [c.name for c in COLUMNS if c.level == "custom"] == [
        c.name for c in COLUMNS if c.name.startswith("x_")
    ]
    assert set(TAGGED.values()) <= set(schema())


def test_a_night_is_two_days_and_two_months() -> None:
    frame = frame_of_usage([RACKS])
    assert frame["EffectiveCost"].to_list() == pytest.approx([2.4, 1.8])
    assert frame["ChargePeriodEnd"][0] == frame["ChargePeriodStart"][1]
    assert frame["BillingPeriodStart"].dt.month().to_list() == [1, 2]
    assert frame["x_CarbonKilograms"].to_list() == pytest.approx([4.0, 3.0])
    assert frame["ProviderName"].to_list() == ["Acme Steel"] * 2
    assert frame["x_Model"].to_list() == ["delay"] * 2
    assert frame["x_Team"].to_list() == [None] * 2
    assert '"cost centre": "42"' in frame["Tags"][0]


def test_a_row_has_one_name_wherever_it_is_metered() -> None:
    names = frame_of_usage([RACKS])["x_RowId"].to_list()
    dearer = replace(RACKS, unit_price=9.0, quantity=7.0, carbon=None)
    assert frame_of_usage([dearer])["x_RowId"].to_list() == names
    other = replace(RACKS, tags={"model": "fraud"})
    assert not set(frame_of_usage([other])["x_RowId"]) & set(names)


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ({"quantity": 0.0}, "its quantity is nothing"),
        ({"quantity": float("nan")}, "its quantity is nan"),
        ({"unit_price": -1.0}, "its unit price is -1.0"),
        ({"carbon": float("inf")}, "its carbon is inf"),
        ({"currency": "€"}, "'€' is no ISO 4217 code"),
        ({"unit": "hours"}, "'hours' is no unit of FOCUS"),
        ({"sku": ""}, "it has no sku"),
        ({"resource_type": ""}, "a resource has an id and a type"),
        ({"end": RACKS.start}, "it ends before it begins"),
        ({"start": datetime(2026, 1, 1)}, "its times have no zone"),
    ],
)
def test_what_is_no_usage(wrong: Mapping[str, Any], what: str) -> None:
    with pytest.raises(ValueError, match=f"not a usage: .*{what}"):
        replace(RACKS, **wrong)


TEXT = st.text(st.characters(exclude_categories=("C", "Z")), max_size=12)
NEEDED = TEXT.filter(bool)
ZONES = st.integers(-14, 14).map(lambda hours: timezone(timedelta(hours=hours)))
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2090, 1, 1), timezones=ZONES)
SPANS = st.integers(1, 40 * 86_400_000_000).map(lambda count: timedelta(microseconds=count))
KEYS = st.one_of(st.sampled_from(sorted(TAGGED)), NEEDED)


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    start, resource = draw(MOMENTS), draw(TEXT)
    return Usage(
        kind=draw(st.sampled_from(sorted(SERVICES))),
        site=draw(NEEDED),
        provider=draw(st.sampled_from(("aws", "azure", "gcp", "Acme"))),
        region=draw(TEXT),
        resource_id=resource,
        resource_name=draw(TEXT) if resource else "",
        resource_type="Thing" if resource else "",
        sku=draw(NEEDED),
        quantity=draw(st.floats(1e-9, 1e12)),
        unit=draw(st.sampled_from(("Hours", "GB-Hours", "GiB", "1000 Requests", "Seconds"))),
        unit_price=draw(st.one_of(st.just(0.0), st.floats(1e-9, 1e6))),
        currency=draw(st.sampled_from(("USD", "EUR", "JPY"))),
        start=start,
        end=start + draw(SPANS),
        tags=draw(st.dictionaries(KEYS, TEXT, max_size=4)),
        carbon=draw(st.one_of(st.none(), st.floats(0, 1e6))),
        spot=draw(st.booleans()),
        account=draw(TEXT),
    )


@settings(deadline=None)
@given(st.lists(usages(), max_size=4))
def test_every_metered_row_is_conformant(many: list[Usage]) -> None:
    assert rules.faults_of(frame_of_usage(many)) == []


@settings(deadline=None)
@given(usages())
def test_days_add_up(one: Usage) -> None:
    frame = frame_of_usage([one])
    assert frame["PricingQuantity"].sum() == pytest.approx(one.quantity, rel=1e-6)
    assert frame["EffectiveCost"].sum() == pytest.approx(one.quantity * one.unit_price, rel=1e-6)
    assert frame["ChargePeriodStart"].dt.date().is_unique().all()
    assert frame["ChargePeriodStart"].min() >= one.start
    assert frame["ChargePeriodEnd"].max() <= one.end
    assert frame["x_RowId"].is_unique().all()
    if one.carbon is not None:
        assert frame["x_CarbonKilograms"].sum() == pytest.approx(one.carbon, rel=1e-6)


BREACHES: list[tuple[str, Any]] = [
    ("BilledCost", None),
    ("BillingCurrency", "euro"),
    ("ChargeCategory", "Use"),
    ("ChargePeriodEnd", RACKS.start),
    ("BillingPeriodStart", RACKS.end),
    ("ConsumedUnit", None),
    ("ContractedCost", 3.0),
    ("ListUnitPrice", -1.2),
    ("PricingUnit", "hours"),
    ("RegionName", None),
    ("ResourceName", "run-1/train"),
    ("ResourceType", None),
    ("ServiceSubcategory", "Object Storage"),
    ("SkuPriceId", None),
    ("SubAccountType", ""),
    ("Tags", '{"a": {"b": 1}}'),
    ("Tags", '{"a": 1, "a": 2}'),
]


@pytest.mark.parametrize(("column", "value"), BREACHES)
def test_the_rules_see_a_breach(column: str, value: Any) -> None:
    row = {**next(RACKS.rows()), column: value}
    assert rules.faults_of(frame_of([row]))


def test_the_rules_see_a_missing_column_and_a_strange_one() -> None:
    frame = frame_of_usage([RACKS])
    assert rules.faults_of(frame.drop("BilledCost")) == ["BilledCost is missing"]
    assert rules.faults_of(frame.with_columns(pl.lit(1).alias("Cost")))
