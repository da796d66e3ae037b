from math import pi, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.domain.scaling import WEEK, Targets, Warming
from freehold.serving.traffic_forecast import (
    FEWEST,
    LEVEL,
    forecast,
    hour_of_week,
    schedule,
    warm,
)

FIRST = 494_000
"""An hour of 2026."""
HOURS = np.arange(FIRST, FIRST + 10 * WEEK)
DAILY = 1 + 0.8 * np.sin(2 * pi * (HOURS % 24) / 24)
PROFILE = DAILY * np.where((HOURS + 72) % WEEK < 120, 1.0, 0.4)
"""Days and nights, workdays and weekends."""


def traffic(
    seed: int, hours: int, busiest: float, growth: float = 0.0, spread: float = 0.0
) -> np.ndarray:
    """Requests by hour: Poisson, of a mean that grows by `growth` a week and that a gamma of the
    relative deviation `spread` moves."""
    chance = np.random.default_rng(seed)
    mean = busiest * PROFILE[:hours] * (1 + growth * np.arange(hours) / WEEK)
    if spread:
        mean = mean * chance.gamma(1 / spread**2, spread**2, hours)
    return chance.poisson(mean)


def by_hour(values: np.ndarray) -> dict[int, float]:
    return {FIRST + n: float(value) for n, value in enumerate(values)}


@pytest.mark.parametrize(
    ("history", "ahead", "busiest", "growth", "spread"),
    [
        (2 * WEEK, WEEK, 300.0, 0.0, 0.0),
        (6 * WEEK, WEEK, 300.0, 0.0, 0.2),
        (8 * WEEK, WEEK, 20.0, 0.03, 0.0),
    ],
)
def test_the_interval_holds_an_hour_as_often_as_it_says(
    history: int, ahead: int, busiest: float, growth: float, spread: float
) -> None:
    """One hour of each of 300 histories, so that they are independent: at least as many as a
    binomial of the stated level gives but once in a thousand."""
    held = 0
    for seed in range(300):
        values = traffic(seed, history + ahead, busiest, growth, spread)
        told = forecast(by_hour(values[:history]), FIRST + history)
        one = told.hours[seed * 37 % ahead]
        assert one.hour == FIRST + history + seed * 37 % ahead and told.seasonal
        held += one.low <= values[one.hour - FIRST] <= one.high
    assert held >= 300 * LEVEL - 3.1 * sqrt(300 * LEVEL * (1 - LEVEL))


def test_it_knows_nights_and_weekends() -> None:
    """Better than the mean of all hours, which is what knows neither."""
    values = traffic(1, 9 * WEEK, 300.0)
    told = forecast(by_hour(values[: 8 * WEEK]), FIRST + 8 * WEEK)
    truth = values[8 * WEEK :]
    ours = np.abs(np.array([one.expected for one in told.hours]) - truth).mean()
    assert ours < 0.15 * np.abs(values[: 8 * WEEK].mean() - truth).mean()


def test_growth_goes_on_and_a_new_level_is_seen_within_a_week() -> None:
    growing = traffic(2, 9 * WEEK, 300.0, growth=0.1)
    told = forecast(by_hour(growing[: 8 * WEEK]), FIRST + 8 * WEEK)
    assert sum(one.expected for one in told.hours) == pytest.approx(
        growing[8 * WEEK :].sum(), rel=0.05
    )
    jumped = traffic(3, 9 * WEEK, 300.0)
    jumped[7 * WEEK :] *= 2
    told = forecast(by_hour(jumped[: 8 * WEEK]), FIRST + 8 * WEEK)
    assert sum(one.expected for one in told.hours) == pytest.approx(
        jumped[8 * WEEK :].sum(), rel=0.2
    )


def test_one_odd_day_moves_little() -> None:
    values = traffic(4, 6 * WEEK, 300.0)
    odd = values.copy()
    odd[3 * WEEK + 24 : 3 * WEEK + 48] *= 20
    plain, moved = (forecast(by_hour(one), FIRST + 6 * WEEK) for one in (values, odd))
    sums = [sum(hour.expected for hour in told.hours) for told in (plain, moved)]
    assert sums[1] == pytest.approx(sums[0], rel=0.03)


@pytest.mark.parametrize(
    ("history", "hours", "words"),
    [
        (2 * WEEK, WEEK, "hours of the week"),
        (2 * WEEK - 1, 24, "less than two weeks"),
        (48, 24, "less than two weeks"),
        (47, 24, "less than two days"),
        (FEWEST, 24, "less than two days"),
        (FEWEST - 1, 0, "too little history"),
        (0, 0, "too little history"),
    ],
)
def test_it_says_when_there_is_little_history(history: int, hours: int, words: str) -> None:
    values = traffic(5, 2 * WEEK, 300.0)[:history]
    told = forecast(by_hour(values), FIRST + history)
    assert words in told.method and len(told.hours) == hours and told.history == history
    assert told.seasonal is (hours == WEEK)


def test_the_hour_that_is_not_over_does_not_count() -> None:
    values = by_hour(traffic(6, 3 * WEEK, 300.0))
    now = FIRST + 3 * WEEK - 1
    assert forecast(values, now) == forecast({**values, now: 1e9}, now)


@given(
    st.lists(st.integers(0, 10**6), min_size=FEWEST, max_size=400),
    st.floats(0.5, 0.99),
    st.floats(0.01, 1e4),
    st.integers(1, 5),
)
def test_what_is_expected_lies_in_its_interval_and_replicas_in_their_bounds(
    counts: list[int], level: float, per_second: float, minimum: int
) -> None:
    told = forecast(by_hour(np.array(counts)), FIRST + len(counts), level)
    assert all(0 <= one.low <= one.expected <= one.high for one in told.hours)
    targets = Targets(minimum=minimum, maximum=9)
    replicas = warm(told, per_second, targets)
    assert [hour for hour, _ in replicas] == [one.hour for one in told.hours]
    assert all(minimum <= count <= 9 for _, count in replicas)
    faster = warm(told, per_second * 2, targets)
    assert all(fast <= slow for (_, fast), (_, slow) in zip(faster, replicas, strict=True))


def test_the_replicas_stay_under_the_line() -> None:
    values = traffic(7, 8 * WEEK, 9000.0)
    told = forecast(by_hour(values), FIRST + 8 * WEEK)
    targets = Targets(maximum=100)
    for (_, replicas), one in zip(warm(told, 0.5, targets), told.hours, strict=True):
        assert one.high / 3600 / 0.5 / replicas < targets.high
        assert replicas == 1 or one.high / 3600 / 0.5 / (replicas - 1) >= targets.high


@given(st.lists(st.integers(1, 4), min_size=WEEK, max_size=WEEK), st.integers(0, 10**6))
def test_a_schedule_says_of_each_hour_what_was_asked(wanted: list[int], first: int) -> None:
    hours = [(first + n, replicas) for n, replicas in enumerate(wanted)]
    runs = schedule(hours, 1)
    if len(set(wanted)) == 1:
        assert runs == ()
        return
    for hour, replicas in hours:
        place = hour_of_week(hour)
        covering = [
            one.replicas
            for one in runs
            if (place - one.start) % WEEK < (one.end - one.start) % WEEK
        ]
        assert covering == ([replicas] if replicas > 1 else [])


def test_a_week_begins_on_monday() -> None:
    assert hour_of_week(0) == 72
    monday = 1_772_409_600 // 3600
    assert hour_of_week(monday) == 0
    runs = schedule([(monday + n, 3 if 8 <= n < 18 else 1) for n in range(WEEK)], 1)
    assert runs == (Warming(8, 18, 3),)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="level"):
        forecast({}, FIRST, 1.0)
    with pytest.raises(ValueError, match="negative"):
        forecast({FIRST: -1.0}, FIRST + 1)
    with pytest.raises(ValueError, match="answers something"):
        warm(forecast({}, FIRST), 0.0, Targets())
    with pytest.raises(ValueError, match="168 hours"):
        schedule([(FIRST, 1)], 1)
    for wrong in ((0, 0, 1), (-1, 3, 1), (0, 168, 1), (0, 1, 0)):
        with pytest.raises(ValueError, match=r"hours of a week|warm nothing"):
            Warming(*wrong)
