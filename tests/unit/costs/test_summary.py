"""Sums: nothing is lost, nothing is counted twice, no two currencies are added."""

from collections import defaultdict
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.costs.focus import schema
from freehold.costs.summary import (
    KEYS,
    Covered,
    Rate,
    counted_once,
    idle,
    totals,
    totals_in,
)
from freehold.costs.usage import Usage, frame_of_usage
from freehold.domain.errors import Refused, WrongUsage

START = datetime(2026, 1, 10, tzinfo=UTC)
USAGE = Usage(
    kind="endpoint",
    site="racks",
    provider="Acme",
    sku="dl380",
    quantity=1.0,
    unit="Hours",
    unit_price=2.0,
    currency="EUR",
    start=START,
    end=START + timedelta(hours=1),
    tags={"model": "delay", "team": "risk", "cost centre's": "a.b"},
    carbon=0.5,
)


def at(hour: int, **others: Any) -> Usage:
    start = START + timedelta(hours=hour)
    return replace(USAGE, start=start, end=start + timedelta(hours=1), **others)


def summed(usages: list[Usage], *by: str) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    frame = totals(frame_of_usage(usages).lazy(), by).collect()
    cut = len(by) + 1
    return {row[:cut]: row[cut:] for row in frame.iter_rows()}


def test_by_model_and_day() -> None:
    night = replace(at(23), end=START + timedelta(hours=25), quantity=2.0)
    told = summed([USAGE, night, at(3, currency="USD", carbon=None)], "model", "day")
    assert told == {
        ("delay", date(2026, 1, 10), "EUR"): (4.0, 4.0, 1.0 - 0.25, 2),
        ("delay", date(2026, 1, 11), "EUR"): (2.0, 2.0, 0.25, 1),
        ("delay", date(2026, 1, 10), "USD"): (2.0, 2.0, None, 1),
    }


def test_by_tag_month_and_nothing() -> None:
    usages = [USAGE, at(1, tags={"team": "ops"})]
    assert set(summed(usages, "tag:cost centre's")) == {("a.b", "EUR"), (None, "EUR")}
    assert set(summed(usages, "tag:team")) == {("risk", "EUR"), ("ops", "EUR")}
    assert set(summed(usages, "month")) == {("2026-01", "EUR")}
    assert summed(usages) == {("EUR",): (4.0, 4.0, 1.0, 2)}
    assert summed([], *KEYS) == {}


@pytest.mark.parametrize(("key", "near"), [("modle", "model"), ("tag:", "there is no such key")])
def test_an_unknown_key_is_told_with_the_nearest(key: str, near: str) -> None:
    with pytest.raises(WrongUsage, match=near) as wrong:
        totals(pl.LazyFrame(schema=schema()), [key])
    assert wrong.value.code == "usage.by"


RANDOM = st.lists(
    st.builds(
        at,
        st.integers(0, 80),
        currency=st.sampled_from(("EUR", "USD", "JPY")),
        quantity=st.floats(0.01, 1e6),
        tags=st.dictionaries(st.sampled_from(("model", "team", "o'k", 'q"t')), st.text("ab")),
        carbon=st.one_of(st.none(), st.floats(0, 1e3)),
    ),
    max_size=12,
)
BY = st.lists(
    st.sampled_from((*KEYS, "day", "month", "tag:o'k", 'tag:q"t')), unique=True, max_size=3
)


@settings(deadline=None)
@given(RANDOM, BY)
def test_however_it_is_cut_each_currency_has_its_sum(usages: list[Usage], by: list[str]) -> None:
    whole: dict[str, float] = defaultdict(float)
    for usage in usages:
        whole[usage.currency] += usage.quantity * usage.unit_price
    told: dict[str, float] = defaultdict(float)
    for key, sums in summed(usages, *by).items():
        told[key[-1]] += sums[0]
    assert told == {currency: pytest.approx(money) for currency, money in whole.items()}


RATES = (
    Rate("EUR", "USD", date(2026, 1, 1), 1.1),
    Rate("EUR", "USD", date(2026, 1, 11), 1.2),
    Rate("USD", "EUR", date(2026, 1, 1), 0.9),
)


def test_another_days_money_is_worth_something_else() -> None:
    frame = frame_of_usage([USAGE, at(30), at(2, currency="USD")]).lazy()
    found = totals_in(frame, ["model"], "USD", RATES)
    [row] = found.rows(named=True)
    assert row["effective"] == pytest.approx(2 * 1.1 + 2 * 1.2 + 2)
    assert (row["model"], row["currency"], row["rows"]) == ("delay", "USD", 3)
    assert row["carbon"] == pytest.approx(1.5)
    assert totals_in(frame, ["day"], "USD", RATES)["effective"].sum() == pytest.approx(6.6)


def test_without_a_rate_nothing_is_added() -> None:
    frame = frame_of_usage([USAGE, at(1, currency="JPY"), at(2, currency="USD")]).lazy()
    with pytest.raises(Refused, match="no rate from JPY to USD for 2026-01-10") as refused:
        totals_in(frame, [], "USD", RATES)
    assert [fault.where for fault in refused.value.faults] == ["JPY"]
    early = (Rate("EUR", "USD", date(2026, 1, 11), 1.2),)
    with pytest.raises(Refused, match="no rate from EUR to USD"):
        totals_in(frame_of_usage([USAGE]).lazy(), [], "USD", early)


@settings(deadline=None)
@given(RANDOM, BY)
def test_rates_of_one_change_nothing(usages: list[Usage], by: list[str]) -> None:
    rates = [Rate(one, "EUR", date(2026, 1, 1), 1.0) for one in ("USD", "JPY")]
    frame = frame_of_usage(usages).lazy()
    one = totals_in(frame, by, "EUR", rates)
    each = totals(frame, by).collect()
    assert one["effective"].sum() == pytest.approx(each["effective"].sum())
    assert one["rows"].sum() == each["rows"].sum()
    assert one.drop("currency").select(by).is_duplicated().sum() == 0 or not by


def test_what_a_bill_covers_is_counted_once() -> None:
    on_aws = {"provider": "aws", "site": "cloud"}
    usages = [USAGE, at(0, **on_aws), at(20, **on_aws), at(5, **on_aws, estimated=False)]
    covered = [Covered("AWS", START, START + timedelta(hours=10))]
    left = counted_once(frame_of_usage(usages).lazy(), covered).collect()
    assert left["ProviderName"].to_list() == ["Acme", "AWS", "AWS"]
    assert left["ChargePeriodStart"].dt.hour().to_list() == [0, 20, 5]
    assert counted_once(frame_of_usage(usages).lazy(), []).collect().height == 4


def test_what_idles() -> None:
    asked = {"kind": "requests", "unit": "Requests", "unit_price": 0.0, "carbon": None}
    other = {"tags": {"model": "fraud"}, "unit_price": 5.0}
    half = replace(at(4), unit="Minutes", quantity=60.0, unit_price=0.1)
    usages = [
        *(at(hour) for hour in range(4)),
        half,
        at(1, **asked),
        # It ends when the next hour begins.
        replace(at(2, **asked), end=START + timedelta(hours=2, minutes=30)),
        at(0, **other),
        at(0, **other, currency="USD"),
        at(9, kind="step"),
    ]
    found = idle(frame_of_usage(usages).lazy())
    told = {(row[1], row[3]): row[4:6] for row in found.iter_rows()}
    assert told == {
        ("delay", "EUR"): (3.0, pytest.approx(10.0)),
        ("fraud", "EUR"): (1.0, pytest.approx(5.0)),
        ("fraud", "USD"): (1.0, pytest.approx(5.0)),
    }
    assert found.filter(pl.col("currency") == "EUR")["model"].to_list() == ["delay", "fraud"]
    assert idle(frame_of_usage(usages).lazy(), top=1).height == 2
    assert idle(pl.LazyFrame(schema=schema())).is_empty()
