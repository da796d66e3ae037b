"""What the solver's quick parts promise, held against every choice."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from random import Random
from time import monotonic

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from freehold.adapters.exhaustive.solver import ExhaustiveSolver
from freehold.adapters.highs.choices import Choice, Limits
from freehold.adapters.highs.moves import Moves
from freehold.adapters.highs.narrowing import Narrowing
from freehold.adapters.highs.parts import independent
from freehold.adapters.highs.program import Program
from freehold.adapters.highs.question import Question, question_of
from freehold.adapters.highs.rows import Relaxation
from freehold.adapters.highs.search import Search, Soonest
from freehold.adapters.highs.solver import HighsSolver
from freehold.adapters.highs.walk import walk
from freehold.domain.errors import PlacementImpossible
from freehold.domain.placement import Crossing, Flow, Objective, Option, Problem, Task
from freehold.domain.placement_cost import (
    cost_of,
    exceeds,
    faults_of,
    meetings_of,
    objective_of,
    options_of,
    spans_of,
)

SITES = ("a", "b", "c")
POOLS = ("p", "q")
SEEDS = st.integers(0, 10**6)


def drawn(seed: int, tasks: int = 5) -> Problem:
    """Pipelines with times, prices and uses that are all different, and nothing limited."""
    random = Random(seed)
    names = [f"t{number}" for number in range(tasks)]
    found = tuple(
        Task(
            name,
            tuple(
                Option(
                    site,
                    str(kind),
                    random.uniform(1.0, 9.0),
                    random.uniform(1.0, 9.0),
                    random.uniform(10.0, 90.0),
                    {pool: float(random.randint(1, 2)) for pool in POOLS if random.random() < 0.5},
                )
                for site in random.sample(SITES, 2)
                for kind in range(random.randint(1, 2))
            ),
            tuple(random.sample(names[:number], min(number, random.randint(0, 1)))),
        )
        for number, name in enumerate(names)
    )
    flows = []
    for number in range(tasks - 1):
        if random.random() < 0.6:
            readers = random.sample(names[number + 1 :], min(tasks - number - 1, 2))
            flows.append(
                Flow(f"f{number}", random.uniform(0.0, 5.0), tuple(readers), names[number])
            )
    flows.append(Flow("raw", 3.0, tuple(random.sample(names, 2)), at=("a",)))
    crossings = {
        (a, b): Crossing(random.uniform(0, 1), random.uniform(0, 1), random.uniform(0, 9))
        for a in SITES
        for b in SITES
        if a != b
    }
    return Problem(found, tuple(flows), crossings, Objective(1.0, 0.5))


def everywhere(problem: Problem) -> Iterator[dict[str, int]]:
    ways = product(*(range(len(task.options)) for task in problem.tasks))
    for way in ways:
        yield {task.name: at for task, at in zip(problem.tasks, way, strict=True)}


def limited(problem: Problem, seed: int) -> Problem:
    """Between what is the least and what is the best without limits."""
    random = Random(seed)
    seconds = sorted(cost_of(problem, chosen).seconds for chosen in everywhere(problem))
    money = sorted(cost_of(problem, chosen).money for chosen in everywhere(problem))
    return replace(
        problem,
        deadline=seconds[random.randrange(len(seconds) // 4)] if random.random() < 0.7 else None,
        budget=money[random.randrange(len(money) // 2)] if random.random() < 0.4 else None,
        quotas={pool: float(random.randint(2, 3)) for pool in POOLS if random.random() < 0.6},
    )


def under_all(problem: Problem) -> Question:
    limits = Limits(
        problem.deadline is not None, problem.budget is not None, frozenset(problem.quotas)
    )
    return question_of(problem, limits)


def begun(question: Question, random: Random) -> list[Choice]:
    return [random.choice(choices) for choices in question.choices]


def value(problem: Problem, chosen: dict[str, int]) -> float:
    return objective_of(problem, cost_of(problem, chosen))


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_a_change_comes_to_what_the_placement_after_it_comes_to(seed: int) -> None:
    problem = limited(drawn(seed), seed)
    question = under_all(problem)
    assume(all(question.choices))
    moves = Moves(question, begun(question, Random(seed)))
    # From where it stands after it went somewhere, too.
    moves.go(0, len(question.choices[0]) - 1)
    before = cost_of(problem, question.chosen(moves.picked))
    changes = moves.changes()
    beyond, late = moves.passed(changes.tasks, changes.to)
    for at, (task, to) in enumerate(zip(changes.tasks, changes.to, strict=True)):
        picked = moves.picked
        picked[task] = question.choices[task][to]
        chosen = question.chosen(picked)
        after, options = cost_of(problem, chosen), options_of(problem, chosen)
        spans = spans_of(problem, options)
        dearer = objective_of(problem, after) - objective_of(problem, before)
        assert changes.dearer[at] == pytest.approx(dearer, abs=1e-9)
        assert changes.money[at] == pytest.approx(after.money - before.money, abs=1e-9)
        if problem.deadline is not None:
            over = sum(max(span.end - problem.deadline, 0.0) for span in spans.values())
            assert late[at] == pytest.approx(over, abs=1e-6)
        met = meetings_of(options, spans)
        for number, pool in enumerate(moves.pools):
            full = any(exceeds(most, problem.quotas[pool]) for most, _ in met.get(pool, []))
            assert (beyond[number, at] > 0.0) == full


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_what_a_walk_comes_by_keeps_every_limit_and_gets_better(seed: int) -> None:
    problem = limited(drawn(seed), seed)
    question = under_all(problem)
    assume(all(question.choices))
    begin = begun(question, Random(seed))
    met: list[float] = []

    def consider(picked: list[Choice]) -> bool:
        assert faults_of(problem, question.chosen(picked)) == ()
        met.append(value(problem, question.chosen(picked)))
        return False

    walk(question, begin, float("inf"), consider, lambda: False)
    assert met == sorted(met, reverse=True)
    possible = [value(problem, c) for c in everywhere(problem) if not faults_of(problem, c)]
    assert all(min(possible) <= one * (1 + 1e-9) for one in met)


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.sampled_from([0.0, 0.01, 0.1, 0.5]))
def test_what_is_left_out_costs_more_than_the_bound_and_the_width(seed: int, share: float) -> None:
    problem = replace(limited(drawn(seed), seed), quotas={})
    question = under_all(problem)
    assume(all(question.choices))
    narrowing = Narrowing(Program(question), lambda: 60.0)
    narrowing.relax()
    possible = [c for c in everywhere(problem) if not faults_of(problem, c)]
    if narrowing.impossible:
        assert not possible
        return
    least = narrowing.bound
    kept = narrowing._kept(share * least, None)
    names = [{choice.index for choice in choices} for choices in kept]
    open_ = [{choice.index for choice in choices} for choices in question.choices]
    for chosen in possible:
        cost = value(problem, chosen)
        assert least <= cost * (1 + 1e-7)
        at = [chosen[name] for name in question.names]
        inside = all(index in some for index, some in zip(at, open_, strict=True))
        if inside and not all(index in some for index, some in zip(at, names, strict=True)):
            assert cost >= least * (1 + share) - 1e-6


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_limits_that_bind_are_kept_and_proven(seed: int) -> None:
    problem = limited(drawn(seed), seed)
    try:
        best = ExhaustiveSolver().solve(problem)
    except PlacementImpossible as refused:
        with pytest.raises(PlacementImpossible, match=str(refused.what)):
            HighsSolver().solve(problem, gap=0.0)
        return
    for gap in (0.0, 0.01, 0.2):
        found = HighsSolver().solve(problem, gap=gap)
        assert faults_of(problem, found.chosen) == ()
        assert found.bound <= best.objective * (1 + 1e-7)
        assert found.gap <= gap


@settings(max_examples=10, deadline=None)
@given(SEEDS, SEEDS)
def test_what_shares_nothing_is_solved_alone(one: int, other: int) -> None:
    first, second = drawn(one, 3), drawn(other, 3)
    renamed = replace(
        second,
        tasks=tuple(
            replace(t, name=f"u{t.name}", after=tuple(f"u{n}" for n in t.after))
            for t in second.tasks
        ),
        flows=tuple(
            replace(
                f,
                name=f"u{f.name}",
                readers=tuple(f"u{n}" for n in f.readers),
                maker=f.maker and f"u{f.maker}",
            )
            for f in second.flows
        ),
    )
    both = replace(first, tasks=first.tasks + renamed.tasks, flows=first.flows + renamed.flows)
    deadline = sorted(cost_of(both, c).seconds for c in everywhere(both))[20]
    problem = replace(both, deadline=deadline)
    parts = independent(problem)
    assert len(parts) >= 2
    assert sorted(t.name for part in parts for t in part.tasks) == sorted(
        t.name for t in problem.tasks
    )
    apart = sum(ExhaustiveSolver().solve(part).objective for part in parts)
    assert apart == pytest.approx(ExhaustiveSolver().solve(problem).objective)
    assert independent(replace(problem, budget=1.0)) == (replace(problem, budget=1.0),)


def test_a_relaxation_that_grew_is_as_good_as_one_that_is_written_at_once() -> None:
    """The rows that strengthen it come one round after the other."""
    grew = 0
    for seed in range(20):
        program = Program(question_of(drawn(seed, 8), Limits()))
        rows = len(program.rows.row_lower)
        found = program.relaxed(lambda: 60.0)
        assert found.bound == pytest.approx(Relaxation(program.rows).solve(60.0).bound)
        grew += len(program.rows.row_lower) > rows
    assert grew


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_the_soonest_is_the_soonest_and_a_beginning(seed: int) -> None:
    problem = limited(drawn(seed), seed)
    least = min(cost_of(problem, chosen).seconds for chosen in everywhere(problem))
    problem = replace(problem, deadline=1.1 * least)
    soonest = Soonest(problem, monotonic() + 60.0)
    soonest.run()
    assert soonest.proven
    assert soonest.seconds == pytest.approx(least)
    assert cost_of(problem, soonest.chosen).seconds == soonest.seconds
    search = Search(problem, monotonic() + 60.0, 0.01, _limits=Limits(deadline=True))
    search._begin_soonest()
    if problem.budget is None and not problem.quotas:
        assert search.best is not None
    if search.best is not None:
        assert faults_of(problem, search.best[1]) == ()
