"""Options that another at the same site beats are dropped before anything is solved."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.adapters.exhaustive.solver import ExhaustiveSolver
from freehold.adapters.highs.choices import Choice, Limits, choices_of
from freehold.domain.errors import PlacementImpossible
from freehold.domain.placement import Objective, Option, Problem, Task

SITES = {"a": 0, "b": 1}
FIGURES = st.sampled_from([1.0, 2.0, 3.0])
MONEY, BOTH = Objective(), Objective(1.0, 0.5)
POOLS = frozenset({"p"})


def option(machine: str, money: float, seconds: float = 1.0, **more: object) -> Option:
    site = str(more.pop("site", "a"))
    uses = {name: float(str(units)) for name, units in more.items()}
    return Option(site, machine, money, 0.0, seconds, uses)


def kept(options: list[Option], limits: Limits, quota: float = 8.0) -> list[str]:
    found = choices_of(options, SITES, MONEY, {"p": quota}, limits)
    return sorted(options[one.index].machine for one in found)


def test_without_limits_one_is_left_at_each_site() -> None:
    dear, cheap = option("dear", 2.0), option("cheap", 1.0)
    far = option("far", 9.0, site="b")
    assert kept([dear, cheap, far], Limits()) == ["cheap", "far"]


@pytest.mark.parametrize(
    ("limits", "left"),
    [
        (Limits(budget=True), ["cheap"]),
        (Limits(deadline=True), ["cheap", "quick"]),
        (Limits(deadline=True, budget=True), ["cheap", "quick"]),
    ],
)
def test_what_is_dearer_stays_only_for_a_limit_that_it_serves(
    limits: Limits, left: list[str]
) -> None:
    """`worse` is dearer and slower than both."""
    options = [option("cheap", 1.0, 9.0), option("quick", 2.0, 1.0), option("worse", 3.0, 9.0)]
    assert kept(options, limits) == left


def test_under_quotas_only_what_takes_as_long_is_compared() -> None:
    options = [
        option("small", 1.0, 5.0, p=1.0),
        option("large", 2.0, 5.0, p=4.0),
        option("lean", 3.0, 5.0, p=0.5),
        option("other", 9.0, 4.0, p=9.0 - 1.0),
    ]
    assert kept(options, Limits(pools=POOLS)) == ["lean", "other", "small"]


def test_what_alone_passes_a_quota_is_dropped() -> None:
    options = [option("huge", 1.0, 5.0, p=9.0), option("fits", 2.0, 5.0, p=8.0)]
    assert kept(options, Limits(pools=POOLS)) == ["fits"]


@st.composite
def many_options(draw: st.DrawFn) -> list[Option]:
    return [
        Option(
            draw(st.sampled_from(sorted(SITES))),
            f"m{number}",
            draw(FIGURES),
            draw(FIGURES),
            draw(FIGURES),
            {"p": draw(FIGURES)},
        )
        for number in range(draw(st.integers(1, 6)))
    ]


@settings(max_examples=200, deadline=None)
@given(
    st.tuples(many_options(), many_options()),
    st.sampled_from([MONEY, BOTH]),
    st.sampled_from([None, 2.0, 3.0, 4.0]),
    st.sampled_from([None, 3.0, 4.0]),
    st.sampled_from([{}, {"p": 2.0}, {"p": 4.0}]),
)
def test_the_best_needs_nothing_that_was_dropped(
    both: tuple[list[Option], list[Option]],
    objective: Objective,
    deadline: float | None,
    budget: float | None,
    quotas: dict[str, float],
) -> None:
    limits = Limits(deadline is not None, budget is not None, frozenset(quotas))

    def best(lists: list[list[Option]]) -> float | None:
        tasks = tuple(Task(f"t{number}", tuple(one)) for number, one in enumerate(lists))
        asked = Problem(tasks, (), {}, objective, deadline, budget, quotas)
        try:
            return ExhaustiveSolver().solve(asked).objective
        except PlacementImpossible:
            return None

    left: list[list[Option]] = []
    for options in both:
        found: tuple[Choice, ...] = choices_of(options, SITES, objective, quotas, limits)
        left.append([options[one.index] for one in found])
    whole = best(list(both))
    if any(not options for options in left):
        assert whole is None
    else:
        assert best(left) == whole


def test_something_is_dropped_of_what_providers_offer() -> None:
    """Twenty machine types at two sites, ten of which are dearer and slower than another."""
    options = [
        option(f"m{number}", 1.0 + number, 20.0 - number % 10, site=site)
        for number, site in product(range(20), ("a", "b"))
    ]
    assert len(kept(options, Limits(deadline=True))) == 20
