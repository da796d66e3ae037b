"""What a choice of options comes to: money, carbon, time, what crosses, what is in use at once."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from math import fsum, inf

from freehold.domain.errors import Fault, PlacementImpossible
from freehold.domain.placement import Cost, Crossing, Flow, Option, Problem

SLACK = 1e-9
"""Share by which a limit may be passed, and a start precede an end: what adding floats may lose."""


@dataclass(frozen=True)
class Crossed:
    """A flow on its way to one other site."""

    flow: Flow
    source: str
    destination: str
    crossing: Crossing

    @property
    def money(self) -> float:
        return self.flow.gigabytes * self.crossing.money

    @property
    def carbon(self) -> float:
        """kgCO2e."""
        return self.flow.gigabytes * self.crossing.carbon

    @property
    def seconds(self) -> float:
        return self.flow.gigabytes * self.crossing.seconds


@dataclass(frozen=True)
class Span:
    """Seconds from the start of everything."""

    start: float
    end: float


def cost_of(problem: Problem, chosen: Mapping[str, int]) -> Cost:
    """`chosen`: task → index of its option, for every task of a problem that was checked.

    Raises PlacementImpossible with code `plan.crossing` if something would have to cross where no
    crossing is listed.
    """
    options = options_of(problem, chosen)
    barred = tuple(_barred(problem, options))
    if barred:
        raise PlacementImpossible(
            "an artifact would have to cross where nothing may",
            code="plan.crossing",
            hint="list that crossing, or choose other sites",
            faults=barred,
        )
    crossed = crossings_of(problem, options)
    spans = spans_of(problem, options)
    return Cost(
        money=fsum([*(o.money for o in options.values()), *(c.money for c in crossed)]),
        carbon=fsum([*(o.carbon for o in options.values()), *(c.carbon for c in crossed)]),
        seconds=max((span.end for span in spans.values()), default=0.0),
    )


def objective_of(problem: Problem, cost: Cost) -> float:
    return problem.objective.of(cost.money, cost.carbon)


def faults_of(problem: Problem, chosen: Mapping[str, int]) -> tuple[Fault, ...]:
    """Every law that a choice breaks: barred crossings, or else deadline, budget and quotas."""
    options = options_of(problem, chosen)
    found = list(_barred(problem, options))
    if found:
        return tuple(found)
    cost = cost_of(problem, chosen)
    if problem.deadline is not None and exceeds(cost.seconds, problem.deadline):
        found.append(
            Fault(
                "plan.deadline", f"takes {cost.seconds:g} s of {problem.deadline:g} s", "deadline"
            )
        )
    if problem.budget is not None and exceeds(cost.money, problem.budget):
        found.append(Fault("plan.budget", f"costs {cost.money:g} of {problem.budget:g}", "budget"))
    peaks = peaks_of(options, spans_of(problem, options))
    for pool, most in sorted(problem.quotas.items()):
        if exceeds(peaks.get(pool, 0.0), most):
            words = f"{peaks[pool]:g} units are in use at once, of {most:g}"
            found.append(Fault("plan.quota", words, f"quotas.{pool}"))
    return tuple(found)


def exceeds(value: float, limit: float) -> bool:
    return value > limit + SLACK * max(1.0, abs(limit))


def options_of(problem: Problem, chosen: Mapping[str, int]) -> dict[str, Option]:
    return {task.name: task.options[chosen[task.name]] for task in problem.tasks}


def crossings_of(problem: Problem, options: Mapping[str, Option]) -> tuple[Crossed, ...]:
    """What crosses, by flow and destination; without what is barred."""
    return tuple(
        Crossed(flow, *way)
        for flow in problem.flows
        for destination in _destinations(flow, options)
        if (way := _way(problem, flow, options, destination)) is not None
    )


def spans_of(problem: Problem, options: Mapping[str, Option]) -> dict[str, Span]:
    """When each task runs if it starts as soon as all that it needs is there."""
    needs = _needs(problem, options)
    spans: dict[str, Span] = {}
    for name in order_of(problem):
        starts = [(spans[maker].end if maker else 0.0) + wait for maker, wait in needs[name]]
        start = max(starts, default=0.0)
        spans[name] = Span(start, start + options[name].seconds)
    return spans


def latest_ends_of(problem: Problem, options: Mapping[str, Option]) -> dict[str, float]:
    """Task → seconds from the start of everything by which it must have ended, for all that
    follows to end by the deadline; infinite where there is none."""
    needs = _needs(problem, options)
    most = inf if problem.deadline is None else problem.deadline
    latest = {task.name: most for task in problem.tasks}
    for name in reversed(order_of(problem)):
        begins = latest[name] - options[name].seconds
        for maker, wait in needs[name]:
            if maker:
                latest[maker] = min(latest[maker], begins - wait)
    return latest


def _needs(problem: Problem, options: Mapping[str, Option]) -> dict[str, list[tuple[str, float]]]:
    """Task → each thing that must be there: who makes it, empty for what lies somewhere, and the
    seconds from then on until it has come."""
    arrivals = {(c.flow.name, c.destination): c.seconds for c in crossings_of(problem, options)}
    needs = {task.name: [(before, 0.0) for before in task.after] for task in problem.tasks}
    for flow in problem.flows:
        for reader in flow.readers:
            wait = arrivals.get((flow.name, options[reader].site), 0.0)
            needs[reader].append((flow.maker, wait))
    return needs


def peaks_of(options: Mapping[str, Option], spans: Mapping[str, Span]) -> dict[str, float]:
    """The most of each pool that is in use at one time."""
    return {pool: most for pool, (most, _) in busiest_of(options, spans).items()}


def busiest_of(
    options: Mapping[str, Option], spans: Mapping[str, Span]
) -> dict[str, tuple[float, frozenset[str]]]:
    """Pool → the most in use at one time, and the tasks that use it then."""
    return {
        pool: max(met, key=lambda one: one[0]) for pool, met in meetings_of(options, spans).items()
    }


def meetings_of(
    options: Mapping[str, Option], spans: Mapping[str, Span]
) -> dict[str, list[tuple[float, frozenset[str]]]]:
    """Pool → whenever a task starts that uses it: what is in use, and by which tasks."""
    ends = max((span.end for span in spans.values()), default=0.0)
    slack = SLACK * max(1.0, ends)
    users: dict[str, list[str]] = {}
    for name in sorted(options):
        if spans[name].end - spans[name].start > slack:
            for pool, units in options[name].uses.items():
                if units > 0.0:
                    users.setdefault(pool, []).append(name)
    found = {}
    for pool, names in users.items():
        # A peak begins where some task starts.
        at_once = [
            frozenset(n for n in names if spans[n].start <= moment + slack < spans[n].end - slack)
            for moment in sorted({spans[name].start for name in names})
        ]
        found[pool] = [(fsum(options[n].uses[pool] for n in group), group) for group in at_once]
    return found


def order_of(problem: Problem) -> tuple[str, ...]:
    """Every task after what it waits for. Raises graphlib.CycleError."""
    return tuple(TopologicalSorter(waits_of(problem)).static_order())


def waits_of(problem: Problem) -> dict[str, set[str]]:
    """Task → the tasks that must have ended: makers of what it reads, and `after`."""
    waits = {task.name: set(task.after) for task in problem.tasks}
    for flow in problem.flows:
        if flow.maker:
            for reader in flow.readers:
                waits[reader].add(flow.maker)
    return waits


def cheapest_source(
    problem: Problem, flow: Flow, sources: tuple[str, ...], destination: str
) -> tuple[str, Crossing] | None:
    """By objective, then seconds, money, name; None if the flow may cross from none of them."""
    listed = problem.crossings_of(flow)
    ways = [
        (problem.objective.of(found.money, found.carbon), found.seconds, found.money, source, found)
        for source in sources
        if (found := listed.get((source, destination))) is not None
    ]
    if not ways:
        return None
    best = min(ways, key=lambda way: way[:4])
    return best[3], best[4]


def _destinations(flow: Flow, options: Mapping[str, Option]) -> list[str]:
    """Other sites at which it is read."""
    lies = (options[flow.maker].site,) if flow.maker else flow.at
    return sorted({options[reader].site for reader in flow.readers} - set(lies))


def _way(
    problem: Problem, flow: Flow, options: Mapping[str, Option], destination: str
) -> tuple[str, str, Crossing] | None:
    sources = (options[flow.maker].site,) if flow.maker else flow.at
    found = cheapest_source(problem, flow, sources, destination)
    return None if found is None else (found[0], destination, found[1])


def _barred(problem: Problem, options: Mapping[str, Option]) -> Iterator[Fault]:
    for flow in sorted(problem.flows, key=lambda flow: flow.name):
        for destination in _destinations(flow, options):
            if _way(problem, flow, options, destination) is None:
                lies = options[flow.maker].site if flow.maker else ", ".join(sorted(flow.at))
                words = f"'{flow.name}' may not cross from {lies} to {destination}"
                yield Fault("plan.crossing", words, f"flows.{flow.name}")
