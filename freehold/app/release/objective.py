"""Whether a model's objective is missed now, by what this site's endpoints were asked."""

from datetime import UTC, date, datetime, timedelta

from freehold.app.site.opening import Site
from freehold.catalog.traffic import asked
from freehold.domain.fact import Draft
from freehold.domain.projection import State
from freehold.domain.signal import Signal, Window
from freehold.monitoring.objective import Missed, missed
from freehold.monitoring.proposals import raised, signals_of
from freehold.monitoring.signals import fresh


def missed_now(site: Site, model: str) -> Missed | None:
    """By the last days, today among them."""
    objective = site.project.spec.release.objective
    if not objective.answered:
        return None
    return missed(objective, *asked(site.state, site.name, model, _days(site)[0]))


def watch_objective(site: Site, model: str) -> list[Signal]:
    """The signal that it is missed, where it is raised now: once in the cool-down, as a drift that
    lasts is."""
    found = missed_now(site, model)
    if found is None:
        return []
    first, today = _days(site)
    signal = found.signal(model, Window(first.isoformat(), today.isoformat()))
    settings = site.project.spec.monitoring
    new: list[Signal] = []

    def decision(state: State) -> list[Draft]:
        new[:] = fresh([signal], signals_of(state, model), settings)
        return [raised(one) for one in new]

    if fresh([signal], signals_of(site.state, model), settings):
        site.ledger.decide(decision)
    return new


def _days(site: Site) -> tuple[date, date]:
    """The first and the last of the objective's."""
    today = datetime.fromtimestamp(site.clock() / 1e6, UTC).date()
    return today - timedelta(days=site.project.spec.release.objective.days - 1), today
