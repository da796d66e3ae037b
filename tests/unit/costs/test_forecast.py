from datetime import date, timedelta
from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.costs.forecast import FEWEST, Forecast, forecast, students_t

FIRST = date(2026, 8, 31)
WEEK = np.array([10.0, 12.0, 11.0, 13.0, 12.0, 3.0, 2.0])


def series(generator: np.random.Generator, days: int, noise: float, memory: float) -> np.ndarray:
    """Money by day: a week's pattern and noise that remembers the day before."""
    shocks = generator.normal(0, noise, days + 50)
    off = np.zeros(days + 50)
    for n in range(1, days + 50):
        off[n] = memory * off[n - 1] + shocks[n]
    return 20 + WEEK[[(FIRST + timedelta(days=n)).weekday() for n in range(days)]] + off[50:]


def by_day(values: np.ndarray) -> dict[date, float]:
    return {FIRST + timedelta(days=n): float(value) for n, value in enumerate(values)}


def truth_and_forecast(seed: int, history: int, memory: float) -> tuple[float, Forecast]:
    generator = np.random.default_rng(seed)
    today = FIRST + timedelta(days=history)
    end = date(today.year + today.month // 12, today.month % 12 + 1, 1)
    money = by_day(series(generator, (end - FIRST).days, 2.0, memory))
    known = {day: value for day, value in money.items() if day < today}
    whole = sum(value for day, value in money.items() if day.month == today.month)
    return whole, forecast(known, today)


@pytest.mark.parametrize(("history", "memory", "least"), [(62, 0.0, 0.9), (34, 0.0, 0.9)])
def test_the_interval_holds_the_month_as_often_as_it_says(
    history: int, memory: float, least: float
) -> None:
    """Of 400 months, at least as many as a binomial with the stated level gives but once in a
    thousand."""
    made = [truth_and_forecast(seed, history, memory) for seed in range(400)]
    held = sum(told.low <= whole <= told.high for whole, told in made if told.low is not None)
    assert held >= 400 * least - 3.1 * sqrt(400 * least * (1 - least))
    assert {told.method for _, told in made} == {"weekday means"}


def test_days_that_go_together_widen_it() -> None:
    """With a lag-one correlation of a half, which the days so far tell only in part."""
    made = [truth_and_forecast(seed, 62, 0.5) for seed in range(400)]
    held = sum(told.low <= whole <= told.high for whole, told in made if told.low is not None)
    assert held >= 0.8 * 400
    alone = [truth_and_forecast(seed, 62, 0.0)[1] for seed in range(400)]
    assert np.mean([_width(one) for _, one in made]) > 1.3 * np.mean([_width(one) for one in alone])


def _width(told: Forecast) -> float:
    assert told.low is not None and told.high is not None
    return told.high - told.low


def test_little_history_is_said_and_gives_no_figure() -> None:
    today = date(2026, 11, 20)
    told = forecast({today - timedelta(days=n): 5.0 for n in range(1, FEWEST)}, today)
    assert (told.expected, told.low, told.high, told.method) == (
        None,
        None,
        None,
        "too little history",
    )
    assert told.spent == 5.0 * (FEWEST - 1)
    few = forecast({today - timedelta(days=n): 5.0 for n in range(1, 9)}, today)
    assert few.method == "mean of days" and few.expected == pytest.approx(8 * 5 + 11 * 5)


def test_weekends_are_told_apart_and_gaps_cost_nothing() -> None:
    today = date(2026, 11, 30)
    weekdays = {
        today - timedelta(days=n): 10.0
        for n in range(1, 57)
        if (today - timedelta(days=n)).weekday() < 5
    }
    told = forecast(weekdays, date(2026, 11, 30))
    assert told.expected == pytest.approx(told.spent + 10) and told.low == told.high
    assert forecast({}, today).expected is None


def test_a_day_that_is_not_over_counts_at_least_with_what_it_has_cost() -> None:
    today = date(2026, 11, 30)
    past = {today - timedelta(days=n): 10.0 for n in range(1, 40)}
    quiet, busy = forecast({**past, today: 1.0}, today), forecast({**past, today: 50.0}, today)
    assert quiet.expected == pytest.approx(29 * 10 + 10)
    assert busy.expected == pytest.approx(29 * 10 + 50)


@given(
    st.lists(st.floats(0, 1e6), min_size=FEWEST, max_size=80),
    st.integers(0, 40),
    st.floats(0.5, 0.99),
)
def test_it_is_never_below_what_was_spent_and_the_interval_holds_it(
    money: list[float], ago: int, level: float
) -> None:
    days = {FIRST + timedelta(days=n): value for n, value in enumerate(money)}
    told = forecast(days, FIRST + timedelta(days=len(money)), level)
    assert told.low is not None and told.expected is not None and told.high is not None
    assert told.spent <= told.low <= told.expected * (1 + 1e-9) + 1e-6
    assert told.expected <= told.high


def test_students_t_is_what_the_tables_say() -> None:
    known = {(3, 0.9): 2.353, (5, 0.9): 2.015, (13, 0.95): 2.160, (55, 0.9): 1.673}
    for (freedom, level), value in known.items():
        assert students_t(freedom, level) == pytest.approx(value, rel=0.01)
    with pytest.raises(ValueError, match="level"):
        forecast({}, date(2026, 11, 1), 1.0)
