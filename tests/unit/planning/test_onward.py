"""A step that may be interrupted: where it is to run now."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.domain.placement import Place
from freehold.planning.onward import AGAIN, PATIENCE, Moment, Way, onward

HOUR, BEAT = 3600.0, 60.0
NEAR, FAR = (Place(site, "m", spot=True) for site in ("near", "far"))
SURE, FAST = Place("near", "m"), Place("near", "big")
WAYS = (
    Way(NEAR, 60.0, 4 * HOUR),
    Way(FAR, 60.0, 4 * HOUR),
    Way(SURE, 60.0, 4 * HOUR),
    Way(FAST, 120.0, 2 * HOUR),
)
DEADLINE = 8 * HOUR


def at(hours: float, place: Place | None = None, done: float = 0.0, **more: object) -> Moment:
    return replace(Moment(hours * HOUR, done, place), **more)


def goes(moment: Moment, deadline: float = DEADLINE) -> Place:
    return onward(WAYS, moment, deadline, BEAT)


def test_it_begins_at_the_plans_best_and_stays_where_it_runs() -> None:
    assert goes(at(0.0)) == NEAR
    assert goes(at(1.0, FAR, runs=True)) == FAR
    assert goes(at(1.0, SURE, runs=True)) == SURE


def test_it_begins_on_a_machine_that_is_fast_enough() -> None:
    assert goes(at(0.0), deadline=3 * HOUR) == FAST


def test_a_place_that_took_the_machine_away_is_left_for_the_next_best() -> None:
    assert goes(at(1.0, NEAR, gone={NEAR: HOUR})) == FAR


def test_a_place_that_gives_no_machine_is_waited_for_a_while_only() -> None:
    asked = at(1.0, NEAR, since=HOUR - PATIENCE / 2)
    assert goes(asked) == NEAR
    assert goes(replace(asked, since=HOUR - PATIENCE)) == FAR


def test_a_place_that_was_lost_is_tried_again_later() -> None:
    lost = at(2.0, FAR, gone={NEAR: 2 * HOUR - AGAIN + 1, FAR: 2 * HOUR})
    assert goes(lost) == SURE
    assert goes(replace(lost, gone={NEAR: 2 * HOUR - AGAIN, FAR: 2 * HOUR})) == NEAR


def test_a_place_that_is_asked_again_is_waited_for_as_before() -> None:
    now = at(3.0, NEAR, since=3 * HOUR - 60, gone={NEAR: 2 * HOUR})
    assert goes(now) == NEAR


def test_at_the_last_moment_it_goes_on_demand_even_from_a_machine_that_runs() -> None:
    last = DEADLINE - 120.0 - 2 * HOUR
    runs = at(0.0, NEAR, runs=True)
    assert goes(replace(runs, now=last - BEAT)) == NEAR
    assert goes(replace(runs, now=last)) == FAST
    assert goes(replace(runs, now=last, done=0.5)) == NEAR


def test_what_is_in_checkpoints_gives_time() -> None:
    assert goes(at(7.0, NEAR, runs=True)) == FAST
    assert goes(at(7.0, NEAR, done=0.9, runs=True)) == NEAR


def test_where_nothing_ends_in_time_the_soonest_on_demand_is_taken() -> None:
    assert goes(at(7.9)) == FAST


def test_without_anything_on_demand_it_waits_on() -> None:
    assert onward(WAYS[:1], at(9.0, NEAR, gone={NEAR: 9 * HOUR}), DEADLINE, BEAT) == NEAR


@given(
    st.floats(0, 9),
    st.floats(0, 1),
    st.sampled_from([None, NEAR, FAR, SURE, FAST]),
    st.floats(0, 9),
    st.booleans(),
    st.dictionaries(st.sampled_from([NEAR, FAR]), st.floats(0, 9 * HOUR)),
)
def test_one_beat_later_it_can_still_be_in_time_if_it_can_be_now(
    now: float,
    done: float,
    place: Place | None,
    since: float,
    runs: bool,
    gone: dict[Place, float],
) -> None:
    """The law behind the promise: on spot there is always a beat left for on demand."""
    moment = at(now, place, done, since=min(since, now) * HOUR, runs=runs, gone=gone)
    fixed = [way for way in WAYS if not way.place.spot]
    chosen = goes(moment)
    is_settled = place is not None and not place.spot and runs
    if is_settled:
        assert chosen == place
    elif any(moment.now + way.seconds(done) <= DEADLINE for way in fixed):
        wait = 0.0 if not chosen.spot else BEAT
        ways = [way for way in fixed if chosen.spot or way.place == chosen]
        soonest = min(moment.now + wait + way.seconds(done) for way in ways)
        assert soonest == pytest.approx(min(soonest, DEADLINE))
