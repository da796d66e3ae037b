"""For every step of a graph: where it may run, where not and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from freehold.domain.errors import Fault, PlacementImpossible
from freehold.domain.graph import Node
from freehold.domain.labels import contradiction
from freehold.domain.offer import Offer
from freehold.domain.placement import Objective, Option
from freehold.planning.estimate import Estimate, Occupation, occupation
from freehold.planning.ground import Ground, Laws
from freehold.planning.labelling import StepLabels
from freehold.planning.refusal import Refusal, over_quota, shortage, summed_up


@dataclass(frozen=True)
class Choice:
    """A machine on which a step may run, and what it comes to."""

    offer: Offer
    occupation: Occupation
    storage: float
    """Money for keeping its outputs there."""

    @property
    def option(self) -> Option:
        return Option(
            self.offer.site,
            self.offer.name,
            self.occupation.money + self.storage,
            self.occupation.carbon,
            self.occupation.seconds,
            self.offer.pools,
        )


@dataclass(frozen=True)
class Situation:
    """A step that is to be placed."""

    node: Node
    labels: StepLabels
    estimate: Estimate
    choices: tuple[Choice, ...]
    refused: tuple[Refusal, ...]

    @property
    def step(self) -> str:
        return self.node.name


@dataclass(frozen=True)
class Question:
    """What is asked about each step."""

    ground: Ground
    laws: Laws
    objective: Objective


def situations(
    nodes: Sequence[Node],
    labels: Mapping[str, StepLabels],
    estimates: Mapping[str, Estimate],
    question: Question,
) -> list[Situation]:
    """Raises PlacementImpossible `plan.no-site` with every rule, for all steps that have none."""
    found = [_situation(node, labels[node.name], estimates[node.name], question) for node in nodes]
    faults = [
        Fault(
            "plan.no-site",
            f"no site may run step '{one.step}': {_told(one)}",
            one.node.where,
            _remedy(one),
        )
        for one in found
        if not one.choices
    ]
    if faults:
        names = ", ".join(f"'{one.step}'" for one in found if not one.choices)
        raise PlacementImpossible(
            f"no site may run {names}",
            why="every site is refused by a rule or lacks what is needed",
            faults=faults,
            hint="relax what the step needs, lower a label by a step that a policy consents to, or"
            " add a site or a machine type",
            code="plan.no-site",
        )
    return found


def _told(one: Situation) -> str:
    told = [str(refusal) for refusal in one.refused] or ["the project has no site"]
    return "; ".join([*filter(None, [contradiction(one.labels.bears)]), *told])


def _remedy(one: Situation) -> str:
    if not contradiction(one.labels.bears):
        return ""
    return (
        "lower one of them before they come together, by a step that says `lowers` and that a"
        " policy consents to; or keep the step from reading both"
    )


def _situation(node: Node, labels: StepLabels, estimate: Estimate, question: Question) -> Situation:
    choices: list[Choice] = []
    refused: list[Refusal] = []
    ground = question.ground
    for site in ground.sites:
        whole = _site_refusal(node, labels, site, question)
        if whole is not None:
            refused.append(whole)
            continue
        short: list[Refusal] = []
        for offer in ground.offers.get(site, ()):
            refusal = _offer_refusal(node, offer, question)
            if refusal is not None:
                short.append(refusal)
                continue
            paid, work = estimate.at(offer)
            spent = occupation(paid, work, ground.currency)
            kept = ground.keeping(site, estimate.kept(site, ground))
            choices.append(Choice(paid, spent, kept))
        if short and len(short) == len(ground.offers.get(site, ())):
            short = summed_up(short)
        refused += short
    return Situation(node, labels, estimate, tuple(choices), tuple(refused))


def _site_refusal(node: Node, labels: StepLabels, site: str, question: Question) -> Refusal | None:
    ground, laws = question.ground, question.laws
    if site in ground.down:
        return Refusal(site, "down", ground.down[site])
    if rule := laws.barred(labels.bears, site):
        return Refusal(site, "label", rule)
    if not ground.offers.get(site):
        return Refusal(site, "machines", "it offers no machines")
    for denial in laws.denials(node.name, labels.bears, site):
        return Refusal(site, "policy", denial)
    return None


def _offer_refusal(node: Node, offer: Offer, question: Question) -> Refusal | None:
    def no(rule: str, why: str) -> Refusal:
        return Refusal(offer.site, rule, why, offer.name)

    if lack := shortage(node.step.needs, offer):
        return no("hardware", lack)
    if passed := over_quota(offer, dict(question.ground.quotas)):
        return no("quota", passed)
    if offer.spot and not node.step.resumes:
        return no("spot", "may be taken away, and the step does not resume")
    if question.objective.carbon and offer.carbon is None:
        return no("carbon", "its carbon is unknown, and carbon is to be made small")
    return None
