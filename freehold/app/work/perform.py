"""Does what was asked: a run, and the word that it is done.

Each part looks for what was done before an interruption: the run by the lease that caused it. So
work that was killed is gone on with, and completed once.
"""

import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from freehold.app.run.plan import plan_run
from freehold.app.run.run import FinishedRun, Observer, plan_resume, resume_run, run
from freehold.app.site.opening import Site
from freehold.app.work.claim import Claimed, run_of
from freehold.domain.errors import FreeholdError, StorageFailed, Unreachable
from freehold.domain.fact import Draft
from freehold.domain.projection import State
from freehold.replication import leases
from freehold.replication.leases import work_of
from freehold.replication.work import Completion, Ending
from freehold.running import record

Tell = Callable[[str], None]
LATER = frozenset({"run.in-progress", "model.busy"})
"""What another process does meanwhile: the next turn comes back to it."""
BUG = "freehold.bug"


@dataclass(frozen=True)
class Performed:
    work: str
    run: str
    status: Ending
    version: int | None
    code: str
    accepted: bool
    """Whether this completion is the one that counts, as far as is known here."""

    def as_json(self) -> dict[str, Any]:
        return {
            "work": self.work,
            "run": self.run,
            "status": self.status,
            "version": self.version,
            "code": self.code,
            "accepted": self.accepted,
        }


def perform(
    site: Site,
    claimed: Claimed,
    *,
    observer: Observer | None = None,
    around: AbstractContextManager[object] | None = None,
    meet: Callable[[], None] = lambda: None,
    tell: Tell = lambda _: None,
) -> Performed:
    """Run the pipeline, or go on with the run that was begun; record how it ended.

    `around` is entered for the run only. `meet` exchanges with the stores before the end is
    recorded: an agent that slept then knows who took over, whatever the clocks say. A run that
    fails completes the work as failed. Raises what is no answer to what was asked: StorageFailed,
    Unreachable, and Conflict when another process drives the run; the lease stays, and the next
    turn goes on.
    """
    version, code, name = None, "", ""
    status: Ending = "finished"
    try:
        with around or nullcontext():
            finished = _run(site, claimed, observer)
        name = finished.outcome.run
        version = None if finished.version is None else finished.version.version
    except FreeholdError as error:
        if isinstance(error, StorageFailed | Unreachable) or error.code in LATER:
            raise
        tell(str(error))
        status, code = "failed", error.code
    except Exception:  # noqa: BLE001 - recorded: else each turn would meet the same bug of ours
        tell(traceback.format_exc())
        status, code = "failed", BUG
    meet()
    name = name or run_of(site, work_of(site.state, claimed.work.name))
    return record_end(site, claimed, Completion("", "", 0, name, status, version, code))


def _run(site: Site, claimed: Claimed, observer: Observer | None) -> FinishedRun:
    work = claimed.work
    begun = run_of(site, work)
    if begun:
        return resume_run(site, plan_resume(site, begun), observer)
    asked = {**work.as_json(), "run": work.name}
    values = record.parameters_of(asked, site.attachments)
    return run(site, plan_run(site, work.pipeline, values, cause=(claimed.lease.taken,)), observer)


def record_end(site: Site, claimed: Claimed, end: Completion) -> Performed:
    """Of a pipeline or a step; once for each lease."""
    name, lease = claimed.work.name, claimed.lease

    def decision(state: State) -> tuple[Draft, ...]:
        draft = leases.complete(state, name, lease, end, site.actor)
        return () if draft is None else (draft,)

    site.ledger.decide(decision)
    accepted = work_of(site.state, name).completion
    own = accepted is not None and (accepted.writer, accepted.fence) == (lease.writer, lease.fence)
    return Performed(name, end.run, end.status, end.version, end.code, own)
