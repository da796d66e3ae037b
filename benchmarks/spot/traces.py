"""Traces of spot prices and availability, from a seed.

The published traces of spot availability (the repository skypilot-org/spot-traces, of "Can't Be
Late", NSDI 2024) are in no package. So these are generated. Their parameters, with what they lean
on:

  sites        3 regions × 2 sites × 2 machine types, each on demand and as spot.
  there, gone  An alternating renewal process for each site and type. Times there follow a Weibull
               law of shape 0.8: young machines are taken more often than old ones, as the falling
               part of the bathtub of Kadupitiya et al., "Modeling the temporally constrained
               preemptions of transient cloud VMs" (2019). Times gone are log-normal, sigma 1: a
               few are long.
  together     Another such process for each region and type takes that type away at all sites of
               the region at once: "SkyServe" (2024) finds preemptions correlated within a region.
  plenty       mean time there 12 to 72 h, gone 0.5 to 4 h, a region short every 96 h for 2 h. The
               median is some 0.04 interruptions an hour; the planner assumes 0.05 where nothing is
               stated.
  scarce       mean time there 1 to 8 h, gone 2 to 12 h, a region short every 24 h for 3 h. A site
               has machines 8 to 71 % of the time; the published V100 traces of nine zones span 4
               to 78 %.
  prices       Spot is 20 to 50 % of on demand by site and type (providers say "up to 90 %" off;
               SkyNomad (2026) finds 3 to 10 × cheaper; the project's own table assumes 65 % off).
               Its logarithm drifts back to its mean: half-life 48 h, standard deviation 0.12, of
               which 36 % of the variance is the region's; since 2017 AWS moves prices slowly. On
               demand is constant, 1 to 1.25 × the base by region.
  machines     `one`: 3.06 an hour, boots in 5 minutes; `two`: 1.5 × as fast for 1.4 to 1.6 × the
               price, boots in 10. "Can't Be Late" takes 3 to 12 minutes for a restart.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import exp, gamma, log, sqrt

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from benchmarks.spot.market import SLOTS_AN_HOUR, Flags, Offered, Prices, Trace
from freehold.domain.placement import Place

DAYS = 14
REGIONS, SITES = 3, 2
"""Sites in each region."""
SHAPE, SIGMA = 0.8, 1.0
RATIO = (0.2, 0.5)
HALF_LIFE, DEVIATION, SHARED = 48.0, 0.12, 0.36
BASE, SPREAD, FASTER = 3.06, 1.25, (1.4, 1.6)
SPEED, BOOT = {"one": 2, "two": 3}, {"one": 1, "two": 2}
SETTLING_HOURS = 720
"""A process runs so long before the trace begins, so that its start is no special moment."""


@dataclass(frozen=True)
class Regime:
    there: tuple[float, float]
    """Bounds of a site's mean hours; drawn evenly in the logarithm."""
    gone: tuple[float, float]
    region_there: float
    """Mean hours."""
    region_gone: float


REGIMES = {
    "plenty": Regime((12.0, 72.0), (0.5, 4.0), 96.0, 2.0),
    "scarce": Regime((1.0, 8.0), (2.0, 12.0), 24.0, 3.0),
}


def trace(regime: Regime, seed: int, days: int = DAYS) -> Trace:
    random = np.random.default_rng(seed)
    slots = days * 24 * SLOTS_AN_HOUR
    drawn = [one for region in range(REGIONS) for one in _region(random, regime, region, slots)]
    offers, prices, there = zip(*drawn, strict=True)
    return Trace(offers, np.array(prices), np.array(there))


def _region(
    random: Generator, regime: Regime, region: int, slots: int
) -> Iterator[tuple[Offered, Prices, Flags]]:
    base = BASE * random.uniform(1.0, SPREAD)
    for machine in SPEED:
        full = base if machine == "one" else base * random.uniform(*FASTER)
        whole = renewals(random, regime.region_there, regime.region_gone, slots)
        drift = wandering(random, slots)
        for site in range(SITES):
            name, kind = f"region-{region}-{site}", (SPEED[machine], BOOT[machine])
            fixed = Offered(Place(name, machine), *kind, full)
            yield fixed, np.full(slots, full), np.ones(slots, dtype=bool)
            on, off = _log_uniform(random, *regime.there), _log_uniform(random, *regime.gone)
            mean = full * random.uniform(*RATIO)
            moved = sqrt(SHARED) * drift + sqrt(1 - SHARED) * wandering(random, slots)
            spot = Offered(
                Place(name, machine, spot=True),
                *kind,
                mean,
                interruptions(on, regime.region_there),
            )
            prices = mean * np.exp(DEVIATION * moved - DEVIATION**2 / 2)
            there = whole & renewals(random, on, off, slots)
            yield spot, np.minimum(full, prices), there


def interruptions(there: float, region_there: float) -> float:
    """Per hour at work: of two independent processes, each ends a time there at its own rate."""
    return 1 / there + 1 / region_there


def renewals(random: Generator, there: float, gone: float, slots: int) -> Flags:
    """By slot, whether a thing is there; mean hours of both kinds of times. In the middle of each
    slot it is looked at, so that the share of slots is the share of time."""
    hours = SETTLING_HOURS + slots / SLOTS_AN_HOUR
    ends = np.fromiter(_ends(random, there, gone, hours), dtype=float)
    moments = SETTLING_HOURS + (np.arange(slots) + 0.5) / SLOTS_AN_HOUR
    passed: NDArray[np.int64] = np.searchsorted(ends, moments, side="right")
    return np.equal(passed % 2, 0)


def _ends(random: Generator, there: float, gone: float, hours: float) -> Iterator[float]:
    """Moments at which a time there, then one gone, and so on, ends."""
    scale, middle = there / gamma(1 + 1 / SHAPE), log(gone) - SIGMA**2 / 2
    now, is_there = 0.0, True
    while now < hours:
        now += scale * random.weibull(SHAPE) if is_there else random.lognormal(middle, SIGMA)
        yield now
        is_there = not is_there


def wandering(random: Generator, slots: int) -> Prices:
    """A Gaussian process with mean 0 and variance 1 that returns to its mean (Ornstein and
    Uhlenbeck), by slot."""
    keeps = exp(-log(2) / (HALF_LIFE * SLOTS_AN_HOUR))
    shocks = random.standard_normal(slots) * sqrt(1 - keeps**2)
    found = np.empty(slots)
    now = float(random.standard_normal())
    for place, shock in enumerate(shocks.tolist()):
        now = keeps * now + shock
        found[place] = now
    return found


def _log_uniform(random: Generator, low: float, high: float) -> float:
    return float(exp(random.uniform(log(low), log(high))))
