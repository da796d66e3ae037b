"""Shares of traffic by Thompson sampling, from what answers have earned.

An arm is given keys as often as it is the best of draws from what may be true of the arms
(Thompson, On the likelihood that one unknown probability exceeds another, Biometrika 25, 1933; how
well it does: Chapelle and Li, An empirical evaluation of Thompson sampling, NIPS 2011). The shares
hold for a while instead of for one key: randomised probability matching (Scott, A modern Bayesian
look at the multi-armed bandit, Applied Stochastic Models in Business and Industry 26, 2010).
Rewards that come late wait for their window's end; what that costs shrinks beside what is earned as
rewards gather (Joulani, Gyorgy and Szepesvari, Online learning under delayed feedback, ICML 2013).

What it assumes: an arm's rewards are alike from first to last. Seasons that change which arm is the
better one are not seen as such.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from freehold.domain.statistics.estimate import Estimate
from freehold.domain.statistics.rows import Floats

DRAWS = 20_000
"""Of each arm: a share is exact to within a percent of the keys."""
FEWEST = 30
"""Rewards of each arm, where they are not 0 and 1, before which shares stay as they began; one is
enough of those."""


@dataclass(frozen=True)
class Arm:
    """Rewards of one version that are final."""

    rows: int
    mean: float = 0.0
    variance: float = 0.0
    """Of one reward, estimated without bias; 0 below two of them."""
    binary: bool = True
    """Whether each is 0 or 1."""

    @classmethod
    def of(cls, values: npt.ArrayLike) -> "Arm":
        """Of finite rewards [n]."""
        known = np.asarray(values, np.float64)
        if len(known) == 0:
            return cls(0)
        spread = float(known.var(ddof=1)) if len(known) > 1 else 0.0
        return cls(len(known), float(known.mean()), spread, bool(np.isin(known, (0, 1)).all()))


def draws(arms: Sequence[Arm], seed: Sequence[int]) -> Floats | None:
    """What may be true of each arm's mean reward: [arms, DRAWS]. None while too little is known.

    Beta from an even prior where all rewards are 0 and 1, else Normal with the reference prior of
    mean and variance, whose mean follows Student's t. The same for the same arms and `seed`.
    """
    binary = all(one.binary for one in arms)
    if any(one.rows < (1 if binary else FEWEST) for one in arms):
        return None
    chance = np.random.default_rng(list(seed))
    if binary:
        won = [round(one.mean * one.rows) for one in arms]
        return np.stack(
            [
                chance.beta(1 + good, 1 + one.rows - good, DRAWS)
                for good, one in zip(won, arms, strict=True)
            ]
        )
    return np.stack(
        [
            one.mean + np.sqrt(one.variance / one.rows) * chance.standard_t(one.rows - 1, DRAWS)
            for one in arms
        ]
    )


def chances(drawn: Floats, higher: bool = True) -> Floats:
    """Of each arm, that it is the best one, of draws [arms, n]: [arms]. They sum to 1."""
    best = drawn.argmax(axis=0) if higher else drawn.argmin(axis=0)
    counted: Floats = np.bincount(best, minlength=len(drawn)) / drawn.shape[1]
    return counted


def shares(chances_of: npt.ArrayLike, floor: int) -> tuple[int, ...]:
    """Whole percents of the keys, which sum to 100: to each arm `floor`, the rest by its chance to
    be the best. Raises ValueError where the floors alone are more than all."""
    given = np.asarray(chances_of, np.float64)
    spare = 100 - floor * len(given)
    if spare < 0 or floor < 0:
        raise ValueError("the floors do not fit into 100 percent")
    exact = spare * given
    whole = np.floor(exact).astype(int)
    # Largest remainders first; of equal ones, in the arms' order.
    for at in np.argsort(-(exact - whole), kind="stable")[: spare - int(whole.sum())]:
        whole[at] += 1
    return tuple(int(floor + one) for one in whole)


def effect(drawn: Floats, arms: Sequence[Arm], sure: float) -> Estimate:
    """The second arm's mean reward less the first one's: each bound holds with the chance `sure`,
    given what was earned. Not a bound for every look: it is a posterior's."""
    apart = drawn[1] - drawn[0]
    low, high = np.quantile(apart, (1 - sure, sure))
    count = min(one.rows for one in arms)
    return Estimate(float(apart.mean()), float(low), float(high), 2 * sure - 1, count)
