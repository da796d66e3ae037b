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
    first = _today(site) - timedelta(days=objective.days - 1)
    return missed(objective, *asked(site.state, site.name, model, first))


def watch_objective(site: Site, model: str) -> list[Signal]:
    """The signal that it is missed, where it is raised now: once in the cool-down, as a drift that
    lasts is."""
    found = missed_now(site, model)
    if found is None:
        return []
    today = _today(site)
    first = today - timedelta(days=found.spec.days - 1)
    signal = found.signal(model, Window(first.isoformat(), today.isoformat()))
    settings = site.project.spec.monitoring
    new: list[Signal] = []

    def decision(state: State) -> list[Draft]:
        new[:] = fresh([signal], signals_of(state, model), settings)
        return [raised(one) for one in new]

    if fresh([signal], signals_of(site.state, model), settings):
        site.ledger.decide(decision)
    return new


def _today(site: Site) -> date:
    return datetime.fromtimestamp(site.clock() / 1e6, UTC).date()
