"""What a task's options would come to, while all other tasks stay where they are."""

from collections import ChainMap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from freehold.domain.placement import Crossing, Flow, Problem

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
        self._options = {task.name: task.options for task in problem.tasks}
        self._flows: dict[str, list[Flow]] = {task.name: [] for task in problem.tasks}
        for flow in problem.flows:
            for name in dict.fromkeys([*([flow.maker] if flow.maker else []), *flow.readers]):
                self._flows[name].append(flow)

    def of(self, task: str) -> list[Alternative]:
        """Of every option that nothing bars, the best first; ties in the order of the options."""
        objective, options = self._problem.objective, self._options[task]
        crossed = {site: self._crossed(task, site) for site in {one.site for one in options}}
        found = []
        for number, option in enumerate(options):
            more = crossed[option.site]
            if more is not None:
                cost = option.money + more[0], option.carbon + more[1]
                found.append(Alternative(number, *cost, objective.of(*cost)))
        return sorted(found, key=lambda one: (one.objective, one.number))

    def _crossed(self, task: str, site: str) -> tuple[float, float] | None:
        """Money and carbon of all that crosses because a task is there; None where something would
        that may not."""
        money = carbon = 0.0
        sites = ChainMap({task: site}, self._sites)
        for flow in self._flows[task]:
            listed = self._problem.crossings_of(flow)
            for crossing in crossings_of(flow, sites, listed).values():
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
