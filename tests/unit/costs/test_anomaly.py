from collections.abc import Callable
from datetime import date, timedelta
from math import sqrt

import numpy as np
import pytest

from freehold.costs.anomaly import FEWEST, odd_day

FIRST = date(2026, 8, 31)
WEEK = np.array([30.0, 33.0, 31.0, 34.0, 32.0, 8.0, 6.0])
Noise = Callable[[np.random.Generator, int], np.ndarray]


def days(seed: int, noise: Noise, count: int = 57) -> dict[date, float]:
    generator = np.random.default_rng(seed)
    off = noise(generator, count)
    return {
        FIRST + timedelta(days=n): float(50 + WEEK[(FIRST + timedelta(days=n)).weekday()] + off[n])
        for n in range(count)
    }


def normal(generator: np.random.Generator, count: int) -> np.ndarray:
    return generator.normal(0, 15, count)


def heavy(generator: np.random.Generator, count: int) -> np.ndarray:
    return 12 * generator.standard_t(5, count)


@pytest.mark.parametrize(("noise", "rate"), [(normal, 1 / 500), (heavy, 1 / 100)])
def test_noise_alone_is_told_no_more_often_than_is_said(noise: Noise, rate: float) -> None:
    """Of 2,000 histories of eight weeks and a day: no more than a binomial with the stated rate
    gives but once in a thousand."""
    told = sum(
        odd_day(days(seed, noise), FIRST + timedelta(days=56)) is not None for seed in range(2000)
    )
    assert told <= 2000 * rate + 3.1 * sqrt(2000 * rate * (1 - rate))


def test_short_histories_are_not_worse() -> None:
    told = sum(
        odd_day(days(seed, normal, FEWEST + 1), FIRST + timedelta(days=FEWEST)) is not None
        for seed in range(2000)
    )
    assert told <= 2000 / 100 + 3.1 * sqrt(2000 / 100)


def test_a_day_that_doubles_is_told_with_its_figures() -> None:
    found = 0
    for seed in range(200):
        known = days(seed, normal)
        last = FIRST + timedelta(days=56)
        known[last] += 120
        odd = odd_day(known, last)
        if odd is not None:
            found += 1
            assert odd.score > 0 and odd.money == known[last] and odd.days == 56
            assert odd.usual == pytest.approx(80, abs=30)
    assert found >= 190


def test_a_weekend_is_no_anomaly_and_a_weekday_that_costs_as_one_is() -> None:
    quiet = days(1, lambda generator, count: generator.normal(0, 0.5, count))
    last = FIRST + timedelta(days=54)
    assert last.weekday() == 5 and odd_day(quiet, last) is None
    friday = last - timedelta(days=1)
    odd = odd_day({**quiet, friday: quiet[last]}, friday)
    assert odd is not None and odd.score < 0


def test_little_history_tells_nothing_and_constant_costs_need_no_spread() -> None:
    flat = {FIRST + timedelta(days=n): 10.0 for n in range(FEWEST)}
    day = FIRST + timedelta(days=FEWEST)
    assert odd_day({**flat, day: 11.0}, day) is None
    assert odd_day({**flat, day: 40.0}, day) is not None
    assert odd_day({**flat}, day) is not None, "a day without any cost"
    short = {key: money for key, money in flat.items() if key > FIRST}
    assert odd_day({**short, day: 400.0}, day) is None
    nothing = dict.fromkeys(flat, 0.0)
    assert odd_day({**nothing, day: 3.0}, day) is not None
    assert odd_day({**nothing, day: 0.0}, day) is None
