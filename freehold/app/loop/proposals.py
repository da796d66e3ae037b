"""The proposals of a site: those that are open, and a person's word for or against one."""

from freehold.app.site.opening import Site
from freehold.domain.errors import NotFound
from freehold.monitoring.proposals import Proposal, proposals_of, settle


def open_proposals(site: Site, model: str) -> list[Proposal]:
    """Oldest first."""
    return [one for one in proposals_of(site.state, model) if one.open]


def approve(site: Site, name: str) -> Proposal:
    """A person's word for a proposal. Raises NotFound, Conflict `proposal.not-open`."""
    return approved(site, find_proposal(site, name), site.actor)


def reject(site: Site, name: str) -> Proposal:
    """A person's word against a proposal."""
    proposal = find_proposal(site, name)
    site.ledger.append([settle(proposal, "rejected", proposal.day, actor=site.actor)])
    return find_proposal(site, name)


def find_proposal(site: Site, name: str) -> Proposal:
    models = site.project.spec.models
    known = [one for model in models for one in proposals_of(site.state, model)]
    for one in known:
        if one.name == name:
            return one
    raise NotFound(
        f"there is no proposal '{name}'",
        why=f"proposals: {', '.join(one.name for one in known) or 'none'}",
        hint="`freehold signals` lists them",
        code="proposal.not-found",
    )


def approved(site: Site, proposal: Proposal, actor: str) -> Proposal:
    site.ledger.append([settle(proposal, "approved", proposal.day, actor=actor)])
    return find_proposal(site, proposal.name)
