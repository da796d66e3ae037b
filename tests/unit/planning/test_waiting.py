"""When a run begins that may wait for cleaner power."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.planning.waiting import best_wait

NIGHT = tuple(100.0 if hour < 6 else 400.0 for hour in range(24))
HOURS = st.lists(st.floats(1, 1000), min_size=24, max_size=24).map(tuple)


def test_it_waits_for_the_cleanest_hours_that_it_can_reach() -> None:
    found = best_wait({"a": 10.0}, {"a": NIGHT}, now=20.0, length=2.0, slack=10.0)
    assert found is not None
    assert found.hours == 4.0
    assert found.carbon == pytest.approx(10.0 * 100 / 325)
    assert found.at_once == pytest.approx(10.0 * 400 / 325)


def test_it_does_not_wait_where_nothing_is_gained() -> None:
    assert best_wait({"a": 10.0}, {"a": NIGHT}, now=1.0, length=2.0, slack=10.0) is None
    assert best_wait({"a": 10.0}, {"a": NIGHT}, now=20.0, length=2.0, slack=0.5) is None
    assert best_wait({"a": 10.0}, {}, now=20.0, length=2.0, slack=10.0) is None
    assert best_wait({"b": 10.0}, {"a": NIGHT}, now=20.0, length=2.0, slack=10.0) is None


def test_a_site_without_hours_is_the_same_all_day() -> None:
    found = best_wait({"a": 1.0, "b": 5.0}, {"a": NIGHT}, now=20.0, length=1.0, slack=6.0)
    assert found is not None
    assert found.carbon == pytest.approx(5.0 + 100 / 325)


@given(hours=HOURS, now=st.floats(0, 23.9), length=st.floats(0.1, 30), slack=st.floats(0, 48))
def test_it_keeps_the_deadline_and_never_makes_it_worse(
    hours: tuple[float, ...], now: float, length: float, slack: float
) -> None:
    found = best_wait({"a": 3.0}, {"a": hours}, now, length, slack)
    if found is not None:
        assert 0 < found.hours <= slack
        assert found.carbon < found.at_once


@given(hours=HOURS, now=st.floats(0, 23.9))
def test_a_whole_day_is_the_average_whenever_it_begins(
    hours: tuple[float, ...], now: float
) -> None:
    found = best_wait({"a": 3.0}, {"a": hours}, now, 24.0, 24.0)
    if found is not None:
        assert found.carbon == pytest.approx(3.0)
