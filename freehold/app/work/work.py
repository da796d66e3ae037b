"""`freehold work`: what was asked of the sites, and what became of it."""

from datetime import UTC, datetime
from typing import Any

from freehold.app.site.opening import Site
from freehold.domain.fact import Draft, site_of
from freehold.domain.projection import State
from freehold.replication import leases
from freehold.replication.leases import all_work, work_of
from freehold.replication.work import Work


def work(site: Site, everything: bool = True) -> list[dict[str, Any]]:
    """One row each, asked first, first; of what waits or is being done, or of everything."""
    found = sorted(all_work(site.state), key=lambda one: (one.wall, one.name))
    return [_row(site, one) for one in found if everything or one.open]


def find_work(site: Site, name: str) -> dict[str, Any]:
    """Raises NotFound `work.not-found`."""
    return _row(site, work_of(site.state, name))


def cancel_work(site: Site, name: str) -> dict[str, Any]:
    """What is under way goes on until its agent hears of it, and is then not accepted.

    Raises NotFound, Conflict `work.over`.
    """

    def decision(state: State) -> list[Draft]:
        return [leases.cancel(state, name, site.actor)]

    site.ledger.decide(decision)
    return find_work(site, name)


def _row(site: Site, one: Work) -> dict[str, Any]:
    end, holder = one.completion, one.holder
    return {
        "work": one.name,
        "site": one.site,
        "pipeline": one.pipeline,
        "step": None
        if one.step is None
        else {
            "run": one.step.run,
            "step": one.step.step,
            "attempt": one.step.attempt,
            "machine": one.step.place.machine,
            "spot": one.step.place.spot,
        },
        "standing": one.standing,
        "asked_by": site.people.name_of(one.actor),
        "asked_at": site_of(one.requested),
        "at": datetime.fromtimestamp(one.wall / 1e6, UTC).isoformat(timespec="seconds"),
        "lease": None
        if holder is None or not one.open
        else {"writer": holder.writer, "fence": holder.fence, "seconds": holder.seconds},
        "run": "" if end is None else end.run,
        "version": None if end is None else end.version,
        "code": "" if end is None else end.code,
        "superseded": len(one.superseded),
    }
