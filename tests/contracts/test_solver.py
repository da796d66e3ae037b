"""Solvers, and that they agree wherever each placement can be looked at."""

from collections.abc import Iterable
from dataclasses import replace
from random import Random
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.adapters.exhaustive.solver import ExhaustiveSolver
from freehold.adapters.highs import search, walk
from freehold.adapters.highs.solver import HighsSolver
from freehold.domain.errors import NotSupported, PlacementImpossible
from freehold.domain.placement import (
    Crossing,
    Flow,
    Objective,
    Option,
    Problem,
    Solution,
    Task,
)
from freehold.domain.placement_cost import cost_of, faults_of
from freehold.ports.contracts.solver import PROBLEM, SolverContract
from freehold.ports.solver import Solver

Part = TypeVar("Part")
SITES = ("a", "b", "c")
POOLS = ("p", "q")
SIZES = st.sampled_from([0.0, 0.5, 1.0, 3.3])
FIGURES = st.sampled_from([0.0, 0.3, 1.0, 1.1, 2.0, 4.0, 7.0])


class TestExhaustive(SolverContract):
    def make(self) -> Solver:
        return ExhaustiveSolver()

    def test_too_many_choices_are_refused(self) -> None:
        tasks = tuple(replace(PROBLEM.tasks[1], name=f"t{number}") for number in range(11))
        with pytest.raises(NotSupported):
            ExhaustiveSolver().solve(Problem(tasks))


class TestHighs(SolverContract):
    def make(self) -> Solver:
        return HighsSolver()

    def test_a_beginning_from_which_every_move_is_barred_is_left(self) -> None:
        def task(name: str, **carbon: float) -> Task:
            return Task(name, tuple(Option(s, "m", 1.0, c, 1.0) for s, c in carbon.items()))

        tasks = (task("t0", a=1, b=0), task("t1", b=0, d=5), task("t2", b=2, d=0), task("t3", b=3))
        flows = (
            Flow("f0", 0.0, ("t2", "t3"), "t1"),
            Flow("f1", 2.0, ("t1", "t3"), "t0"),
            Flow("f2", 2.0, ("t3",), "t1"),
        )
        dear, free = Crossing(1.0, 3.0, 1.0), Crossing(1.0, 0.0, 1.0)
        listed = {("a", "b"): dear, ("a", "d"): dear, ("d", "b"): dear, ("b", "a"): free}
        problem = Problem(tasks, flows, listed, Objective(0.0, 1.0))
        found = HighsSolver().solve(problem, seconds=5.0, gap=0.0)
        assert (found.objective, found.gap, found.notes) == (5.0, 0.0, ())


@st.composite
def options(draw: st.DrawFn) -> Option:
    uses = draw(st.dictionaries(st.sampled_from(POOLS), st.sampled_from([0.0, 1.0, 2.0, 3.0])))
    site, machine = draw(st.sampled_from(SITES)), draw(st.sampled_from(["small", "large"]))
    return Option(site, machine, draw(FIGURES), draw(FIGURES), draw(FIGURES), uses)


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    names = [f"t{number}" for number in range(draw(st.integers(1, 4)))]
    tasks = []
    for number, name in enumerate(names):
        after = draw(st.sets(st.sampled_from(names[:number]), max_size=1)) if number else ()
        tasks.append(
            Task(name, tuple(draw(st.lists(options(), min_size=1, max_size=3))), (*after,))
        )
    flows = []
    for number in range(draw(st.integers(0, 4))):
        maker = draw(st.integers(-1, len(names) - 2))
        readers = draw(st.sets(st.sampled_from(names[maker + 1 :]), min_size=1, max_size=3))
        lies = draw(st.sets(st.sampled_from(SITES), min_size=1)) if maker < 0 else ()
        made_by = names[maker] if maker >= 0 else ""
        size = draw(SIZES)
        flows.append(Flow(f"f{number}", size, tuple(sorted(readers)), made_by, tuple(lies)))
    pairs = [(a, b) for a in SITES for b in SITES if a != b]
    listed = draw(st.lists(st.sampled_from(pairs), min_size=3, unique=True))
    crossings = {pair: Crossing(draw(FIGURES), draw(FIGURES), draw(FIGURES)) for pair in listed}
    fewer = {pair: crossings[pair] for pair in draw(st.sets(st.sampled_from(listed)))}
    own = [draw(st.sampled_from([None, None, fewer])) for _ in flows]
    return Problem(
        tuple(tasks),
        tuple(replace(flow, crossings=ways) for flow, ways in zip(flows, own, strict=True)),
        crossings,
        draw(st.sampled_from([Objective(), Objective(0.0, 1.0), Objective(1.0, 0.5)])),
        draw(st.none() | st.sampled_from([1.0, 4.0, 7.0, 12.0, 20.0])),
        draw(st.none() | st.sampled_from([1.0, 4.0, 8.0, 15.0, 30.0])),
        draw(st.dictionaries(st.sampled_from(POOLS), st.sampled_from([1.0, 2.0, 3.0, 4.0]))),
    )


def answer(solver: Solver, problem: Problem, gap: float = 0.0) -> Solution | PlacementImpossible:
    try:
        return solver.solve(problem, gap=gap)
    except PlacementImpossible as refused:
        return refused


def contents(problem: Problem, found: Solution) -> dict[str, Option]:
    return {task.name: task.options[found.chosen[task.name]] for task in problem.tasks}


@settings(max_examples=300, deadline=None)
@given(problems())
def test_the_program_finds_what_looking_at_everything_finds(problem: Problem) -> None:
    best, found = answer(ExhaustiveSolver(), problem), answer(HighsSolver(), problem)
    if isinstance(best, PlacementImpossible) or isinstance(found, PlacementImpossible):
        assert isinstance(best, PlacementImpossible), found
        assert isinstance(found, PlacementImpossible), best
        assert (found.code, found.hint) == (best.code, best.hint)
        assert len(found.faults) == len(best.faults)
        return
    assert found.objective == pytest.approx(best.objective, rel=1e-9, abs=1e-12)
    assert found.gap == 0.0
    assert found.cost == cost_of(problem, found.chosen)
    assert faults_of(problem, found.chosen) == ()


@settings(max_examples=150, deadline=None)
@given(problems(), st.sampled_from([0.01, 0.1, 0.5]))
def test_the_bound_is_never_above_the_best(problem: Problem, gap: float) -> None:
    best, found = answer(ExhaustiveSolver(), problem), answer(HighsSolver(), problem, gap)
    if isinstance(best, Solution):
        assert isinstance(found, Solution)
        assert found.bound <= best.objective * (1 + 1e-7) + 1e-12
        assert best.objective * (1 - 1e-9) <= found.objective
        # An answer at the very gap may be a last bit beyond it: 1 - 6.3 / 7.0 is.
        assert found.gap <= gap + 1e-12


@settings(max_examples=150, deadline=None)
@given(problems(), st.randoms(use_true_random=False))
def test_the_order_of_parts_changes_nothing(problem: Problem, random: Random) -> None:
    turned = shuffled(problem, random)
    for solver in (ExhaustiveSolver(), HighsSolver()):
        one, other = answer(solver, problem), answer(solver, turned)
        if isinstance(one, Solution):
            assert isinstance(other, Solution)
            assert contents(problem, one) == contents(turned, other)
            assert (one.objective, one.bound) == (other.objective, other.bound)
        else:
            assert str(one) == str(other)


def shuffled(problem: Problem, random: Random) -> Problem:
    def turned(parts: Iterable[Part]) -> tuple[Part, ...]:
        found = list(parts)
        random.shuffle(found)
        return tuple(found)

    return replace(
        problem,
        tasks=turned(replace(t, options=turned(t.options)) for t in problem.tasks),
        flows=turned(replace(f, readers=turned(f.readers), at=turned(f.at)) for f in problem.flows),
        crossings=dict(turned(problem.crossings.items())),
        quotas=dict(turned(problem.quotas.items())),
    )


def crowd(tasks: int, quotas: dict[str, float]) -> Problem:
    """All at once, each cheapest at `a`, somewhat dearer at `b`, dear without accelerators."""
    return Problem(
        tuple(
            Task(
                f"t{number:03}",
                (
                    Option("a", "m", 10.0, 1.0, 100.0, {"p": 1.0}),
                    Option("b", "m", 10.1 + number / 100, 1.0, 110.0, {"q": 1.0}),
                    Option("c", "m", 20.0 + number, 1.0, 500.0),
                ),
            )
            for number in range(tasks)
        ),
        # They read one table, so that they are one problem and not many.
        (Flow("table", 1.0, tuple(f"t{number:03}" for number in range(tasks)), at=SITES),),
        quotas=quotas,
    )


@pytest.mark.parametrize(("p", "q"), [(3.0, 40.0), (3.0, 4.0), (0.0, 0.0)])
def test_quotas_are_kept_where_no_program_can_be_written(
    p: float, q: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "WRITING", 1e9)
    monkeypatch.setattr(walk, "TIMES", 400)  # few of the changes are looked at
    problem = crowd(40, {"p": p, "q": q})
    found = HighsSolver().solve(problem, gap=0.001)
    assert faults_of(problem, found.chosen) == ()
    # Whoever is the dearest elsewhere stays where it is cheap.
    stays, moves = 40 - int(p), max(0, 40 - int(p) - int(q))
    at_b = [10.1 + number / 100 for number in range(moves, stays)]
    best = 10.0 * p + sum(at_b) + sum(20.0 + number for number in range(moves))
    assert found.bound <= best * (1 + 1e-9) and best * (1 - 1e-9) <= found.objective
    assert found.objective <= 1.01 * best
