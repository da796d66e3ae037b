"""The generated traces keep the laws that their parameters state. Seeds are fixed."""

import numpy as np
import pytest

from benchmarks.spot.market import SLOTS_AN_HOUR
from benchmarks.spot.traces import (
    HALF_LIFE,
    REGIMES,
    Regime,
    interruptions,
    renewals,
    trace,
    wandering,
)

YEARS = 3 * 365 * 24 * SLOTS_AN_HOUR


def test_the_same_seed_gives_the_same_trace_and_another_another() -> None:
    one, same, other = (trace(REGIMES["scarce"], seed, days=3) for seed in (1, 1, 2))
    assert one.offers == same.offers
    assert np.array_equal(one.prices, same.prices)
    assert np.array_equal(one.there, same.there)
    assert one.offers != other.offers


@pytest.mark.parametrize(("there", "gone"), [(2.0, 6.0), (24.0, 2.0)])
def test_a_thing_is_there_for_its_share_of_the_time(there: float, gone: float) -> None:
    found = renewals(np.random.default_rng(3), there, gone, YEARS)
    assert found.mean() == pytest.approx(there / (there + gone), rel=0.05)


def test_machines_are_taken_at_the_rate_that_the_planner_is_told() -> None:
    """Two processes end a time there; slots of five minutes hide few of its ends."""
    random = np.random.default_rng(4)
    both = renewals(random, 20.0, 3.0, YEARS) & renewals(random, 60.0, 2.0, YEARS)
    taken = np.sum(both[:-1] & ~both[1:])
    hours = both.sum() / SLOTS_AN_HOUR
    assert taken / hours == pytest.approx(interruptions(20.0, 60.0), rel=0.06)


def test_young_machines_are_taken_more_often_than_old_ones() -> None:
    found = renewals(np.random.default_rng(5), 12.0, 2.0, YEARS)
    edges = np.flatnonzero(np.diff(found.astype(int))) + 1
    first = 0 if not found[edges[0] - 1] else 1
    begins, ends = edges[first::2], edges[first + 1 :: 2]
    hours = (ends - begins[: len(ends)]) / SLOTS_AN_HOUR
    young = np.mean(hours < 2.0)
    old = np.mean(hours[hours >= 12.0] < 14.0)
    assert young > 1.2 * old


def test_a_type_is_gone_together_in_a_region_and_alone_across_them() -> None:
    regime = Regime((200.0, 200.0), (1.0, 1.0), 20.0, 10.0)
    found = trace(regime, 6, days=365)
    spot = [k for k, one in enumerate(found.offers) if one.place.spot]
    alike = np.corrcoef(found.there[spot])
    for row, one in enumerate(spot):
        for column, other in enumerate(spot[:row]):
            here, there = found.offers[one].place, found.offers[other].place
            near = here.site[:-2] == there.site[:-2] and here.machine == there.machine
            assert (alike[row, column] > 0.9) if near else (abs(alike[row, column]) < 0.2)


def test_prices_drift_about_their_mean_below_on_demand() -> None:
    found = trace(REGIMES["plenty"], 7, days=365)
    for number, offer in enumerate(found.offers):
        prices = found.prices[number]
        if offer.place.spot:
            assert prices.mean() == pytest.approx(offer.price, rel=0.06)
            assert prices.max() <= found.offers[number - 1].price
            assert len(np.unique(prices)) > 1000
        else:
            assert set(prices) == {offer.price}
            assert found.there[number].all()


def test_half_of_a_price_move_is_left_after_its_half_life() -> None:
    found = wandering(np.random.default_rng(8), YEARS)
    after = int(HALF_LIFE * SLOTS_AN_HOUR)
    assert np.var(found) == pytest.approx(1.0, abs=0.1)
    assert np.corrcoef(found[:-after], found[after:])[0, 1] == pytest.approx(0.5, abs=0.1)
