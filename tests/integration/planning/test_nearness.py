"""Small plans are the best there are, as looking at every choice finds it, in the product's own
settings."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from freehold.adapters.exhaustive.solver import ExhaustiveSolver
from freehold.adapters.highs.solver import HighsSolver
from freehold.app.run.placement.choosing import SECONDS
from freehold.app.run.placement.nearness import FEW, GAP, SMALL, gap_of
from freehold.app.run.plan import plan_run
from freehold.domain.errors import PlacementImpossible
from freehold.domain.placement import Crossing, Flow, Objective, Option, Problem, Solution, Task
from freehold.ports.solver import Solver

SITES = ("a", "b", "c")
NEAR = st.floats(1.0, 1.02).map(lambda value: round(value, 4))
"""Costs so near to each other that a plan within one per cent need not be the best."""


@st.composite
def near_problems(draw: st.DrawFn) -> Problem:
    names = [f"t{number}" for number in range(draw(st.integers(1, 5)))]
    tasks = tuple(
        Task(name, tuple(Option(s, "m", draw(NEAR), draw(NEAR), draw(NEAR)) for s in SITES))
        for name in names
    )
    flows = tuple(
        Flow(f"f{number}", draw(st.sampled_from([0.0, 0.01, 1.0])), (name,), names[number])
        for number, name in enumerate(names[1:])
    )
    ways = {(a, b): Crossing(draw(NEAR) / 100, 0.0, 0.1) for a in SITES for b in SITES if a != b}
    deadline = draw(st.none() | st.floats(3.0, 6.0))
    objective = draw(st.sampled_from([Objective(), Objective(0.0, 1.0), Objective(1.0, 0.1)]))
    return Problem(tasks, flows, ways, objective, deadline)


def answer(solver: Solver, problem: Problem) -> Solution | PlacementImpossible:
    try:
        return solver.solve(problem, SECONDS, gap_of(problem))
    except PlacementImpossible as refused:
        return refused


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(near_problems())
def test_what_can_be_looked_at_is_solved_exactly(problem: Problem) -> None:
    best, found = answer(ExhaustiveSolver(), problem), answer(HighsSolver(), problem)
    if isinstance(best, PlacementImpossible) or isinstance(found, PlacementImpossible):
        assert type(best) is type(found)
        return
    assert found.gap == 0.0
    assert found.objective == pytest.approx(best.objective, rel=1e-9)


@pytest.mark.parametrize(
    ("steps", "options", "quotas", "gap"),
    [
        (5, 10, {}, 0.0),  # 100,000 choices
        (5, 10, {"p": 1.0}, 0.0),
        (6, 10, {"p": 1.0}, GAP),
        (10, 100, {}, 0.0),  # 1,000 options
        (10, 101, {}, GAP),
    ],
)
def test_how_near_follows_from_the_question_alone(
    steps: int, options: int, quotas: dict[str, float], gap: float
) -> None:
    assert (FEW, SMALL) == (100_000, 1_000)
    few = tuple(Option("a", f"m{number}", 1.0, 0.0, 1.0) for number in range(options))
    tasks = tuple(Task(f"t{number}", few) for number in range(steps))
    assert gap_of(Problem(tasks, quotas=quotas)) == gap


@pytest.mark.parametrize("labels", ['{"residency": "EU", "pii": ""}', '{"residency": "EU"}', "{}"])
def test_the_shops_plans_are_those_that_looking_at_everything_finds(
    shop: Any, freehold: Callable[..., Any], labels: str
) -> None:
    shop.change("shop.py", '{"residency": "EU", "pii": ""}', labels)
    assert "proven best" in freehold("plan").out
    with shop.open() as site:
        found = plan_run(site).plan.placed
    shop.change("freehold.yaml", "  policies: placing", "  policies: placing\n  solver: exhaustive")
    with shop.open() as site:
        best = plan_run(site).plan.placed
    assert found is not None
    assert best is not None
    assert best.solution.solver != found.solution.solver
    assert found.cost.money == pytest.approx(best.cost.money)
    assert found.solution.gap == 0.0
