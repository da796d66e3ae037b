"""Situations as a problem for a solver.

Beside the steps, the problem has tasks that stand still: what the run's driver reads (contracts are
checked and models registered where it runs), and sites that get copies of results unasked.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from freehold.domain.graph import Graph, Reference
from freehold.domain.offer import Figure
from freehold.domain.placement import Crossing, Flow, Objective, Option, Problem, Task
from freehold.planning.ground import GIGABYTE, Ground, Laws
from freehold.planning.labelling import Labels, StepLabels
from freehold.planning.options import Situation

COPIES = "(copies at "


@dataclass(frozen=True)
class Limits:
    deadline: float | None = None
    """Seconds."""
    budget: float | None = None
    """Money."""


@dataclass(frozen=True)
class Reading:
    """What is read outside of steps, and where."""

    driver: Mapping[str, frozenset[Reference]] = field(default_factory=dict)
    """Name of what reads it → outputs: `contract flights`, `registration`."""
    registered: frozenset[Reference] = frozenset()
    """Outputs that become a model version's package."""


@dataclass(frozen=True)
class Posed:
    problem: Problem
    sizes: Mapping[str, Figure]
    """Of each flow, bytes."""
    outputs: Mapping[str, Reference]
    """Flow → the output that it is."""
    barred: Mapping[str, frozenset[tuple[str, str]]]
    """Flow → ways, from and to, that its labels bar."""


def pose(
    graph: Graph,
    found: Sequence[Situation],
    labels: Mapping[str, StepLabels],
    sizes: Mapping[Reference, Figure],
    reading: Reading,
    question: tuple[Ground, Laws, Objective, Limits],
) -> Posed:
    """`sizes`: of every output of the graph, those of cached steps as they are. What no situation
    makes lies here."""
    ground, laws, objective, limits = question
    placed = {one.step for one in found}
    ways = _Ways(ground, laws)
    fixed = dict(_fixed(found, graph, labels, reading, (ground, laws, ways)))
    parents = graph.parents()
    tasks = [
        Task(
            one.step,
            tuple(choice.option for choice in one.choices),
            tuple(p for p in parents[one.step] if p in placed),
        )
        for one in found
    ]
    for name, (site, outputs) in fixed.items():
        money = _keeping(outputs, sizes, ground, site) if name.startswith(COPIES) else 0.0
        tasks.append(Task(name, (Option(site, "", money, 0.0, 0.0),)))
    readers: dict[Reference, dict[str, None]] = {}
    for node in graph.nodes:
        for _, output in node.references():
            if node.name in placed:
                readers.setdefault(output, {})[node.name] = None
    for name, (_, outputs) in fixed.items():
        for output in outputs:
            readers.setdefault(output, {})[name] = None
    flows, names = [], {}
    for output, tasks_that_read in sorted(readers.items(), key=lambda one: _name(one[0])):
        name = _name(output)
        names[name] = output
        made = output.node in placed
        flows.append(
            Flow(
                name,
                sizes[output].value / GIGABYTE,
                tuple(tasks_that_read),
                output.node if made else "",
                () if made else (ground.here,),
                ways.open(labels[output.node].makes),
            )
        )
    problem = Problem(
        tuple(tasks),
        tuple(flows),
        ways.listed,
        objective,
        limits.deadline,
        limits.budget,
        ground.quotas,
    )
    barred = {name: ways.barred(labels[output.node].makes) for name, output in names.items()}
    return Posed(problem, {name: sizes[output] for name, output in names.items()}, names, barred)


class _Ways:
    """Which ways labels bar, asked once for each set of labels."""

    def __init__(self, ground: Ground, laws: Laws) -> None:
        self._ground, self._laws = ground, laws
        self.listed = {pair: way.crossing for pair, way in ground.ways.items()}
        self._known: dict[tuple[tuple[str, str], ...], frozenset[tuple[str, str]]] = {}
        self._open: dict[frozenset[tuple[str, str]], Mapping[tuple[str, str], Crossing]] = {}

    def barred(self, labels: Labels) -> frozenset[tuple[str, str]]:
        key = tuple(sorted(labels.items()))
        if key not in self._known:
            self._known[key] = frozenset(
                way for way in self._ground.ways if self._laws.barred_way(labels, *way)
            )
        return self._known[key]

    def open(self, labels: Labels) -> Mapping[tuple[str, str], Crossing] | None:
        """The same object for all that may take the same ways; None where none is barred."""
        barred = self.barred(labels)
        if barred and barred not in self._open:
            self._open[barred] = {
                way: crossing for way, crossing in self.listed.items() if way not in barred
            }
        return self._open.get(barred)

    def all_open(self, labels: Labels, origins: Iterable[str], site: str) -> bool:
        """Whether it can come there from each of them."""
        ways = {(origin, site) for origin in origins if origin != site}
        return ways <= self._ground.ways.keys() and not ways & self.barred(labels)


def _name(output: Reference) -> str:
    return f"{output.node}.{output.output}"


def _keeping(
    outputs: frozenset[Reference], sizes: Mapping[Reference, Figure], ground: Ground, site: str
) -> float:
    return ground.keeping(site, sum(sizes[one].value for one in outputs))


def _fixed(
    found: Sequence[Situation],
    graph: Graph,
    labels: Mapping[str, StepLabels],
    reading: Reading,
    stands: tuple[Ground, Laws, _Ways],
) -> Iterator[tuple[str, tuple[str, frozenset[Reference]]]]:
    """Name → site and what it reads there. A copy that cannot come from wherever it may be made is
    none that a step has to be placed for."""
    ground, laws, ways = stands
    made_at = {one.step: {choice.offer.site for choice in one.choices} for one in found}
    for name, outputs in reading.driver.items():
        if outputs:
            yield f"({name})", (ground.here, outputs)
    every = frozenset(
        Reference(node.name, number)
        for node in graph.nodes
        if node.name in made_at
        for number in range(len(node.step.returns))
    )
    for site, kinds in ground.replicas.items():
        if "results" not in kinds:
            continue
        allowed = frozenset(
            one
            for one in every
            if not laws.barred(labels[one.node].makes, site)
            and site not in ground.down
            and ways.all_open(labels[one.node].makes, made_at[one.node], site)
        )
        if allowed:
            yield f"{COPIES}{site})", (site, allowed)
