"""What a run learns of its steps on spot, meeting by meeting, and where that sends them."""

from dataclasses import dataclass

from freehold.app.run.course import Course
from freehold.domain.placement import Place
from freehold.planning.onward import PATIENCE, Route, Way

HOUR = 3600.0
NEAR, FAR = Place("near", "m", spot=True), Place("far", "m", spot=True)
SURE = Place("near", "m")
ROUTE = Route((Way(NEAR, 0.0, HOUR), Way(FAR, 0.0, HOUR), Way(SURE, 0.0, HOUR)), 3 * HOUR)


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def course(clock: Clock, route: Route = ROUTE, under_way: float = 0.0) -> Course:
    return Course({"train": route}, 60.0, clock() - under_way, clock)


def test_a_step_that_runs_stays() -> None:
    clock = Clock()
    found = course(clock)
    for _ in range(90):
        assert found.leaves("train", NEAR, True, 0) is None
        clock.now += 60.0


def test_a_place_without_a_machine_is_left_for_the_next_best() -> None:
    clock = Clock()
    found = course(clock)
    assert found.leaves("train", NEAR, False, 0) is None
    clock.now += PATIENCE
    assert found.leaves("train", NEAR, False, 0) == FAR
    assert found.after("train", NEAR) == FAR
    assert found.leaves("train", FAR, False, 0) is None


def test_what_was_saved_need_not_be_done_again() -> None:
    """An hour of work, half of it saved: half an hour on demand is kept back, not an hour."""
    clock = Clock()
    found = course(clock)
    assert found.leaves("train", NEAR, True, 0) is None
    clock.now += HOUR / 2
    assert found.leaves("train", NEAR, True, 1) is None
    clock.now = 1000.0 + 2.25 * HOUR
    assert found.leaves("train", NEAR, True, 1) is None
    clock.now = 1000.0 + 2.5 * HOUR - 60.0
    assert found.leaves("train", NEAR, True, 1) is None
    clock.now += 1.0
    assert found.leaves("train", NEAR, True, 1) == SURE


def test_nothing_saved_is_all_to_be_done() -> None:
    clock = Clock()
    found = course(clock)
    assert found.leaves("train", NEAR, True, 0) is None
    clock.now += 2 * HOUR - 59.0
    assert found.leaves("train", NEAR, True, 0) == SURE
    assert found.after("train", NEAR) == SURE


def test_a_run_that_was_resumed_has_less_time() -> None:
    assert course(Clock()).leaves("train", NEAR, True, 0) is None
    assert course(Clock(), under_way=2 * HOUR).leaves("train", NEAR, True, 0) == SURE


def test_a_place_that_is_refused_is_passed_over() -> None:
    """A label bars what it said first: it says another."""
    found = course(Clock())
    assert found.after("train", NEAR) == FAR
    assert found.after("train", FAR) == SURE


def test_a_place_that_takes_the_machine_away_is_left_at_once() -> None:
    clock = Clock()
    found = course(clock)
    assert found.leaves("train", NEAR, True, 0) is None
    clock.now += 30.0
    assert found.leaves("train", NEAR, False, 0) == FAR


def test_a_step_that_the_plan_did_not_place_is_left_alone() -> None:
    found = course(Clock())
    assert found.leaves("other", NEAR, False, 0) is None
    assert found.after("other", NEAR) is None
