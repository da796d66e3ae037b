"""Acts on proposals: retrain, judge, and release what the policies allow.

Every part looks for what an interrupted turn has done already: the run by its cause, the version
by its run. So a turn that was killed is gone on with, and nothing is made twice.
"""

from collections.abc import Callable
from dataclasses import dataclass

from freehold.app.loop.proposals import approved, find_proposal, open_proposals
from freehold.app.release.release import plan_release, release
from freehold.app.run.placement.choosing import MICROSECONDS_AN_HOUR
from freehold.app.run.plan import PlannedRun, plan_run
from freehold.app.run.run import plan_resume, resume_run, run
from freehold.app.site.opening import Site
from freehold.catalog.versions import ModelVersion, version_of_run
from freehold.delivery.releases import running_release
from freehold.domain.errors import FreeholdError, Refused
from freehold.domain.projection import State
from freehold.domain.release import Release
from freehold.monitoring.proposals import Proposal, settle

Tell = Callable[[str], None]
BY_POLICY = "policy"
"""The actor where the project's own rule approves."""
BUSY = frozenset(
    {
        "budget.needs-approval",
        "model.busy",
        "release.busy",
        "release.frozen",
        "release.moved",
        "release.running",
        "run.in-progress",
    }
)
"""What another process does meanwhile, or a person has to say: the next turn comes back to it."""


@dataclass(frozen=True)
class Acted:
    """What came of a proposal."""

    proposal: Proposal
    version: ModelVersion | None
    """None when the retraining failed."""
    release: Release | None
    """None when policy denied the new version."""


def act(site: Site, model: str, tell: Tell) -> Acted | None:
    """Carry out the oldest proposal that is approved, or that the project approves by itself.

    Waits while a release is running: one change of a model's traffic at a time. What the project
    approves by itself waits for cleaner power where its plan may; a person's word is for now. A
    retraining that fails, or that a budget refuses, ends its proposal, and the cool-down begins.
    For whoever holds the model's turn. Raises what publishing raises, after the release stands:
    the next turn publishes it.
    """
    if running_release(site.state, model, site.name) is not None:
        return None
    for proposal in open_proposals(site, model):
        if proposal.standing == "made":
            if site.project.spec.monitoring.act != "automatic":
                continue
            wait = _wait(site, proposal)
            begins = site.clock() + round(wait * MICROSECONDS_AN_HOUR) if wait else 0
            proposal = approved(site, proposal, BY_POLICY, begins)
            if wait:
                tell(f"{proposal.name} waits {wait:.1f} h for cleaner power")
        if site.clock() < proposal.begins:
            continue
        try:
            return _carry_out(site, proposal, tell)
        except FreeholdError as error:
            if error.code in BUSY:
                tell(f"{proposal.name} waits: [{error.code}] {error.what}")
                return None
            if not find_proposal(site, proposal.name).open:
                raise
            failed = settle(proposal, "failed", proposal.day, code=error.code)
            site.ledger.append([failed])
            tell(f"retraining {proposal.model} failed: [{error.code}] {error.what}")
            return Acted(find_proposal(site, proposal.name), None, None)
    return None


def _wait(site: Site, proposal: Proposal) -> float:
    """Hours. What cannot be planned does not wait, and fails where it is carried out."""
    try:
        wait = _planned(site, proposal).plan.wait
    except FreeholdError:
        return 0.0
    return 0.0 if wait is None else wait.hours


def _planned(site: Site, proposal: Proposal, cause: tuple[str, ...] = ()) -> PlannedRun:
    spec = site.project.spec.models[proposal.model]
    given = {n: proposal.day if v == "today" else v for n, v in spec.retrain.items()}
    return plan_run(site, spec.pipeline, given, cause=cause)


def _carry_out(site: Site, proposal: Proposal, tell: Tell) -> Acted:
    version = _version_for(site, proposal, tell)
    done = settle(proposal, "done", proposal.day, made_version=version.version)
    if not version.allowed:
        site.ledger.append([done])
        tell(f"{version.name} was denied by {', '.join(version.denials)}")
        return Acted(proposal, version, None)
    plan = plan_release(site, version.name)
    begun = release(site, plan, cause=(version.registered,), beside=(done,))
    tell(f"{version.name} begins at {begun.weight} % of the traffic")
    return Acted(proposal, version, begun)


def _version_for(site: Site, proposal: Proposal, tell: Tell) -> ModelVersion:
    """The version that the proposal's retraining made, now or before an interruption."""
    begun = _run_of(site.state, proposal)
    if begun:
        made = version_of_run(site.state, begun)
        if made is not None and made.judged:
            return made
        tell(f"going on with the retraining of {proposal.model}, run {begun}")
        finished = resume_run(site, plan_resume(site, begun))
    else:
        tell(f"retraining {proposal.model} as of {proposal.day}")
        finished = run(site, _planned(site, proposal, (proposal.approval,)))
    if finished.version is None:
        raise Refused(
            f"the retraining made no version of {proposal.model}",
            why="its pipeline returned no Candidate",
            hint="let it return one: only that becomes a version",
            code="proposal.no-version",
        )
    return finished.version


def _run_of(state: State, proposal: Proposal) -> str:
    """The run that the approval caused, or empty."""
    for name, row in state.scan("runs"):
        if proposal.approval and proposal.approval in row["cause"]:
            return name
    return ""
