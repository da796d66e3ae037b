"""Which limit leaves no choice, found by solving again without the others."""

from collections.abc import Mapping
from dataclasses import replace
from math import inf

from freehold.adapters.highs.search import Search, Soonest, without_limits
from freehold.domain.errors import PlacementImpossible
from freehold.domain.placement import Crossing, Problem
from freehold.domain.placement_cost import (
    cost_of,
    exceeds,
    faults_of,
    options_of,
    peaks_of,
    spans_of,
)
from freehold.domain.placement_refusal import (
    budget_refused,
    crossing_refused,
    deadline_refused,
    quota_refused,
)


def refusal_of(problem: Problem, until: float) -> PlacementImpossible:
    """Of a problem that is proven to have no answer. Asked in this order: crossings, deadline,
    budget within it, quotas within both."""
    free = Search(without_limits(problem), until, gap=1.0)
    free.run()
    if free.impossible:
        return crossing_refused(faults_of(problem, _fewest_crossings(problem, until)))
    known = cost_of(problem, free.unlimited).seconds if free.unlimited else inf
    if problem.deadline is not None and exceeds(known, problem.deadline):
        soonest = Soonest(problem, until)
        soonest.run()
        if exceeds(soonest.seconds, problem.deadline):
            return deadline_refused(problem, min(soonest.seconds, known), soonest.proven)
    if problem.budget is not None:
        unlimited = replace(problem, budget=None, quotas={})
        cheapest = Search(unlimited, until, gap=0.0, of_money=True)
        cheapest.run()
        if cheapest.best is not None and exceeds(cheapest.best[0], problem.budget):
            return budget_refused(problem, cheapest.best[0], cheapest.proven)
    return quota_refused(problem, _blamed(problem, until))


def _fewest_crossings(problem: Problem, until: float) -> Mapping[str, int]:
    """A choice with as few barred crossings as can be."""
    sites = {option.site for task in problem.tasks for option in task.options}
    sources = sites | {site for flow in problem.flows for site in flow.at}
    counted: dict[int, dict[tuple[str, str], Crossing]] = {}
    for listed in map(problem.crossings_of, problem.flows):
        counted[id(listed)] = {
            (source, destination): Crossing(float((source, destination) not in listed), 0.0, 0.0)
            for source in sources
            for destination in sites
        }
    tasks = tuple(
        replace(task, options=tuple(replace(o, money=0.0, uses={}) for o in task.options))
        for task in problem.tasks
    )
    flows = tuple(
        replace(flow, gigabytes=1.0, crossings=counted[id(problem.crossings_of(flow))])
        for flow in problem.flows
    )
    search = Search(Problem(tasks, flows), until, gap=0.0)
    search.run()
    return search.best[1] if search.best else {task.name: 0 for task in problem.tasks}


def _blamed(problem: Problem, until: float) -> dict[str, float]:
    """Pool → what would be in use at most. Those that cannot be kept to alone, else all."""
    best = Search(replace(problem, quotas={}), until, gap=0.0)
    best.run()
    options = options_of(problem, best.unlimited)
    peaks = peaks_of(options, spans_of(problem, options))
    alone = []
    if len(problem.quotas) > 1:
        for pool, most in sorted(problem.quotas.items()):
            search = Search(replace(problem, quotas={pool: most}), until, gap=1.0)
            search.run()
            if search.impossible:
                alone.append(pool)
    return {pool: peaks.get(pool, 0.0) for pool in alone or problem.quotas}
