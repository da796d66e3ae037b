"""From situations to a placement: pose, solve, explain."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from freehold.domain.errors import Fault, PlacementImpossible
from freehold.domain.graph import Graph, Reference
from freehold.domain.offer import Figure
from freehold.domain.placement import Place, Problem, Solution
from freehold.domain.placement_cost import latest_ends_of, options_of
from freehold.planning.ground import Ground
from freehold.planning.labelling import StepLabels
from freehold.planning.neighbours import Neighbours, used_ways
from freehold.planning.onward import Route, Way
from freehold.planning.options import Choice, Question, Situation
from freehold.planning.placed import Placed, PlacedCopies, PlacedCrossing, PlacedStep, RunnerUp
from freehold.planning.problem import COPIES, Limits, Posed, Reading, pose
from freehold.planning.replicas import replicas_of
from freehold.planning.ways import BarredWays

Solve = Callable[[Problem], Solution]


@dataclass(frozen=True)
class Wish:
    """A run that is to be placed."""

    graph: Graph
    labels: Mapping[str, StepLabels]
    sizes: Mapping[Reference, Figure]
    """Of every output, bytes."""
    reading: Reading
    limits: Limits
    minimises: str = "money"


def place(wish: Wish, found: Sequence[Situation], question: Question, solve: Solve) -> Placed:
    """Raises PlacementImpossible: what the solver says, and `plan.no-site` where the driver may
    not read what it must, or labels leave no way between the sites that may run the steps."""
    _require_readable(wish, question)
    copies = tuple(_replicas(wish, found, question))
    wish = replace(wish, limits=_less(wish.limits, sum(one.money for one in copies)))
    posed = _pose(wish, found, question)
    ways = BarredWays(posed, wish.labels, question.laws)
    try:
        solution = solve(posed.problem)
    except PlacementImpossible as error:
        faults = ways.faults(wish.graph) if error.code == "plan.crossing" else []
        if not faults:
            raise
        raise PlacementImpossible(
            "labels leave no way between the sites that may run these steps",
            why="what one makes has to reach the others, and no store may carry it there",
            faults=faults,
            hint="give one of these sites a store of its own that the label allows",
            code="plan.no-site",
        ) from error
    sites = _sites(posed.problem, solution)
    refused = ways.refusals(sites)
    found = [replace(one, refused=(*one.refused, *refused.get(one.step, ()))) for one in found]
    return _placed(wish, found, question, (posed, solution, sites), copies)


def _pose(wish: Wish, found: Sequence[Situation], question: Question) -> Posed:
    stands = (question.ground, question.laws, question.objective, wish.limits)
    return pose(wish.graph, found, wish.labels, wish.sizes, wish.reading, stands)


def _replicas(wish: Wish, found: Sequence[Situation], question: Question) -> Iterator[PlacedCopies]:
    """Of what this run makes anew."""
    made = {one.step for one in found}
    registered = frozenset(one for one in wish.reading.registered if one.node in made)
    stands = (question.ground, question.laws)
    return replicas_of(registered, wish.sizes, wish.labels, stands)


def _less(limits: Limits, money: float) -> Limits:
    """What is left for steps and their crossings."""
    if limits.budget is None:
        return limits
    return replace(limits, budget=max(0.0, limits.budget - money))


def _require_readable(wish: Wish, question: Question) -> None:
    """What the driver reads outside of steps comes to its site: labels must allow it."""
    here, faults = question.ground.here, []
    for name, outputs in sorted(wish.reading.driver.items()):
        for output in sorted(outputs, key=lambda one: (one.node, one.output)):
            rule = question.laws.barred(wish.labels[output.node].makes, here)
            if rule:
                what = f"{name} reads what '{output.node}' makes at {here}: {rule}"
                faults.append(Fault("plan.no-site", what, wish.graph.node(output.node).where))
    if faults:
        raise PlacementImpossible(
            f"the run cannot be driven from {here}",
            why="contracts are checked and models registered where it is driven from",
            faults=faults,
            hint="plan it at a site that may read this: FREEHOLD_SITE=…, or `freehold run --at`",
            code="plan.no-site",
        )


def _sites(problem: Problem, solution: Solution) -> dict[str, str]:
    return {one.name: one.options[solution.chosen[one.name]].site for one in problem.tasks}


def _placed(
    wish: Wish,
    found: Sequence[Situation],
    question: Question,
    solved: tuple[Posed, Solution, Mapping[str, str]],
    copies: tuple[PlacedCopies, ...],
) -> Placed:
    posed, solution, sites = solved
    neighbours = Neighbours(posed.problem, sites)
    latest = latest_ends_of(posed.problem, options_of(posed.problem, solution.chosen))
    steps = tuple(
        _placed_step(one, solution.chosen[one.step], neighbours, question.ground, latest[one.step])
        for one in found
    )
    crossings = tuple(
        PlacedCrossing(
            flow.name,
            origin,
            destination,
            posed.sizes[flow.name],
            way.money * flow.gigabytes,
            way.carbon * flow.gigabytes,
            wish.labels[posed.outputs[flow.name].node].makes,
            *question.ground.ways[origin, destination].figures,
        )
        for flow, origin, destination, way in used_ways(posed.problem, sites)
    )
    return Placed(
        question.ground.currency,
        wish.minimises,
        steps,
        crossings,
        replace(
            solution.cost,
            money=solution.cost.money + sum(one.money for one in copies),
            carbon=solution.cost.carbon + sum(one.carbon for one in copies),
        ),
        (*_copies(posed, question.ground), *copies),
        solution,
        question.ground.missing,
    )


def _copies(posed: Posed, ground: Ground) -> Iterator[PlacedCopies]:
    for task in posed.problem.tasks:
        if not task.name.startswith(COPIES):
            continue
        site = task.options[0].site
        outputs = tuple(one.name for one in posed.problem.flows if task.name in one.readers)
        figures = {f"size of {name}": posed.sizes[name] for name in outputs}
        figures |= ground.keeping_figures(site)
        formula = ground.keeping_told(site, sum(posed.sizes[name].value for name in outputs))
        yield PlacedCopies(site, outputs, task.options[0].money, figures, formula)


def _placed_step(
    one: Situation, chosen: int, neighbours: Neighbours, ground: Ground, latest: float
) -> PlacedStep:
    choice = one.choices[chosen]
    alternatives = neighbours.of(one.step)
    now = next(each for each in alternatives if each.number == chosen)
    following = next((each for each in alternatives if each.number != chosen), None)
    others = (_way_of(one.choices[each.number]) for each in alternatives if each is not now)
    runner_up = None
    if following is not None:
        runner_up = RunnerUp(
            _place_of(one.choices[following.number]),
            following.money - now.money,
            following.carbon - now.carbon,
        )
    return PlacedStep(
        one.step,
        _place_of(choice),
        choice.option.money,
        choice.option.carbon,
        choice.option.seconds,
        one.labels.bears,
        one.labels.lowers,
        _figures(one, choice, ground),
        _formula(one, choice, ground),
        runner_up,
        one.refused,
        Route((_way_of(choice), *others), latest),
    )


def _place_of(choice: Choice) -> Place:
    return Place(choice.offer.site, choice.offer.machine, choice.offer.spot)


def _way_of(choice: Choice) -> Way:
    return Way(_place_of(choice), choice.offer.boot, choice.occupation.work)


def _formula(one: Situation, choice: Choice, ground: Ground) -> str:
    site = choice.offer.site
    kept = ground.keeping_told(site, one.estimate.kept(site, ground))
    return choice.occupation.formula + (f" + {kept}" if kept else "")


def _figures(one: Situation, choice: Choice, ground: Ground) -> dict[str, Figure]:
    offer = choice.offer
    found = {
        "price": offer.price,
        "boot": Figure(offer.boot, "s", offer.boot_source),
        "work": one.estimate.at(offer)[1],
    }
    if offer.carbon is not None:
        found["carbon"] = offer.carbon
    if offer.spot and offer.interruptions is not None:
        found["interruptions"] = offer.interruptions
    if choice.occupation.checkpoints is not None:
        found["checkpoints"] = choice.occupation.checkpoints
    if one.estimate.kept(offer.site, ground):
        found |= ground.keeping_figures(offer.site)
    for number, size in enumerate(one.estimate.outputs):
        found[f"output {number}"] = size
    return found
