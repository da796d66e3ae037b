"""Whose turn it is, who is sent away, and how often a caller may come."""

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.domain.errors import RequestInvalid
from freehold.serving.admission import CLASSES, Allowances, Turns, priority_of, seconds_left

CLASS = st.sampled_from(sorted(CLASSES.values()))


@given(st.integers(1, 6), st.lists(st.none() | CLASS, max_size=60))
def test_turns_are_those_of_a_list_that_is_sorted_each_time(
    room: int, steps: list[int | None]
) -> None:
    """None: somebody is answered; a class: somebody of it comes."""
    turns: Turns[tuple[int, int]] = Turns(room)
    waiting: list[tuple[int, int]] = []
    for number, step in enumerate(steps):
        if step is None:
            expected = min(waiting, default=None)
            assert turns.next() == expected
            waiting = [one for one in waiting if one != expected]
            continue
        one = (step, number)
        gone = turns.enter(one, step)
        waiting.append(one)
        if len(waiting) > room:
            lowest = max(waiting)
            assert gone == lowest if lowest[0] > step else one
            waiting.remove(gone)  # type: ignore[arg-type]
        else:
            assert gone is None
        assert len(turns) == len(waiting) <= room


@given(
    st.floats(0.5, 50),
    st.lists(st.tuples(st.sampled_from([b"a", b"b"]), st.floats(0, 2)), max_size=60),
)
def test_no_caller_asks_more_often_than_it_may_and_the_wait_that_it_is_told_is_enough(
    rate: float, asked: list[tuple[bytes, float]]
) -> None:
    allowances = Allowances(rate)
    now, taken, began = 100.0, Counter[bytes](), dict[bytes, float]()
    for caller, later in asked:
        now += later
        began.setdefault(caller, now)
        wait = allowances.wait(caller, now)
        if wait:
            assert wait <= 1 / rate + 1e-9
            now += wait + 1e-6
            assert allowances.wait(caller, now) == 0
        taken[caller] += 1
        most = max(1.0, rate) + (now - began[caller]) * rate
        assert taken[caller] <= most + 1e-6


def test_who_was_silent_longest_is_forgotten_first() -> None:
    allowances = Allowances(1.0)
    assert allowances.wait(b"first", 0.0) == 0
    assert allowances.wait(b"first", 0.0) == 1
    for number in range(10_001):
        allowances.wait(b"%d" % number, 0.0)
    assert allowances.wait(b"first", 0.0) == 0


def test_headers_are_read_or_refused() -> None:
    assert [priority_of(value) for value in (None, b"high", b" Low ", b"normal")] == [1, 0, 2, 1]
    assert (seconds_left(None), seconds_left(b"1500")) == (math.inf, 1.5)
    for read, value in (
        (priority_of, b"urgent"),
        (priority_of, b""),
        (seconds_left, b"-1"),
        (seconds_left, b"1e3"),
        (seconds_left, b"9" * 13),
        (seconds_left, "²".encode("latin-1")),
    ):
        with pytest.raises(RequestInvalid) as caught:
            read(value)
        assert caught.value.code == "request.malformed"
