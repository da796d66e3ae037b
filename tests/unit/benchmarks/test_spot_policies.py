"""The optimum is exact and no policy is cheaper; no policy sees what is to come."""

from functools import cache
from math import inf, isinf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.spot.market import (
    CHECKPOINT_SLOTS,
    SLOTS_AN_HOUR,
    Job,
    Offered,
    Trace,
    slots_of,
)
from benchmarks.spot.optimum import least
from benchmarks.spot.planner import planner
from benchmarks.spot.policies import greedy, on_demand, uniform_progress
from benchmarks.spot.simulation import Author, View, simulate
from freehold.domain.placement import Place

AUTHORS = [greedy, on_demand, uniform_progress, planner]


@st.composite
def traces(draw: st.DrawFn, slots: int, spots: int = 3) -> Trace:
    offers = [
        Offered(Place("a", "one"), 2, 1, draw(st.floats(1, 5))),
        Offered(Place("a", "two"), 3, 2, draw(st.floats(1, 5))),
    ]
    rows = [np.full(slots, offer.price) for offer in offers]
    there = [np.ones(slots, dtype=bool)] * 2
    for number in range(draw(st.integers(1, spots))):
        kind = offers[number % 2]
        place = Place(f"s{number}", kind.place.machine, spot=True)
        offers.append(Offered(place, kind.speed, kind.boot, draw(st.floats(0.1, 2)), 0.2))
        rows.append(np.array(draw(st.lists(st.floats(0.1, 5), min_size=slots, max_size=slots))))
        there.append(np.array(draw(st.lists(st.booleans(), min_size=slots, max_size=slots))))
    return Trace(tuple(offers), np.array(rows), np.array(there))


def by_looking_at_all(trace: Trace, job: Job) -> float:
    """Every choice in every slot, with what is unsaved: no argument about checkpoints."""

    @cache
    def rest(now: int, here: int, held: int, saved: int, unsaved: int) -> float:
        if saved >= job.work:
            return 0.0
        if now >= job.deadline:
            return inf
        slot = (job.start + now) % trace.slots
        best = rest(now + 1, -1, 0, saved, 0)
        for number, offer in enumerate(trace.offers):
            if not trace.there[number, slot]:
                continue
            long, lies = (held + 1, unsaved) if number == here else (1, 0)
            kept = saved
            if long > offer.boot:
                lies = min(lies + offer.speed, job.work - kept)
                if (long - offer.boot) % CHECKPOINT_SLOTS == 0 or kept + lies >= job.work:
                    kept, lies = kept + lies, 0
            paid = float(trace.prices[number, slot]) / SLOTS_AN_HOUR
            best = min(best, paid + rest(now + 1, number, long, kept, lies))
        return best

    return rest(0, -1, 0, 0, 0)


@settings(max_examples=60, deadline=None)
@given(traces(slots=9), st.integers(1, 14), st.integers(0, 8), st.integers(4, 9))
def test_the_optimum_is_what_looking_at_all_finds(
    trace: Trace, work: int, start: int, deadline: int
) -> None:
    job = Job(work, start, deadline)
    found, known = least(trace, job), by_looking_at_all(trace, job)
    assert found == pytest.approx(known) or (isinf(found) and isinf(known))


@settings(max_examples=100, deadline=None)
@given(traces(slots=30), st.integers(1, 40), st.floats(1.0, 3.0), st.data())
def test_no_policy_costs_less_than_the_optimum_of_its_time(
    trace: Trace, work: int, slack: float, data: st.DataObject
) -> None:
    soonest = min(slots_of(offer, work) for offer in trace.offers)
    job = Job(work, data.draw(st.integers(0, 29)), int(soonest * slack))
    drawn = data.draw(st.lists(st.integers(0, len(trace.offers) - 1), min_size=1, max_size=20))

    def whims(view: View) -> int:
        return drawn[view.now % len(drawn)] if view.now < 60 else 0

    outcomes = [simulate(trace, job, author(trace.offers, job)) for author in AUTHORS]
    for outcome in [*outcomes, simulate(trace, job, whims)]:
        if outcome.ended:
            assert least(trace, job, within=outcome.slots) <= outcome.money + 1e-9


@settings(max_examples=100, deadline=None)
@given(traces(slots=30), st.integers(1, 40), st.floats(1.0, 3.0), st.integers(0, 29))
@pytest.mark.parametrize("author", [on_demand, uniform_progress])
def test_these_keep_every_deadline_that_on_demand_can_keep(
    author: Author, trace: Trace, work: int, slack: float, start: int
) -> None:
    soonest = min(slots_of(offer, work) for offer in trace.offers)
    job = Job(work, start, int(soonest * slack))
    outcome = simulate(trace, job, author(trace.offers, job))
    assert outcome.ended
    assert outcome.slots <= job.deadline


def test_what_was_worked_since_the_last_checkpoint_is_lost() -> None:
    """Boots, works three slots of which two are saved, loses its machine for a slot, boots again
    and works the rest."""
    spot = Offered(Place("s", "one", spot=True), 2, 1, 1.2, 0.1)
    fixed = Offered(Place("a", "one"), 2, 1, 12.0)
    there = np.ones((2, 12), dtype=bool)
    there[0, 4] = False
    prices = np.array([[1.2] * 12, [12.0] * 12])
    outcome = simulate(Trace((spot, fixed), prices, there), Job(8, 0, 12), lambda _: 0)
    assert (outcome.slots, outcome.redone, outcome.interruptions) == (8, 2, 1)
    assert outcome.money == pytest.approx(7 * 0.1)


def test_who_waits_for_ever_ends_on_demand_and_late() -> None:
    spot = Offered(Place("s", "one", spot=True), 2, 1, 1.2, 0.1)
    fixed = Offered(Place("a", "one"), 2, 1, 12.0)
    there = np.array([[False] * 5, [True] * 5])
    prices = np.array([[1.2] * 5, [12.0] * 5])
    outcome = simulate(Trace((spot, fixed), prices, there), Job(4, 0, 5), lambda _: 0)
    assert not outcome.ended
    assert outcome.money == pytest.approx(3.0)
