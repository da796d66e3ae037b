"""What labels and policies forbid, as planning asks for it."""

from collections.abc import Mapping, Sequence
from functools import cache

from freehold.app.policy.reading import engine, read_policy_folder
from freehold.app.project.reading import OpenProject
from freehold.app.site.ways import no_way
from freehold.domain.canonical import digest_of
from freehold.domain.errors import Fault, PlacementImpossible, PolicyDenied
from freehold.domain.graph import Graph
from freehold.domain.project import Project, SiteSpec
from freehold.domain.verdict import policy_digest
from freehold.governance.placement import lowering_input, placement_input
from freehold.planning.ground import Laws
from freehold.planning.labelling import Labels, StepLabels
from freehold.replication.travel import barred


def laws_of(project: OpenProject, graph: Graph) -> Laws:
    """Raises ProjectInvalid `policy.invalid`."""
    law = _Barred(project.spec)
    return Laws(law.site, law.way, _Denials(project, graph))


def policies_digest(project: OpenProject) -> str:
    """Of the policies that a plan is decided by."""
    spec = project.spec.placement
    digests = {}
    for named in (spec.policies, spec.consent):
        found = read_policy_folder(project, named)
        sources = {p: text for p, text in found.modules.items() if not p.endswith("_test.rego")}
        digests[named] = policy_digest(sources, found.data)
    return digest_of(digests)


def require_consent(
    project: OpenProject, graph: Graph, code: str, labels: Mapping[str, StepLabels]
) -> dict[str, Labels]:
    """By step, what a policy consented to lower. Raises PolicyDenied `label.lowering` with what
    each step may not lower, and why."""
    asked = {
        node.name: (node, labels[node.name])
        for node in graph.nodes
        if node.step.lowers and labels[node.name].lowers
    }
    if not asked:
        return {}
    policies = read_policy_folder(project, project.spec.placement.consent)
    faults = []
    for node, found in asked.values():
        three = (found.bears, found.makes, found.lowers)
        question = lowering_input(graph.name, node.step, code, three)
        verdict = engine().evaluate(policies.modules, policies.data, question)
        for denial in verdict.denials:
            what = f"step '{node.name}' may not lower {spoken(found.lowers)}: {denial.rule}"
            faults.append(Fault("label.lowering", f"{what}: {denial.message}", node.where))
    if faults:
        raise PolicyDenied(
            "no policy consents to lower these labels",
            why="a label stays on all that is made from its data until a policy lets it go",
            faults=faults,
            hint="name a folder in `placement.consent` whose policies clear this step, or take"
            " `lowers` from it",
            code="label.lowering",
        )
    return {name: found.lowers for name, (_, found) in asked.items()}


def require_home(laws: Laws, graph: Graph, labels: Mapping[str, StepLabels], here: str) -> None:
    """Raises PlacementImpossible `plan.no-site` where the only place may not hold what a step
    handles."""
    faults = [
        Fault("plan.no-site", f"step '{node.name}' may not run at {here}: {rule}", node.where)
        for node in graph.nodes
        if (rule := laws.barred(labels[node.name].bears, here))
    ]
    if faults:
        raise PlacementImpossible(
            f"labels keep this run from {here}",
            why="the project's sites state no machines, so every step would run here",
            faults=faults,
            hint="run it where the labels allow: FREEHOLD_SITE=…, or `freehold run --at SITE`",
            code="plan.no-site",
        )


def spoken(labels: Labels) -> str:
    """`pii, residency=EU`."""
    return ", ".join(f"{name}={value}" if value else name for name, value in labels.items())


class _Barred:
    def __init__(self, spec: Project) -> None:
        self._sites: Mapping[str, SiteSpec] = spec.sites

    def site(self, labels: Labels, site: str) -> str:
        """A project of one place keeps everything there."""
        return barred(labels, self._sites[site]) if self._sites else ""

    def way(self, labels: Labels, origin: str, destination: str) -> str:
        """By the store in which the one leaves things for the other."""
        if origin == destination or not self._sites:
            return ""
        return no_way(labels, [origin], destination, self._sites)


class _Denials:
    """Asks each question once."""

    def __init__(self, project: OpenProject, graph: Graph) -> None:
        self._spec, self._graph = project.spec, graph
        self._policies = read_policy_folder(project, project.spec.placement.policies)
        self._steps = {node.name: node.step for node in graph.nodes}
        self._ask = cache(self._asked)
        self._evaluate = engine().for_many(self._policies.modules, self._policies.data)

    def __call__(self, step: str, labels: Labels, site: str) -> Sequence[str]:
        if not self._policies.modules:
            return ()
        return self._ask(step, tuple(sorted(labels.items())), site)

    def _asked(self, step: str, labels: tuple[tuple[str, str], ...], site: str) -> tuple[str, ...]:
        place = (site, self._spec.sites[site])
        question = placement_input(self._graph.name, self._steps[step], dict(labels), place)
        verdict = self._evaluate(question)
        return tuple(f"policy {one.rule}: {one.message}" for one in verdict.denials)
