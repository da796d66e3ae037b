"""Placements as one would make them by hand, to compare with: no limit is looked at."""

from collections.abc import Mapping

from freehold.domain.errors import PlacementImpossible
from freehold.domain.placement import Flow, Option, Problem, Task
from freehold.domain.placement_cost import cheapest_source, cost_of, objective_of, order_of


def greedy(problem: Problem) -> dict[str, int] | None:
    """Task after task, what is cheapest given all that came before; None at a dead end."""
    tasks = {task.name: task for task in problem.tasks}
    reads: dict[str, list[Flow]] = {name: [] for name in tasks}
    for flow in problem.flows:
        for reader in flow.readers:
            reads[reader].append(flow)
    chosen: dict[str, int] = {}
    sites: dict[str, str] = {}
    copies: set[tuple[str, str]] = set()
    for name in order_of(problem):
        brought = {
            site: _brought(problem, reads[name], sites, copies, site)
            for site in {option.site for option in tasks[name].options}
        }
        best = _least(problem, tasks[name], brought)
        if best is None:
            return None
        chosen[name], sites[name] = best, tasks[name].options[best].site
        copies |= {(flow.name, sites[name]) for flow in reads[name]}
    return chosen


def best_single_site(problem: Problem) -> dict[str, int] | None:
    """Everything at the one site where that is cheapest; None if no site can run all."""
    sites = [{option.site for option in task.options} for task in problem.tasks]
    common = sorted(set.intersection(*sites)) if sites else []
    found = []
    for site in common:
        chosen = {
            task.name: best
            for task in problem.tasks
            if (best := _least(problem, task, {site: 0.0})) is not None
        }
        try:
            found.append((objective_of(problem, cost_of(problem, chosen)), site, chosen))
        except PlacementImpossible:
            continue
    return min(found, key=lambda one: one[:2])[2] if found else None


def _least(problem: Problem, task: Task, brought: Mapping[str, float | None]) -> int | None:
    """Index of the option that adds least, where its inputs can be brought."""

    def added(option: Option) -> float | None:
        more = brought.get(option.site)
        return None if more is None else problem.objective.of(option.money, option.carbon) + more

    costs = [
        (cost, option.site, option.machine, index)
        for index, option in enumerate(task.options)
        if (cost := added(option)) is not None
    ]
    return min(costs)[3] if costs else None


def _brought(
    problem: Problem,
    flows: list[Flow],
    sites: Mapping[str, str],
    copies: set[tuple[str, str]],
    site: str,
) -> float | None:
    """What it adds to have all of them there; None if one cannot come. `copies`: flow, site to
    which it has been brought."""
    total = 0.0
    for flow in flows:
        lies = (sites[flow.maker],) if flow.maker else flow.at
        if site in lies or (flow.name, site) in copies:
            continue
        way = cheapest_source(problem, flow, lies, site)
        if way is None:
            return None
        total += flow.gigabytes * problem.objective.of(way[1].money, way[1].carbon)
    return total
