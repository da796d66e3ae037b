"""Quantiles, and ratios of them, with bounds that hold at every look."""

from collections.abc import Callable
from math import inf, log

import numpy as np

from freehold.domain.statistics.betting import EVENTS, log_capital
from freehold.domain.statistics.estimate import Estimate
from freehold.domain.statistics.rows import Floats


def ranks(count: int, quantile: float, risk: float) -> tuple[int, int]:
    """Ranks, from 1, of the ordered values that bound a quantile from below and from above.

    Rank 0 and rank `count + 1` mean that there is no such value yet. How many values lie below the
    quantile is a count of events of a known rate; the ranks are the counts that no bet refutes
    (Howard and Ramdas, Sequential estimation of quantiles, Bernoulli 28, 2022, with the bet of
    `betting` for their boundary). Values may be tied; each has, given those before it, the same
    quantile. `risk`: of each of the two, ever.
    """

    def refuted(below: int, mirrored: bool) -> bool:
        counts = [below, count - below] if mirrored else [count - below, below]
        rate = 1 - quantile if mirrored else quantile
        return bool(log_capital(EVENTS, counts, rate) >= log(1 / risk))

    low = _first(count, lambda below: not refuted(below, mirrored=True))
    high = _first(count, lambda below: refuted(below, mirrored=False))
    return low, high


def _first(count: int, holds: Callable[[int], bool]) -> int:
    """The smallest number up to `count` for which it holds, as it does for all above."""
    low, high = 0, count + 1
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low


def bounds(ordered: Floats, quantile: float, risk: float) -> tuple[float, float]:
    """Lower and upper bound of a quantile of ascending `ordered` [n]; infinite while unknown.

    `risk`: of each of the two, ever.
    """
    low, high = ranks(len(ordered), quantile, risk)
    return (
        float(ordered[low - 1]) if low >= 1 else -inf,
        float(ordered[high - 1]) if high <= len(ordered) else inf,
    )


def ratio(first: Floats, second: Floats, quantile: float, risk: float) -> Estimate | None:
    """A quantile of `first` [n] over that of `second` [m], both of positive values in any order.

    `risk`: of each bound of the ratio, ever; each arm takes half. None while there is no bound: a
    99th percentile needs some thousand values.
    """
    one, two = np.sort(first), np.sort(second)
    above, below = bounds(one, quantile, risk / 2), bounds(two, quantile, risk / 2)
    if inf in (above[1], below[1]) or below[0] <= 0 or above[0] < 0:
        return None
    value = _quantile(one, quantile) / _quantile(two, quantile)
    count = min(len(one), len(two))
    return Estimate(value, above[0] / below[1], above[1] / below[0], 1 - 2 * risk, count)


def _quantile(ordered: Floats, quantile: float) -> float:
    return float(np.quantile(ordered, quantile, method="inverted_cdf"))
