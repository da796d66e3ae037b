"""What the product does, by its own code: the plan of a step, and where it goes on.

The plan is `freehold.planning.placing.place` over a project of one step that resumes, with each
offer's mean price and interruptions as its price table would state them, and the job's deadline;
solved by the adapter that looks at every place, since one step has few. Where the step goes on is
for `freehold.planning.onward` to say, as a run asks it (`freehold.app.run.course`).
"""

from collections.abc import Sequence
from itertools import pairwise

from benchmarks.spot.market import SLOT_SECONDS, Job, Offered
from benchmarks.spot.simulation import Policy, View
from freehold.adapters.exhaustive.solver import ExhaustiveSolver
from freehold.domain.graph import Graph, Node, Reference
from freehold.domain.offer import Figure, Hardware, Offer
from freehold.domain.placement import Objective
from freehold.domain.step import StepDefinition
from freehold.planning.estimate import Estimate
from freehold.planning.ground import Ground, Laws
from freehold.planning.labelling import labels_of
from freehold.planning.onward import Moment, Route, onward
from freehold.planning.options import Question, situations
from freehold.planning.placing import Wish, place
from freehold.planning.problem import Limits, Reading

STEP = "train"


def planner(offers: Sequence[Offered], job: Job) -> Policy:
    route, places = planned(offers, job), [offer.place for offer in offers]

    def decide(view: View) -> int:
        gone = {places[a.place]: _time(b.since) for a, b in pairwise(view.asked)}
        gone |= {places[one.place]: _time(one.since) for one in view.lost}
        last = view.asked[-1] if view.asked else None
        moment = Moment(
            _time(view.now),
            view.saved / job.work,
            places[last.place] if last else None,
            _time(last.since) if last else 0.0,
            view.here is not None,
            gone,
        )
        return places.index(onward(route.ways, moment, route.latest, float(SLOT_SECONDS)))

    return decide


def _time(slots: int) -> float:
    return float(slots * SLOT_SECONDS)


def planned(offers: Sequence[Offered], job: Job) -> Route:
    """Of the step, as its plan gives it."""
    graph = Graph(
        STEP, (Node(STEP, StepDefinition(STEP, "m", lambda: None, resumes=True), {}, ""),)
    )
    size = Figure(0.0, "B", "nothing")
    speeds = {offer.place.machine: offer.speed for offer in offers}
    seconds = {machine: float(work_seconds(job.work, speed)) for machine, speed in speeds.items()}
    work = {machine: Figure(time, "s", "known") for machine, time in seconds.items()}
    estimates = {STEP: Estimate(next(iter(work.values())), work, (size,))}
    ground = _ground(offers)
    question = Question(ground, Laws(lambda *_: "", lambda *_: ""), Objective())
    labels = labels_of(graph)
    wish = Wish(
        graph,
        labels,
        {Reference(STEP): size},
        Reading(),
        Limits(deadline=float(job.deadline * SLOT_SECONDS)),
    )
    found = situations(graph.nodes, labels, estimates, question)
    (step,) = place(wish, found, question, ExhaustiveSolver().solve).steps
    return step.route


def work_seconds(work: int, speed: int) -> int:
    return -(-work // speed) * SLOT_SECONDS


def _ground(offers: Sequence[Offered]) -> Ground:
    by_site: dict[str, tuple[Offer, ...]] = {}
    for offer in offers:
        site = offer.place.site
        by_site[site] = (*by_site.get(site, ()), _offer(offer))
    sites = tuple(by_site)
    return Ground(sites[0], sites, by_site, {}, {}, {}, "USD", 30.0)


def _offer(offer: Offered) -> Offer:
    rate = Figure(offer.interruptions, "1/h", "the generator's law")
    return Offer(
        offer.place.site,
        offer.place.machine,
        Hardware(8, 2**36, 1, "gpu"),
        Figure(offer.price, "USD/h", "the generator's law"),
        offer.place.spot,
        rate if offer.place.spot else None,
        boot=float(offer.boot * SLOT_SECONDS),
    )
