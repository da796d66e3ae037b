"""The proposals of a site: those that are open, and a person's word for or against one."""

from typing import Literal

from freehold.app.site.opening import Site
from freehold.domain.errors import NotFound
from freehold.domain.fact import Draft
from freehold.domain.projection import State
from freehold.monitoring.proposals import Proposal, proposals_of, settle


def open_proposals(site: Site, model: str) -> list[Proposal]:
    """Oldest first."""
    return [one for one in proposals_of(site.state, model) if one.open]


def approve(site: Site, name: str) -> Proposal:
    """A person's word for a proposal. Raises NotFound, Conflict `proposal.not-open`."""
    return _settled(site, find_proposal(site, name), "approved", site.actor)


def reject(site: Site, name: str) -> Proposal:
    """A person's word against a proposal."""
    return _settled(site, find_proposal(site, name), "rejected", site.actor)


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


def approved(site: Site, proposal: Proposal, actor: str, begins: int) -> Proposal:
    """`begins`: as in `Proposal`."""
    return _settled(site, proposal, "approved", actor, begins)


def _settled(
    site: Site,
    proposal: Proposal,
    word: Literal["approved", "rejected"],
    actor: str,
    begins: int = 0,
) -> Proposal:
    def decision(state: State) -> list[Draft]:
        """By its standing now: another process may have had a word meanwhile."""
        known = proposals_of(state, proposal.model)
        now = next(one for one in known if one.name == proposal.name)
        return [settle(now, word, now.day, actor=actor, begins=begins)]

    site.ledger.decide(decision)
    return find_proposal(site, proposal.name)
