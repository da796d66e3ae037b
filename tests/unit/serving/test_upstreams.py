"""Which site is asked next."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.serving.upstreams import (
    Hedges,
    Upstream,
    UpstreamSettings,
    in_order,
    let_out_the_wrong,
)

SETTINGS = UpstreamSettings(failures=3, open_seconds=1.0, longest_open_seconds=8.0, room=2)
EVENT = st.sampled_from(
    ["answer", "wrong", "fail", "given up", "begin", "end", "full", "measure", "wait"]
)


def upstreams(*names: str) -> list[Upstream]:
    return [Upstream(name, f"http://{name}", SETTINGS) for name in names]


@given(st.lists(st.tuples(st.integers(0, 2), EVENT, st.floats(0.0, 3.0)), max_size=120))
def test_the_laws_of_who_is_asked(steps: list[tuple[int, str, float]]) -> None:
    sites, now = upstreams("a", "b", "c"), 100.0
    for place, event, amount in steps:
        one = sites[place]
        match event:
            case "answer" | "wrong":
                one.answered(amount, is_right=event == "answer")
            case "fail":
                one.failed(now)
            case "given up":
                one.given_up(10 * amount, now)
            case "begin":
                one.under_way += 1
            case "end":
                one.under_way = max(0, one.under_way - 1)
            case "full":
                one.full(now, amount)
            case "measure":
                one.measured(amount)
            case "wait":
                now += amount
        inside = sum(site.is_closed for site in sites)
        let_out_the_wrong(sites, now)
        assert sum(site.is_closed for site in sites) >= min(1, inside)
        order = in_order(sites, now)
        assert order, "somebody is always asked"
        ready = [site for site in sites if site.may(now)]
        if not ready:
            assert order == [min(sites, key=lambda site: site.due)]
            continue
        assert set(order) == set(ready)
        assert all(site.is_closed or (site.due <= now and not site.under_way) for site in order)
        with_room = [site.has_room(now) for site in order]
        assert with_room == sorted(with_room, reverse=True)
        for first, second in pairwise(order):
            assert first.has_room(now) > second.has_room(now) or first.nearness <= second.nearness


def test_a_circuit_opens_is_tried_and_closes() -> None:
    (one,) = upstreams("a")
    for _ in range(2):
        one.failed(0.0)
    assert one.is_closed
    one.failed(0.0)
    assert (one.is_closed, one.may(0.9), one.may(1.0)) == (False, False, True)
    one.under_way = 1
    assert not one.may(1.0), "one request tries it, no more"
    one.under_way = 0
    one.failed(1.0)
    assert (one.may(2.9), one.may(3.0)) == (False, True), "each trial that fails doubles the wait"
    for _ in range(10):
        one.failed(3.0)
    assert one.may(11.0), "but not without end"
    one.answered(0.1, is_right=True)
    assert one.is_closed
    for _ in range(3):
        one.failed(20.0)
    assert one.may(21.0), "an answer makes good all that was before"


def test_an_answer_between_failures_keeps_it_closed() -> None:
    (one,) = upstreams("a")
    for _ in range(10):
        one.failed(0.0)
        one.failed(0.0)
        one.answered(0.1, is_right=True)
    assert one.is_closed


def test_who_is_mostly_wrong_is_let_out_but_the_last() -> None:
    one, other = upstreams("a", "b")
    for site in (one, other):
        for _ in range(20):
            site.answered(0.01, is_right=False)
    assert let_out_the_wrong([one, other], 0.0) == [one]
    assert (one.is_closed, other.is_closed) == (False, True)
    assert let_out_the_wrong([one, other], 0.0) == []


def test_who_leaves_requests_unanswered_is_let_out_until_it_answers() -> None:
    one, other = upstreams("a", "b")
    for _ in range(20):
        one.answered(0.01, is_right=True)
    for _ in range(40):
        one.given_up(0.5, 0.0)  # The callers were impatient.
    assert let_out_the_wrong([one, other], 0.0) == []
    for _ in range(11):
        one.given_up(1.0, 0.0)
    assert let_out_the_wrong([one, other], 0.0) == [one]
    assert one.is_on_trial and one.due == 1.0
    one.given_up(1.0, 1.0)
    assert one.due == 3.0, "each trial that fails doubles the time"
    one.answered(0.01, is_right=True)
    assert one.is_closed and not one.is_on_trial


def test_of_a_site_that_is_not_known_more_is_waited_for() -> None:
    one, other = upstreams("a", "b")
    for _ in range(40):
        one.given_up(14.0, 0.0)
    assert let_out_the_wrong([one, other], 0.0) == []
    for _ in range(20):
        one.given_up(15.0, 0.0)
    assert let_out_the_wrong([one, other], 0.0) == [one]


@given(st.lists(st.floats(0.001, 10), min_size=20, max_size=200))
def test_late_is_what_most_answers_are_not(times: list[float]) -> None:
    (one,) = upstreams("a")
    for seconds in times[:19]:
        one.answered(seconds, is_right=True)
    assert math.isinf(one.patience)
    for seconds in times[19:]:
        one.answered(seconds, is_right=True)
    later = sum(seconds > one.patience for seconds in times)
    assert later <= 0.05 * len(times)
    assert one.patience == max(times) or one.patience in times or one.patience == 0.005


def test_hedges_are_a_share_of_requests() -> None:
    hedges = Hedges(0.05, first=2.0)
    taken = 0
    for _ in range(1000):
        hedges.earn()
        taken += hedges.take()
    assert taken == pytest.approx(0.05 * 1000 + 2, abs=1)
