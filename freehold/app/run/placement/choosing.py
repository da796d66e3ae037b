"""Places the steps of a run that are to be run."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from freehold.app import adapters
from freehold.app.contract.gate import contracts_of
from freehold.app.costs.grid import profiles_of
from freehold.app.project.reading import OpenProject
from freehold.app.run.placement.ground import ground_of
from freehold.app.run.placement.laws import laws_of
from freehold.app.run.placement.measured import measured_of
from freehold.app.run.placement.nearness import gap_of
from freehold.app.site.labelled import Labelled
from freehold.app.site.opening import Site
from freehold.domain.artifact import Artifact
from freehold.domain.candidate import Candidate
from freehold.domain.graph import Graph, Reference, references
from freehold.domain.labels import inherited
from freehold.domain.offer import Figure
from freehold.domain.placement import Objective, Problem, Solution
from freehold.domain.project import PlacementSpec
from freehold.planning.change import Changes, read_changes
from freehold.planning.estimate import Estimate, Measured, estimate, lying
from freehold.planning.labelling import Labels, StepLabels, labels_of
from freehold.planning.options import Question, situations
from freehold.planning.placed import Placed
from freehold.planning.placing import Wish, place
from freehold.planning.problem import Limits, Reading
from freehold.planning.waiting import Wait, best_wait
from freehold.ports.solver import Solver

SECONDS = 60.0
"""That a plan is thought about at most."""
MICROSECONDS_AN_HOUR = 3_600_000_000


@dataclass(frozen=True)
class Forecasts:
    """What is known of a graph before it is placed."""

    graph: Graph
    to_run: frozenset[str]
    made: Mapping[str, tuple[Artifact, ...]]
    """Outputs of steps that are cached."""
    lacking: Mapping[str, tuple[Artifact, ...]] = field(default_factory=dict)
    """Outputs of steps that were made before, and do not lie here."""


@dataclass(frozen=True)
class Chosen:
    placed: Placed
    labels: Mapping[str, StepLabels]
    wait: Wait | None


def choose(site: Site, known: Forecasts, what_if: Sequence[str] = ()) -> Chosen:
    """Raises ProjectInvalid, PlacementImpossible, WrongUsage `usage.what-if`."""
    project, graph = site.project, known.graph
    spec = project.spec.placement
    ground = ground_of(project)
    own: dict[str, Labels] = {node.name: node.step.labels for node in graph.nodes}
    changes = read_changes(what_if, ground, own)
    labels = labels_of(graph, recorded_labels(site, known), changes.ignored_of(own))
    objective = objective_of(spec)
    question = Question(changes.on(ground), laws_of(project, graph), objective)
    measured = measured_of(site.state, graph)
    estimates = {
        node.name: estimate(node.step, measured.get(node.name, Measured()), spec.assumed_seconds)
        for node in graph.nodes
    }
    estimates |= _lying(site, known, estimates)
    reading = _reading(site, graph)
    registered: dict[str, set[int]] = {}
    for one in reading.registered:
        registered.setdefault(one.node, set()).add(one.output)
    estimates |= {
        name: replace(estimates[name], registered=frozenset(numbers))
        for name, numbers in registered.items()
    }
    nodes = [node for node in graph.nodes if node.name in known.to_run]
    found = situations(nodes, labels, estimates, question)
    wish = Wish(
        graph,
        labels,
        _sizes(known, estimates),
        reading,
        _limits(spec, changes),
        _minimises(project),
    )
    solver: Solver = adapters.load("solver", spec.solver)()

    def solve(problem: Problem) -> Solution:
        return solver.solve(problem, SECONDS, gap_of(problem))

    placed = place(wish, found, question, solve)
    return Chosen(placed, labels, _wait(site, placed, wish.limits))


def _lying(
    site: Site, known: Forecasts, estimates: Mapping[str, Estimate]
) -> Iterator[tuple[str, Estimate]]:
    """Steps whose outputs lie at other sites of the project, all of them at the same."""
    if not known.lacking:
        return
    labelled = Labelled(site.state)
    for step, made in known.lacking.items():
        sites = set(site.project.spec.sites) - {site.name}
        for one in made:
            sites &= labelled.places(one.digest)
        if made and sites:
            yield step, lying(estimates[step], made, sites)


def objective_of(spec: PlacementSpec) -> Objective:
    return {
        "money": Objective(1.0, 0.0),
        "carbon": Objective(0.0, 1.0),
        "both": Objective(1.0, spec.carbon_price),
    }[spec.minimise]


def _minimises(project: OpenProject) -> str:
    spec = project.spec.placement
    if spec.minimise != "both":
        return spec.minimise
    assumed = "" if project.says("placement", "carbon_price") else ", which is assumed"
    return f"money, and carbon at {spec.carbon_price:g} a kg{assumed}"


def _limits(spec: PlacementSpec, changes: Changes) -> Limits:
    deadline = spec.deadline_hours * 3600 if spec.deadline_hours else None
    return changes.limits(Limits(deadline, spec.budget or None))


def recorded_labels(site: Site, known: Forecasts) -> dict[str, Labels]:
    """Of what lies here already: what today's code says, and whoever else speaks of the bytes."""
    if not known.made:
        return {}
    labelled = Labelled(site.state)
    return {
        name: inherited(
            [*(one.labels for one in outputs), labelled.of([one.digest for one in outputs])]
        )
        for name, outputs in known.made.items()
    }


def _sizes(known: Forecasts, estimates: Mapping[str, Estimate]) -> dict[Reference, Figure]:
    found = {}
    for node in known.graph.nodes:
        made = known.made.get(node.name)
        for number, expected in enumerate(estimates[node.name].outputs):
            if made is not None:
                size = made[number].size
                expected = Figure(float(size), "B", f"{made[number].digest}, which lies here")
            found[Reference(node.name, number)] = expected
    return found


def _reading(site: Site, graph: Graph) -> Reading:
    """Contracts are checked, a model is registered, and what nobody reads is shown, where the run
    is driven from."""
    driver: dict[str, frozenset[Reference]] = {}
    checked = contracts_of(site.project)
    result = frozenset(references(graph.result))
    read = {found.node for node in graph.nodes for _, found in node.references()}
    for node in graph.nodes:
        outputs = frozenset(Reference(node.name, n) for n in range(len(node.step.returns)))
        if node.step.name in checked:
            driver[f"contract on {node.name}"] = frozenset({Reference(node.name, 0)})
        if node.name not in read and not outputs & result:
            driver[f"report of {node.name}"] = outputs
    registers = isinstance(graph.result, Candidate)
    if result:
        driver["registration" if registers else "result"] = result
    return Reading(driver, result if registers else frozenset())


def _wait(site: Site, placed: Placed, limits: Limits) -> Wait | None:
    """Only where there is a deadline, and carbon is to be made small."""
    spec = site.project.spec
    if limits.deadline is None or spec.placement.minimise == "money":
        return None
    by_site: dict[str, float] = {}
    for step in placed.steps:
        by_site[step.place.site] = by_site.get(step.place.site, 0.0) + step.carbon
    hours = placed.cost.seconds / 3600
    now = site.clock() / MICROSECONDS_AN_HOUR % 24
    slack = limits.deadline / 3600 - hours
    return best_wait(by_site, profiles_of(spec), now, hours, slack)
