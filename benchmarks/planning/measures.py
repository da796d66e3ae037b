"""One placement, timed in a process of its own."""

import resource
from collections.abc import Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from time import perf_counter, process_time

from benchmarks.planning.problems import problem
from freehold.adapters.exhaustive.solver import ExhaustiveSolver
from freehold.adapters.highs.solver import HighsSolver
from freehold.domain.errors import PlacementImpossible
from freehold.domain.placement import Objective, Problem, Solution
from freehold.domain.placement_cost import cost_of, objective_of, options_of, peaks_of, spans_of
from freehold.planning.heuristics import best_single_site, greedy


@dataclass(frozen=True)
class Measured:
    seconds: float
    processor: float
    """Seconds of processor, which other work on the machine does not change."""
    objective: float | None
    """None: nothing was found in time."""
    gap: float | None
    megabytes: float
    """That the process grew to beyond the problem."""
    single: float | None
    """Objective at the best single site."""
    greedy: float | None


def measured(
    seed: int, steps: int, sites: int, gap: float, seconds: float, limit: str = ""
) -> Measured:
    """`limit`: `deadline`, half of what the best without it takes; `quotas`, four fifths of the
    accelerators that it has in use at once at each site; `budget`, carbon is made small with three
    tenths of the money that it would take beyond the least."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_measured, seed, steps, sites, gap, seconds, limit).result()


def exact_excess(seeds: Iterable[int]) -> float:
    """The most by which what is proven best is dearer than the best of all, as a share of it."""
    shares = []
    for seed in seeds:
        small = problem(seed, steps=5, sites=2, machines=4)
        best = ExhaustiveSolver().solve(small, seconds=600.0).objective
        shares.append(HighsSolver().solve(small, gap=0.0).objective / best - 1.0)
    return max(shares)


def _measured(
    seed: int, steps: int, sites: int, gap: float, seconds: float, limit: str
) -> Measured:
    solver = HighsSolver()
    # What is imported once is not of this placement.
    solver.solve(problem(0, steps=2, sites=2, machines=2))
    asked = problem(seed, steps, sites)
    if limit:
        asked = _limited(asked, solver, limit)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began, worked = perf_counter(), process_time()
    found = _found(solver, asked, seconds, gap)
    took, processor = perf_counter() - began, process_time() - worked
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return Measured(
        seconds=took,
        processor=processor,
        objective=found and found.objective,
        gap=found and found.gap,
        megabytes=grown / 1024,
        single=_objective(asked, best_single_site(asked)),
        greedy=_objective(asked, greedy(asked)),
    )


def _found(solver: HighsSolver, asked: Problem, seconds: float, gap: float) -> Solution | None:
    try:
        return solver.solve(asked, seconds, gap)
    except PlacementImpossible as refused:
        if refused.code != "plan.no-time":
            raise
        return None


def _limited(free: Problem, solver: HighsSolver, limit: str) -> Problem:
    chosen = solver.solve(free, gap=0.01).chosen
    if limit == "deadline":
        return replace(free, deadline=cost_of(free, chosen).seconds / 2)
    if limit == "budget":
        least = cost_of(free, chosen).money
        green = replace(free, objective=Objective(money=0.0, carbon=1.0))
        most = cost_of(green, solver.solve(green, gap=0.01).chosen).money
        return replace(green, budget=least + 0.3 * (most - least))
    options = options_of(free, chosen)
    peaks = peaks_of(options, spans_of(free, options))
    return replace(free, quotas={pool: max(1.0, most * 4 // 5) for pool, most in peaks.items()})


def _objective(asked: Problem, chosen: Mapping[str, int] | None) -> float | None:
    return None if chosen is None else objective_of(asked, cost_of(asked, chosen))
