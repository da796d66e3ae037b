"""Hybrid time never runs backwards, whatever the clock does."""

from hypothesis import given
from hypothesis import strategies as st

from freehold.domain.hybrid_time import HybridTime

_walls = st.integers(0, 2**50)
_times = st.builds(HybridTime, _walls, st.integers(0, 1000))


@given(_times, _walls)
def test_the_next_time_is_later_and_not_before_the_clock(time: HybridTime, wall: int) -> None:
    later = time.next(wall)
    assert later > time
    assert later.wall >= wall and later.wall == max(time.wall, wall)


@given(_times, _walls)
def test_a_clock_that_moved_resets_the_counter(time: HybridTime, wall: int) -> None:
    later = time.next(wall)
    assert (later.logical == 0) == (wall > time.wall)


@given(_times, _times)
def test_order_is_by_wall_then_counter(one: HybridTime, other: HybridTime) -> None:
    assert (one < other) == ((one.wall, one.logical) < (other.wall, other.logical))


@given(_times)
def test_it_comes_back(time: HybridTime) -> None:
    assert HybridTime.from_json(time.as_json()) == time
