"""How much further one model's scores moved from its baseline than another's, at every look.

The measure is the population stability index of each, against its own baseline, on the same rows.
Shares are mixed with a little of the baseline's, so that a bin in which no row lies yet counts for
something finite, which is known the better, the more rows there are.

The index is the symmetrised divergence of Kullback and Leibler (On information and sufficiency,
Annals of Mathematical Statistics 22, 1951); that its mean and spread under no change follow from
the numbers of bins and rows alone: Yurdakul and Naranjo, Statistical properties of the population
stability index, Journal of Risk Model Validation 14, 2020.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from freehold.domain.statistics.asymptotic import FEWEST, reach
from freehold.domain.statistics.estimate import Estimate, deviations
from freehold.domain.statistics.rows import Floats

FLOOR = 0.01
"""Of the baseline in every share: below a hundredth of the baseline's, a share counts as that."""


@dataclass(frozen=True)
class Stability:
    """One model's index against its baseline; each is [...], the slopes [..., bins]."""

    value: Floats
    """Freed of what it is on average if nothing moved."""
    shares: Floats
    """[..., bins] of the live rows, smoothed."""
    slopes: Floats
    """By how much the index grows with a bin's share."""
    flat: Floats
    """Variance of one row that remains where all slopes are 0: nothing moved."""
    noise: Floats
    """Variance that the baseline's own rows give the index, however many live ones there are."""


def stability(baseline: npt.ArrayLike, counts: npt.ArrayLike) -> Stability:
    """Of live rows, `counts` [..., bins], against a baseline, [bins].

    The index is of the live rows and one more, spread as the baseline is; slopes and variance are
    of the live rows and one more for each bin, so that no bin without rows is taken for one that
    never has any. Simulations over shapes with rare bins chose the two.
    """
    known, rows = np.asarray(baseline, np.float64), np.asarray(counts, np.float64)
    bins, size, live = known.shape[-1], float(known.sum()), rows.sum(axis=-1, keepdims=True)
    expected = (known + 1 / bins) / (size + 1)
    mixed = _mixed((rows + expected) / (live + 1), expected)
    value = ((mixed - expected) * np.log(mixed / expected)).sum(-1)
    chance = (bins - 1) * (live[..., 0] / (live[..., 0] + 1) ** 2 + 1 / size)
    shares = (rows + bins * expected) / (live + bins)
    mixed = _mixed(shares, expected)
    ratio, towards = np.log(mixed / expected), expected / mixed
    slope = ratio + 1 - towards
    back = -ratio + 1 - 1 / towards + FLOOR * slope
    noise = ((expected * back**2).sum(-1) - (expected * back).sum(-1) ** 2) / size
    return Stability(
        value=value - chance,
        shares=shares,
        slopes=(1 - FLOOR) * slope,
        flat=2 * (bins - 1) / (live[..., 0] + bins),
        noise=noise,
    )


def _mixed(shares: Floats, expected: Floats) -> Floats:
    return (1 - FLOOR) * shares + FLOOR * expected


def excess(
    first: npt.ArrayLike, second: npt.ArrayLike, together: npt.ArrayLike, risk: float
) -> tuple[Floats, Floats]:
    """The first model's index less the second's, and the reach of each bound: [...] and [...].

    `first` [a] and `second` [b] are the baselines' rows by bin; `together` [..., a, b] the live
    rows, by both bins that their scores fall into, so that what moves both models takes itself
    away. By the delta method, whose mean of slopes has an asymptotic confidence sequence
    (`asymptotic` says what it assumes); the baselines' own noise is that of one look, for it does
    not change. `risk`: of each bound, ever, half of it for each of the two.
    """
    rows = np.asarray(together, np.float64)
    one, two = stability(first, rows.sum(axis=-1)), stability(second, rows.sum(axis=-2))
    live = rows.sum(axis=(-1, -2))
    count = np.maximum(live, 1)
    both = np.einsum("...ab,...a,...b->...", rows, one.slopes, two.slopes) / count
    ours = np.einsum("...ab,...a->...", rows, one.slopes) / count
    theirs = np.einsum("...ab,...b->...", rows, two.slopes) / count
    variance = _variance(one) + _variance(two) - 2 * (both - ours * theirs)
    variance = np.maximum(variance, 0) + one.flat + two.flat
    width = np.sqrt(variance) * reach(count, risk / 2)
    width += deviations(1 - risk) * np.sqrt(one.noise + two.noise)
    return one.value - two.value, width


def _variance(one: Stability) -> Floats:
    """Of one row's slope. By the smoothed shares: a bin without rows is not one that never has
    any."""
    mean = (one.shares * one.slopes).sum(-1)
    found: Floats = (one.shares * one.slopes**2).sum(-1) - mean**2
    return found


def shift_difference(
    first: npt.ArrayLike, second: npt.ArrayLike, together: npt.ArrayLike, risk: float
) -> Estimate:
    """`excess` of one table [a, b] as an estimate; unknown below FEWEST live rows."""
    rows = np.asarray(together)
    count, level = int(rows.sum()), 1 - 2 * risk
    if count < FEWEST:
        return Estimate.unknown("too-few-rows", count, level)
    if np.sum(first) == 0 or np.sum(second) == 0:
        return Estimate.unknown("empty", count, level)
    value, width = (float(one) for one in excess(first, second, rows, risk))
    return Estimate(value, value - width, value + width, level, count)
