"""Whether an endpoint has had nothing to score for long."""

import pytest

from freehold.endpoint.idleness import Idle


@pytest.fixture
def told() -> list[bool]:
    return []


@pytest.fixture
def idle(told: list[bool]) -> Idle:
    return Idle(10.0, told.append)


def test_it_is_idle_after_its_seconds_once(idle: Idle, told: list[bool]) -> None:
    for now in (100.0, 109.0, 110.0, 130.0):
        idle.look(now, 0)
    assert told == [True]


def test_a_request_puts_it_off_and_ends_it(idle: Idle, told: list[bool]) -> None:
    idle.look(100.0, 0)
    idle.asked(105.0)
    idle.look(114.0, 0)
    assert told == []
    idle.look(115.0, 0)
    idle.asked(116.0)
    idle.look(125.0, 0)
    assert told == [True, False]
    idle.look(126.0, 0)
    assert told == [True, False, True]


def test_what_is_under_way_does_too(idle: Idle, told: list[bool]) -> None:
    """A stream that was begun between two looks, and has asked nothing yet."""
    idle.look(100.0, 0)
    idle.look(110.0, 0)
    idle.look(111.0, 1)
    idle.look(120.0, 1)
    idle.look(129.0, 0)
    assert told == [True, False]
    idle.look(130.0, 0)
    assert told == [True, False, True]
