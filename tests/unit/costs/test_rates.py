"""What one currency is in another, and tables told in a project's own."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.costs.converted import in_currency
from freehold.costs.overrides import overridden
from freehold.costs.rates import Rate, Stated, latest, rates_into
from freehold.domain.errors import ProjectInvalid
from tests.one_region import BIG, OneRegion

DAYS = st.dates(date(2026, 1, 1), date(2026, 1, 20))
STATED = st.builds(
    Stated, st.sampled_from(["EUR", "GBP", "JPY"]), DAYS, st.floats(0.01, 100), st.just("told")
)


def value_on(rates: list[Rate], currency: str, day: date) -> float | None:
    known = [one for one in rates if one.currency == currency and one.since <= day]
    return max(known, key=lambda one: one.since).value if known else None


@given(st.lists(STATED, max_size=8, unique_by=lambda one: (one.currency, one.since)), DAYS)
def test_each_day_has_the_rate_of_what_both_were_worth(stated: list[Stated], day: date) -> None:
    def worth(currency: str) -> float | None:
        known = [one for one in stated if one.currency == currency and one.since <= day]
        return (
            1.0 if currency == "USD" else (last.usd if (last := latest(currency, known)) else None)
        )

    for into in ("USD", "EUR"):
        rates = rates_into(into, stated)
        assert all(one.into == into != one.currency for one in rates)
        for currency in {"USD", "EUR", "GBP", "JPY"} - {into}:
            of, for_ = worth(currency), worth(into)
            told = value_on(rates, currency, day)
            if of is None or for_ is None:
                assert told is None
            else:
                assert told == pytest.approx(of / for_)


FILE: dict[str, Any] = {
    "currency": "EUR",
    "usd": 1.25,
    "storage": [{"provider": "cloud", "region": "here", "price": 0.02}],
    "rates": [
        {"currency": "GBP", "usd": 1.5, "since": "2026-02-01", "source": "the bank"},
        {"currency": "GBP", "usd": 1.4, "since": "2026-01-01"},
        {"currency": "EUR", "usd": 1.1, "since": "2026-01-01"},
    ],
}


def test_tables_are_told_in_the_projects_money_with_the_rate_in_the_source() -> None:
    """The file's own prices come back as they were written: one rate for the whole file."""
    euros = in_currency(overridden(OneRegion(), FILE), "EUR")
    big = euros.machine("cloud", "here", "big")
    assert big.on_demand is not None and big.spot is not None
    assert (big.on_demand.value, big.on_demand.unit) == (pytest.approx(0.8), "EUR/h")
    assert (big.spot.value, big.spot.unit) == (pytest.approx(0.32), "EUR/h")
    assert "1 USD / 1.25 USD/EUR" in big.on_demand.source and big.on_demand.date == "2025"
    assert big.watts == BIG.watts
    storage = euros.storage("cloud", "here")
    assert storage is not None and storage.unit == "EUR/GB/month"
    assert storage.value == pytest.approx(0.02)
    out, within = (
        euros.transfer(("cloud", "here"), ("", "")),
        euros.transfer(("", ""), ("cloud", "here")),
    )
    assert out is not None and out.value == pytest.approx(0.072) and out.unit == "EUR/GB"
    assert within is not None and (within.value, within.unit) == (0.0, "EUR/GB")
    assert euros.grid_carbon("cloud", "here") == OneRegion().grid_carbon("cloud", "here")
    assert euros.digest() not in (OneRegion().digest(), overridden(OneRegion(), FILE).digest())


def test_of_dated_rates_plans_take_the_latest_and_without_one_nothing_is_converted() -> None:
    pounds = in_currency(overridden(OneRegion(), FILE), "GBP").machine("cloud", "here", "big")
    assert pounds.on_demand is not None and pounds.on_demand.value == pytest.approx(1 / 1.5)
    assert "the bank" in pounds.on_demand.source
    for currency in ("USD", "CHF"):
        source = overridden(OneRegion(), FILE)
        assert in_currency(source, currency) is source


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ({"currency": "EUR", "usd": 1.1}, "prices.missing-key"),
        ({"currency": "USD", "usd": 1.0, "since": "2026-01-01"}, "prices.currency"),
        ({"currency": "XXX", "usd": 1.0, "since": "2026-01-01"}, "prices.currency"),
        ({"currency": "EUR", "usd": -1, "since": "2026-01-01"}, "prices.not-positive"),
        ({"currency": "EUR", "usd": 1.1, "since": "soon"}, "prices.not-a-date"),
        ({"currency": "EUR", "usd": 1.1, "from": "2026-01-01"}, "prices.unknown-key"),
        ({"currency": "GBP", "usd": 1.1, "since": "2026-01-01"}, "prices.twice"),
    ],
)
def test_a_rate_that_is_wrong_is_told_with_its_place(row: dict[str, Any], code: str) -> None:
    good = {"currency": "GBP", "usd": 1.2, "since": "2026-01-01"}
    with pytest.raises(ProjectInvalid) as raised:
        overridden(OneRegion(), {"rates": [good, row]})
    (fault, *_) = [one for one in raised.value.faults if one.code == code]
    assert "rates.1" in fault.where
