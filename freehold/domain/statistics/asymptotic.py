"""Bounds that hold at every look for means of values without limits, once there are many.

An asymptotic confidence sequence (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, Time-uniform
central limit theory and asymptotic confidence sequences, Annals of Statistics 52, 2024). What it
assumes: rows do not depend on each other and have a variance, and looking begins only after
`FEWEST` rows. The stated risk is then met in the limit of a late first look, as that of the usual
interval is for a single one; for few rows with heavy tails it is not. Where values have limits,
`betting` needs none of this.
"""

from dataclasses import dataclass
from math import log, sqrt

import numpy as np
import numpy.typing as npt

from freehold.domain.statistics.estimate import Estimate
from freehold.domain.statistics.rows import Floats

FEWEST = 100
"""Rows, of each arm, before which nothing is said."""
TIGHTEST = 1_000
"""Rows at which the bounds are nearest to those of a single look; at others they hold as well."""


def reach(rows: npt.ArrayLike, risk: float) -> Floats:
    """Standard deviations of one row between a mean of `rows` [...] and one of its bounds: [...].

    `risk`: that this one bound is ever wrong. Robbins's normal mixture, one-sided.
    """
    count = np.asarray(rows, np.float64)
    square = (-2 * log(2 * risk) + log(-2 * log(2 * risk) + 1)) / TIGHTEST
    grown = count * square + 1
    found: Floats = np.sqrt(2 * grown / (count**2 * square) * np.log1p(np.sqrt(grown) / (2 * risk)))
    return found


@dataclass(frozen=True)
class Moments:
    """Of one arm's values."""

    rows: int
    mean: float
    variance: float

    @classmethod
    def of(cls, values: npt.ArrayLike) -> "Moments":
        """Of values [n]."""
        known = np.asarray(values, np.float64)
        if len(known) == 0:
            return cls(0, 0.0, 0.0)
        return cls(len(known), float(known.mean()), float(known.var()))


def difference(first: Moments, second: Moments, risk: float) -> Estimate:
    """The mean of `first` less that of `second`, of two arms to which rows were sent by chance.

    In the values' unit. `risk`: of each bound, ever. The shares of the two arms must be the same
    throughout: where they change, each period has a difference of its own, for what grows with time
    would count for the arm that grew. Unknown below FEWEST rows of either.
    """
    count = min(first.rows, second.rows)
    level = 1 - 2 * risk
    if count < FEWEST:
        return Estimate.unknown("too-few-rows", count, level)
    total = first.rows + second.rows
    # Per row of both arms together: what the difference of means is a mean of, in the limit.
    variance = total * (first.variance / first.rows + second.variance / second.rows)
    value = first.mean - second.mean
    width = sqrt(variance) * float(reach(total, risk))
    return Estimate(value, value - width, value + width, level, count)
