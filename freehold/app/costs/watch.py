"""Looks at what was spent: budgets that are near their limit, days that are far off their season.

Each is told once: a budget once a month for each line that it crosses, an odd day once.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import chain

from freehold.app.site.opening import Site
from freehold.catalog.metering import spent_in
from freehold.costs.anomaly import DAYS, Anomaly, odd_day
from freehold.costs.budget import Standing
from freehold.domain.fact import Draft
from freehold.domain.projection import State
from freehold.domain.signal import Kind, Signal, Window
from freehold.monitoring.proposals import raised, signals_of

LATE = 7
"""Days back for which a day is still looked at: its metering may have come late."""


def watch_costs(site: Site, standings: Sequence[Standing], today: date) -> list[Signal]:
    """Signals that are raised now."""
    found = [*chain.from_iterable(_crossed(one, today) for one in standings), *_odd(site, today)]
    new: list[Signal] = []

    def decision(state: State) -> list[Draft]:
        new[:] = [one for one in found if not _is_told(state, one)]
        return [raised(one) for one in new]

    if any(not _is_told(site.state, one) for one in found):
        site.ledger.decide(decision)
    return new


def refused_signal(standing: Standing, share: float | None, today: str) -> Draft:
    """That a plan was refused which would have passed a budget."""
    value = standing.used + (share or 0.0)
    return raised(_of_budget("budget-refused", standing, value, standing.spec.limit, today))


def _crossed(one: Standing, today: date) -> list[Signal]:
    if one.state == "within":
        return []
    warned = _of_budget(
        "budget-warned", one, one.used, one.spec.warn * one.spec.limit, today.isoformat()
    )
    if one.state == "warned":
        return [warned]
    passed = _of_budget("budget-passed", one, one.used, one.spec.limit, today.isoformat())
    return [warned, passed]


def _of_budget(kind: Kind, one: Standing, value: float, limit: float, today: str) -> Signal:
    return Signal(
        kind=kind,
        model=one.spec.model,
        version=0,
        feature=one.name,
        value=value,
        limit=limit,
        low=value,
        high=value,
        level=one.forecast.level,
        rows=one.forecast.days,
        window=Window(f"{one.month}-01", today),
    )


def _odd(site: Site, today: date) -> list[Signal]:
    """Of what this site metered: what others did may come late, and would look odd till then."""
    currency = site.project.spec.currency
    since = (today - timedelta(days=DAYS + LATE)).isoformat()
    series: dict[str, dict[date, float]] = {}
    for one in spent_in(site.state, since, today.isoformat()):
        if one.by == site.name and one.currency == currency:
            for name in {"", one.model}:
                days = series.setdefault(name, {})
                day = date.fromisoformat(one.day)
                days[day] = days.get(day, 0.0) + one.money
    found = []
    for name, days in sorted(series.items()):
        for back in range(LATE, 0, -1):
            odd = odd_day(days, today - timedelta(days=back))
            if odd is not None:
                found.append(_of_day(odd, name, currency))
    return found


def _of_day(odd: Anomaly, model: str, currency: str) -> Signal:
    day = odd.day.isoformat()
    return Signal(
        kind="cost-anomaly",
        model=model,
        version=0,
        feature=currency,
        value=odd.money,
        limit=odd.usual,
        low=odd.usual - odd.spread,
        high=odd.usual + odd.spread,
        level=0.68,
        rows=odd.days,
        window=Window(day, day),
    )


def _is_told(state: State, one: Signal) -> bool:
    """An odd day by its day, a budget's line by its month."""
    return any(
        known.subject == one.subject
        and (known.window == one.window or known.window.start == one.window.start)
        for known in signals_of(state, one.model)
    )
