"""Bounds on a mean that hold at every look: what a bet against each mean has won so far.

Whoever bets on "the mean is above m" by a fixed fraction c of his capital, row by row, has after
values x in [0, 1] the product of `1 + c (x / m - 1)`. If every row's mean, given all rows before
it, is at most m, he cannot expect to gain, and the chance that his capital ever reaches 1 / risk is
at most `risk` (Ville, Étude critique de la notion de collectif, 1939). The means that no bet has
refuted are a confidence sequence (Waudby-Smith and Ramdas, Estimating means of bounded random
variables by betting, JRSS B 86, 2024). The bet is spread over a fixed grid of fractions, which is
one bet more (Robbins, Annals of Mathematical Statistics 41, 1970): it depends on the values alone,
not on their order, and on no law that they follow.
"""

from math import log

import numpy as np
import numpy.typing as npt

from freehold.domain.statistics.rows import Floats

FRACTIONS: Floats = 0.99 * 2.0 ** (-np.arange(24) / 2)
"""Of the capital: the best one is near `(truth - m) / (1 - m)` for events, which this reaches from
an error rate of 0.1 % that doubles to one of 100 %."""
EVENTS: Floats = np.array([0.0, 1.0])
"""The values of what happens or does not."""
PRECISION = 1e-9
"""Of a bound, on the scale of the values."""


def log_capital(values: npt.ArrayLike, counts: npt.ArrayLike, mean: float) -> Floats:
    """Natural logarithm of what a bet on "the mean is above `mean`" has grown to from 1.

    `values` [v] in [0, 1], `counts` [..., v] of rows with each: [...]. It falls as `mean` grows.
    At a mean of 0 it is infinite as soon as any value is above 0.
    """
    known, rows = np.asarray(values, np.float64), np.asarray(counts, np.float64)
    if mean <= 0:
        refuted = (rows * (known > 0)).sum(axis=-1) > 0
        return np.where(refuted, np.inf, log_capital([0.0], rows.sum(axis=-1)[..., None], 1.0))
    gains = np.log1p(FRACTIONS * (known[:, None] / mean - 1))
    grown = rows @ gains
    most = grown.max(axis=-1, keepdims=True)
    spread: Floats = np.log(np.exp(grown - most).mean(axis=-1)) + most[..., 0]
    return spread


def bounds(values: npt.ArrayLike, counts: npt.ArrayLike, risk: float) -> tuple[float, float]:
    """Lower and upper bound of the mean of `values` [v] in [0, 1], of which there are `counts` [v].

    `risk`: the chance at most that the lower one is ever above the truth, at any of all looks; and
    the same of the upper one.
    """
    known, rows = np.asarray(values, np.float64), np.asarray(counts, np.float64)
    return _lower(known, rows, risk), 1 - _lower(1 - known, rows, risk)


def _lower(values: Floats, counts: Floats, risk: float) -> float:
    """The greatest mean that is refuted, from below; no bet refutes the sample's own."""
    rows = float(counts.sum())
    if rows == 0:
        return 0.0
    refuted, open_ = 0.0, float(values @ counts) / rows
    if log_capital(values, counts, PRECISION) < log(1 / risk):
        return 0.0
    while open_ - refuted > PRECISION:
        middle = (refuted + open_) / 2
        if log_capital(values, counts, middle) >= log(1 / risk):
            refuted = middle
        else:
            open_ = middle
    return refuted
