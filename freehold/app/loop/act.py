"""Acts on proposals: retrain, judge, and release what the policies allow."""

from collections.abc import Callable
from dataclasses import dataclass

from freehold.app.loop.proposals import approved, open_proposals
from freehold.app.release.release import plan_release, release
from freehold.app.run.plan import plan_run
from freehold.app.run.run import run
from freehold.app.site.opening import Site
from freehold.catalog.versions import ModelVersion
from freehold.delivery.releases import running_release
from freehold.domain.errors import Refused
from freehold.domain.release import Release
from freehold.monitoring.proposals import Proposal, settle

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Acted:
    """What came of a proposal."""

    proposal: Proposal
    version: ModelVersion
    release: Release | None
    """None when policy denied the new version."""


def act(site: Site, model: str, tell: Tell) -> Acted | None:
    """Carry out the oldest proposal that is approved, or that the project approves by itself.

    Waits while a release is running: one change of a model's traffic at a time.
    """
    if running_release(site.state, model) is not None:
        return None
    for proposal in open_proposals(site, model):
        if proposal.standing == "made":
            if site.project.spec.monitoring.act != "automatic":
                continue
            proposal = approved(site, proposal, "policy")
        return _retrain(site, proposal, tell)
    return None


def _retrain(site: Site, proposal: Proposal, tell: Tell) -> Acted:
    spec = site.project.spec.models[proposal.model]
    parameters = {
        name: proposal.day if value == "today" else value for name, value in spec.retrain.items()
    }
    tell(f"retraining {proposal.model} as of {proposal.day}")
    planned = plan_run(site, spec.pipeline, parameters, cause=(proposal.fact,))
    finished = run(site, planned)
    version = finished.version
    if version is None:
        raise Refused(
            f"pipeline '{spec.pipeline}' made no version of {proposal.model}",
            hint="let it return a Candidate",
            code="proposal.no-version",
        )
    site.ledger.append([settle(proposal, "done", proposal.day, made_version=version.version)])
    if not version.allowed:
        tell(f"{version.name} was denied by {', '.join(version.denials)}")
        return Acted(proposal, version, None)
    begun = release(site, plan_release(site, version.name), cause=(version.registered,))
    tell(f"{version.name} begins at {begun.weight} % of the traffic")
    return Acted(proposal, version, begun)
