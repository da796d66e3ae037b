"""Ways that labels bar, told to people: why a plan does not use a site, or why there is none."""

from collections.abc import Iterator, Mapping

from freehold.domain.errors import Fault
from freehold.domain.graph import Graph
from freehold.domain.placement import Flow
from freehold.planning.ground import Laws
from freehold.planning.labelling import StepLabels
from freehold.planning.problem import Posed
from freehold.planning.refusal import Refusal

SHOWN = 5
"""Ways of one artifact that an error lists."""


class BarredWays:
    def __init__(self, posed: Posed, labels: Mapping[str, StepLabels], laws: Laws) -> None:
        self._posed, self._labels, self._laws = posed, labels, laws
        self._flows = [
            (flow, barred) for flow in posed.problem.flows if (barred := posed.barred[flow.name])
        ]
        self._sites = {
            task.name: {option.site for option in task.options} for task in posed.problem.tasks
        }

    def refusals(self, sites: Mapping[str, str]) -> dict[str, list[Refusal]]:
        """By step, of the sites where it may run but for what it reads, or what reads it, while all
        others stay. `sites`: of every task, as it is placed."""
        found: dict[str, dict[str, Refusal]] = {}
        for flow, barred in self._flows:
            for task, site, way in _would_take(flow, barred, sites, self._sites):
                rule = self._rule(flow, way)
                if task in self._labels:
                    refusal = Refusal(site, "way", f"from {way[0]} to {way[1]}: {rule}")
                    found.setdefault(task, {}).setdefault(site, refusal)
        return {task: list(by_site.values()) for task, by_site in found.items()}

    def faults(self, graph: Graph) -> list[Fault]:
        """Of all artifacts that some way between sites where their steps may run is barred to."""
        found = []
        for flow, ways in self._flows:
            origins = self._sites[flow.maker] if flow.maker else set(flow.at)
            ends = {site for reader in flow.readers for site in self._sites[reader]}
            barred = sorted(way for way in ways if way[0] in origins and way[1] in ends)
            if barred:
                step = self._posed.outputs[flow.name].node
                told = "; ".join(
                    f"from {way[0]} to {way[1]}: {self._rule(flow, way)}" for way in barred[:SHOWN]
                )
                more = f"; and {len(barred) - SHOWN} more" if len(barred) > SHOWN else ""
                what = f"what '{step}' makes may not go {told}{more}"
                found.append(Fault("plan.no-site", what, graph.node(step).where))
        return found

    def _rule(self, flow: Flow, way: tuple[str, str]) -> str:
        return self._laws.barred_way(self._labels[self._posed.outputs[flow.name].node].makes, *way)


def _would_take(
    flow: Flow,
    barred: frozenset[tuple[str, str]],
    sites: Mapping[str, str],
    offered: Mapping[str, set[str]],
) -> Iterator[tuple[str, str, tuple[str, str]]]:
    """Task, another site of it, and the barred way that it would take then."""
    origins = (sites[flow.maker],) if flow.maker else flow.at
    for reader in flow.readers:
        for site in sorted(offered[reader] - {sites[reader], *origins}):
            ways = [(origin, site) for origin in origins]
            if all(way in barred for way in ways):
                yield reader, site, ways[0]
    if flow.maker:
        for site in sorted(offered[flow.maker] - {sites[flow.maker]}):
            for end in sorted({sites[reader] for reader in flow.readers} - {site}):
                if (site, end) in barred:
                    yield flow.maker, site, (site, end)
