"""What one would do by hand: right as far as it goes, and never better than the best."""

from random import Random

import pytest

from freehold.adapters.exhaustive.solver import ExhaustiveSolver
from freehold.domain.placement import Crossing, Flow, Option, Problem, Task
from freehold.domain.placement_cost import cost_of, faults_of
from freehold.planning.heuristics import best_single_site, greedy


def task(name: str, **money: float) -> Task:
    return Task(name, tuple(Option(site, "m", price, 0.0, 1.0) for site, price in money.items()))


FLOW = Flow("f", 10.0, ("b", "c"), maker="a")
CROSSINGS = {("x", "y"): Crossing(0.5, 0.0, 0.0), ("y", "x"): Crossing(0.5, 0.0, 0.0)}


def test_greedy_counts_a_copy_once() -> None:
    # To y costs 5 for the copy: too much for b alone, and nothing more for c once it is there.
    asked = Problem((task("a", x=1), task("b", x=9, y=1), task("c", x=3, y=1)), (FLOW,), CROSSINGS)
    assert greedy(asked) == {"a": 0, "b": 1, "c": 1}
    assert cost_of(asked, {"a": 0, "b": 1, "c": 1}).money == pytest.approx(1 + 5 + 1 + 1)


def test_greedy_does_not_look_ahead() -> None:
    asked = Problem((task("a", x=1, y=2), task("b", y=1), task("c", y=1)), (FLOW,), CROSSINGS)
    assert greedy(asked) == {"a": 0, "b": 0, "c": 0}
    assert ExhaustiveSolver().solve(asked).chosen["a"] == 1


def test_greedy_ends_where_nothing_may_cross() -> None:
    assert greedy(Problem((task("a", x=1, y=2), task("b", y=1), task("c", y=1)), (FLOW,))) is None


def test_the_best_single_site_is_the_cheapest_that_runs_all() -> None:
    asked = Problem((task("a", x=1, y=2, z=0), task("b", x=5, y=1), task("c", x=1, y=1)), (FLOW,))
    assert best_single_site(asked) == {"a": 1, "b": 1, "c": 1}


def test_no_site_runs_all() -> None:
    assert best_single_site(Problem((task("a", x=1), task("b", y=1), task("c", y=1)))) is None


def some(seed: int) -> Problem:
    random = Random(seed)
    tasks = [task(f"t{n}", x=random.random(), y=random.random()) for n in range(5)]
    flows = [
        Flow(f"f{n}", random.random(), (f"t{random.randint(n + 1, 4)}",), f"t{n}") for n in range(4)
    ]
    return Problem(tuple(tasks), tuple(flows), CROSSINGS)


@pytest.mark.parametrize("seed", range(8))
def test_neither_is_better_than_the_best(seed: int) -> None:
    asked = some(seed)
    best = ExhaustiveSolver().solve(asked)
    for chosen in (greedy(asked), best_single_site(asked)):
        assert chosen is not None
        assert faults_of(asked, chosen) == ()
        assert cost_of(asked, chosen).money >= best.objective
