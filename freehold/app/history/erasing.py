"""`freehold audit erase`: what a run keeps beside the history, taken away for good.

The facts stay, and so do their proofs: they name an attachment by a salted digest, from which
nothing can be found out. That it was erased, when and by whom is a fact too.

Fact
  attachment.erased {attachment, kind, run}
"""

from dataclasses import dataclass

from freehold.app.history.facts import facts_of
from freehold.app.run.runs import known_run, standing
from freehold.app.site.opening import Site
from freehold.domain.errors import Conflict
from freehold.domain.fact import Draft


@dataclass(frozen=True)
class Attachment:
    name: str
    kind: str
    """`parameters` or `traceback`; `step` for what another site was asked, or said, of one."""
    fact: str
    """Name of the fact that refers to it."""


@dataclass(frozen=True)
class PlannedErasure:
    run: str
    standing: str
    """Of the run: one that failed or was interrupted cannot be gone on with without parameters."""
    attachments: tuple[Attachment, ...]
    """Oldest first; those erased already are left out."""

    @property
    def ends_the_run(self) -> bool:
        lost = any(one.kind == "parameters" for one in self.attachments)
        return lost and self.standing != "finished"


def plan_erasure(site: Site, run: str) -> PlannedErasure:
    """Raises NotFound `run.unknown`, Conflict `run.in-progress`."""
    row = known_run(site, run)
    stands = standing(site, row)
    if stands == "running":
        raise Conflict(
            f"run {run} is still going on",
            why="a process that drives it is alive, and may add to what it keeps",
            hint="wait for it, or stop that process",
            code="run.in-progress",
        )
    gone = {fact.body["attachment"] for fact in facts_of(site, "attachment.erased")}
    found = [one for one in _attachments(site, run) if one.name not in gone]
    return PlannedErasure(run, stands, tuple(found))


def erase(site: Site, planned: PlannedErasure) -> None:
    """Idempotent: what was erased and not recorded, since that was interrupted, is recorded."""
    for one in planned.attachments:
        site.attachments.erase(one.name)
    drafts = [
        Draft(
            "attachment.erased",
            {"attachment": one.name, "kind": one.kind, "run": planned.run},
            cause=(one.fact,),
            actor=site.actor,
        )
        for one in planned.attachments
    ]
    if drafts:
        site.ledger.append(drafts)


def _attachments(site: Site, run: str) -> list[Attachment]:
    """All that the run's facts refer to, those of attempts that were made again too."""
    found = []
    for fact in facts_of(site, *_NAMED):
        kind, member = _NAMED[fact.type]
        if fact.body.get("run") == run and fact.body.get(member):
            found.append(Attachment(fact.body[member], kind, fact.name))
    return found


_NAMED = {
    "run.started": ("parameters", "parameters_attachment"),
    "step.failed": ("traceback", "attachment"),
    "work.completed": ("step", "failure"),
    "work.requested": ("step", "parameters_attachment"),
}
"""Type of fact → kind, and the member of its body that names an attachment."""
