"""A task's options as the program needs them: without those that another at the same site beats."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from freehold.domain.placement import Objective, Option
from freehold.domain.placement_cost import exceeds

LASTS = 0.5
"""Seconds from which on a task surely counts in a pool, however long everything takes."""


@dataclass(frozen=True)
class Limits:
    """Which limits are counted; what is not counted is not kept for."""

    deadline: bool = False
    budget: bool = False
    pools: frozenset[str] = frozenset()

    @property
    def any(self) -> bool:
        return self.deadline or self.budget or bool(self.pools)


@dataclass(frozen=True)
class Choice:
    """An option, with what its task alone reads from fixed places folded into it."""

    site: int
    cost: float
    """As the objective counts it."""
    money: float
    seconds: float
    uses: tuple[tuple[str, float], ...]
    """Of limited pools only."""
    index: int
    """In the task's options."""


def choices_of(
    options: Sequence[Option],
    sites: Mapping[str, int],
    objective: Objective,
    quotas: Mapping[str, float],
    limits: Limits,
) -> tuple[Choice, ...]:
    """In an order that does not depend on that of the options; what is folded in, is not yet.

    At one site, whatever crosses is the same. Under quotas a task that ends sooner may make others
    meet, so that only options of equal length are compared. What passes a quota by itself is none,
    whichever limits are counted.
    """
    possible = [(at, o) for at, o in enumerate(options) if not _alone_too_much(o, quotas)]
    if not limits.any:
        return _least(possible, sites, objective)
    fit = [
        (_figures(choice, limits), choice)
        for index, o in possible
        for choice in (_choice(o, sites, objective, limits, index),)
    ]
    # The smallest first: what beats a choice stands before it.
    fit.sort(key=lambda one: one[0])
    if any(one[0] == other[0] for one, other in pairwise(fit)):
        fit.sort(key=lambda one: (one[0], options[one[1].index].site, _rank(options[one[1].index])))
    kept: dict[int, list[Choice]] = {}
    alike: dict[tuple[int, float], list[Choice]] = {}
    for _, choice in fit:
        others = alike.setdefault((choice.site, choice.seconds if limits.pools else 0.0), [])
        if not any(_beats(other, choice, limits) for other in others):
            others.append(choice)
            kept.setdefault(choice.site, []).append(choice)
    return tuple(choice for site in sorted(kept) for choice in kept[site])


def _least(
    options: Sequence[tuple[int, Option]], sites: Mapping[str, int], objective: Objective
) -> tuple[Choice, ...]:
    """One for each site."""
    best: dict[str, tuple[float, int, Option]] = {}
    money, carbon = objective.money, objective.carbon
    for index, option in options:
        cost = money * option.money + carbon * option.carbon
        known = best.get(option.site)
        if (
            known is None
            or cost < known[0]
            or (cost == known[0] and _rank(option) < _rank(known[2]))
        ):
            best[option.site] = (cost, index, option)
    return tuple(
        _choice(option, sites, objective, Limits(), index)
        for _, (_, index, option) in sorted(best.items())
    )


def _choice(
    option: Option, sites: Mapping[str, int], objective: Objective, limits: Limits, index: int
) -> Choice:
    uses: tuple[tuple[str, float], ...] = ()
    if limits.pools and option.uses:
        uses = tuple(sorted((p, units) for p, units in option.uses.items() if p in limits.pools))
    cost = objective.of(option.money, option.carbon)
    return Choice(sites[option.site], cost, option.money, option.seconds, uses, index)


def _rank(option: Option) -> tuple[object, ...]:
    figures = (option.money, option.carbon, option.seconds)
    return (option.machine, *figures, sorted(option.uses.items()))


def _alone_too_much(option: Option, quotas: Mapping[str, float]) -> bool:
    if not option.uses or not quotas or option.seconds <= LASTS:
        return False
    return any(
        pool in quotas and exceeds(units, quotas[pool]) for pool, units in option.uses.items()
    )


def _figures(choice: Choice, limits: Limits) -> tuple[float, ...]:
    counted = [choice.cost]
    if limits.budget:
        counted.append(choice.money)
    if limits.deadline or limits.pools:
        counted.append(choice.seconds)
    if limits.pools:
        counted.append(sum(units for _, units in choice.uses))
    return tuple(counted)


def _beats(one: Choice, other: Choice, limits: Limits) -> bool:
    """At one site; under quotas, of equal length."""
    if one.cost > other.cost or (limits.budget and one.money > other.money):
        return False
    if limits.deadline and one.seconds > other.seconds:
        return False
    if not one.uses or not limits.pools:
        return True
    uses = dict(other.uses)
    return all(units <= uses.get(pool, 0.0) for pool, units in one.uses)
