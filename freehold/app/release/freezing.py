"""Whether releases of a model are frozen now: by a window, by a budget that is passed, or by an
objective that is missed."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from freehold.app.costs.budgets import standings
from freehold.app.release.objective import missed_now
from freehold.app.site.opening import Site
from freehold.costs.budget import covers
from freehold.delivery.freeze import Frozen, frozen_at
from freehold.domain.errors import Conflict


def freeze_of(site: Site, model: str) -> Frozen | None:
    """As the project's file has it now. Windows come first: they say when they end."""
    spec = site.project.spec
    freeze = spec.release.freeze
    zone = UTC if freeze.time_zone == "UTC" else ZoneInfo(freeze.time_zone)
    found = frozen_at(freeze, datetime.fromtimestamp(site.clock() / 1e6, UTC).astimezone(zone))
    if found is not None:
        return found
    return (_by_budget(site, model) if freeze.budgets else None) or _by_objective(site, model)


def _by_budget(site: Site, model: str) -> Frozen | None:
    spec = site.project.spec
    tags = {**spec.tags, "model": model, "project": spec.project}
    for one in standings(site):
        # Where a person's word is enough to pass it, nobody's release waits for the next month.
        blocks = one.spec.then == "block" and covers(one.spec, tags)
        if one.state == "passed" and blocks:
            return Frozen("budget", one.name)
    return None


def _by_objective(site: Site, model: str) -> Frozen | None:
    found = missed_now(site, model)
    return Frozen("objective", found.sentence) if found else None


def require_no_freeze(site: Site, model: str) -> None:
    """Raises Conflict `release.frozen`."""
    frozen = freeze_of(site, model)
    if frozen is not None:
        raise Conflict(
            f"releases of {model} are frozen",
            why=frozen.sentence,
            hint="wait, or say --despite-freeze if it cannot wait; taking back is never frozen",
            code="release.frozen",
        )
