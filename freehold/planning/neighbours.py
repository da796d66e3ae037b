"""What a task's options would come to, while all other tasks stay where they are."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from freehold.domain.placement import Crossing, Flow, Option, Problem

_NOTHING = Crossing(0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Alternative:
    number: int
    """Of the task's option."""
    money: float
    """Of the option and of all that crosses because of it."""
    carbon: float
    objective: float


class Neighbours:
    def __init__(self, problem: Problem, sites: Mapping[str, str]) -> None:
        """`sites`: of every task, as it is placed."""
        self._problem, self._sites = problem, dict(sites)
        self._flows: dict[str, list[Flow]] = {task.name: [] for task in problem.tasks}
        for flow in problem.flows:
            for name in dict.fromkeys([*([flow.maker] if flow.maker else []), *flow.readers]):
                self._flows[name].append(flow)

    def of(self, task: str) -> list[Alternative]:
        """Of every option that nothing bars, the best first; ties in the order of the options."""
        objective = self._problem.objective
        options = next(one for one in self._problem.tasks if one.name == task).options
        found = []
        for number, option in enumerate(options):
            cost = self._cost(task, option)
            if cost is not None:
                found.append(Alternative(number, *cost, objective.of(*cost)))
        return sorted(found, key=lambda one: (one.objective, one.number))

    def _cost(self, task: str, option: Option) -> tuple[float, float] | None:
        """Money and carbon, or None where something would cross that may not."""
        money, carbon = option.money, option.carbon
        sites = {**self._sites, task: option.site}
        for flow in self._flows[task]:
            for crossing in crossings_of(flow, sites, self._problem.crossings_of(flow)).values():
                if crossing is None:
                    return None
                money += crossing.money * flow.gigabytes
                carbon += crossing.carbon * flow.gigabytes
        return money, carbon


def crossings_of(
    flow: Flow, sites: Mapping[str, str], listed: Mapping[tuple[str, str], Crossing]
) -> dict[tuple[str, str], Crossing | None]:
    """From and to of each crossing of a flow whose tasks stand at these sites: None where it may
    take none. From several sites, the cheapest."""
    origins = (sites[flow.maker],) if flow.maker else flow.at
    found: dict[tuple[str, str], Crossing | None] = {}
    for site in dict.fromkeys(sites[reader] for reader in flow.readers):
        if site in origins:
            continue
        ways = [(origin, listed[origin, site]) for origin in origins if (origin, site) in listed]
        if not ways:
            found[origins[0], site] = None
            continue
        origin, way = min(ways, key=lambda one: (one[1].money, one[1].carbon, one[0]))
        found[origin, site] = way
    return found


def used_ways(
    problem: Problem, sites: Mapping[str, str]
) -> Iterator[tuple[Flow, str, str, Crossing]]:
    """Each crossing of a placement: flow, from, to, and what a gigabyte pays."""
    for flow in problem.flows:
        for (origin, site), crossing in crossings_of(
            flow, sites, problem.crossings_of(flow)
        ).items():
            yield flow, origin, site, crossing or _NOTHING
