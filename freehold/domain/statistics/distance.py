"""How far two samples lie apart, and how far they would by chance alone.

Every figure here is above 0 for two samples of one distribution. `chance` is its mean then, so that
a small sample raises no alarm.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log, pi, sqrt

import numpy as np
import numpy.typing as npt

from freehold.domain.statistics.estimate import LEVEL, Estimate, deviations
from freehold.domain.statistics.rows import Floats

RARE = 5
"""Bins expected to hold fewer rows than this in either sample are counted as one, as for the
chi-square test; otherwise their logarithms drown the rest."""


@dataclass(frozen=True)
class Shift:
    """Between two samples counted in the same bins."""

    psi: Estimate
    """Population stability index, natural logarithm. `low` is 0 unless the samples differ by more
    than chance explains."""
    psi_chance: float | None
    distance: float | None
    """Jensen-Shannon distance: the square root of the divergence in bits. 0 to 1, symmetric, a
    metric (Endres and Schindelin, IEEE Transactions on Information Theory 49, 2003)."""
    distance_chance: float | None

    @classmethod
    def unknown(cls, reason: str, count: int = 0, level: float = LEVEL) -> "Shift":
        return cls(Estimate.unknown(reason, count, level), None, None, None)


def shift(first: Sequence[int], second: Sequence[int], level: float = LEVEL) -> Shift:
    """Of counts [bins] against counts [bins]; symmetric but for `psi.count`, the second's rows.

    Raises ValueError if they are not counts of the same bins.
    """
    one, two = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if one.shape != two.shape or one.ndim != 1 or (one < 0).any() or (two < 0).any():
        raise ValueError(f"{one.shape} and {two.shape} are not counts of the same bins")
    if one.sum() == 0 or two.sum() == 0:
        return Shift.unknown("empty", int(two.sum()), level)
    one, two = _without_rare(one, two)
    scale = float(1 / one.sum() + 1 / two.sum())
    freedom = len(one) - 1
    divergence_chance = freedom * scale / (8 * log(2))
    return Shift(
        psi=_stability(one, two, level),
        psi_chance=freedom * scale,
        distance=sqrt(_divergence(one, two)),
        distance_chance=min(1.0, sqrt(divergence_chance)),
    )


def _without_rare(one: Floats, two: Floats) -> tuple[Floats, Floats]:
    pooled = (one + two) / (one.sum() + two.sum())
    rare = pooled * min(one.sum(), two.sum()) < RARE
    if np.count_nonzero(rare) < 2:
        return one, two
    kept = ~rare
    return (
        np.append(one[kept], one[rare].sum()),
        np.append(two[kept], two[rare].sum()),
    )


def _stability(one: Floats, two: Floats, level: float) -> Estimate:
    """The index, smoothed with one row spread as both samples together are.

    The sampling bias under no change is `(bins - 1)(1/n + 1/m)` and its variance twice that times
    `1/n + 1/m` (the index is then asymptotically a scaled chi-square: Yurdakul and Naranjo, Journal
    of Risk Model Validation 14, 2020); the delta method gives the rest. `low` is freed of the bias;
    `high` is not, and so errs upwards.
    """
    rows_one, rows_two = float(one.sum()), float(two.sum())
    pooled = (one + two) / (rows_one + rows_two)
    present = pooled > 0
    p = ((one + pooled) / (rows_one + 1))[present]
    q = ((two + pooled) / (rows_two + 1))[present]
    ratio = np.log(q / p)
    value = float((q - p) @ ratio)
    scale = 1 / rows_one + 1 / rows_two
    bias = (len(one) - 1) * scale
    variance = (
        _spread(p, -ratio - q / p) / rows_one
        + _spread(q, ratio - p / q) / rows_two
        + 2 * bias * scale
    )
    reach = deviations(level) * sqrt(variance)
    low = min(value, max(0.0, value - bias - reach))
    return Estimate(value, low, value + reach, level, int(rows_two))


def _spread(shares: Floats, gradient: Floats) -> float:
    mean = float(shares @ gradient)
    return max(0.0, float(shares @ gradient**2) - mean * mean)


def _divergence(one: Floats, two: Floats) -> float:
    """Jensen-Shannon, base 2 (Lin, IEEE Transactions on Information Theory 37, 1991)."""
    p, q = one / one.sum(), two / two.sum()
    middle = (p + q) / 2
    total = 0.0
    for shares in (p, q):
        present = shares > 0
        total += float(shares[present] @ np.log2(shares[present] / middle[present])) / 2
    return min(1.0, max(0.0, total))


@dataclass(frozen=True)
class Sketch:
    """The distribution function of a sample, exact at the points that are kept.

    Between two points lie at most `rows / (quantiles - 1)` rows, so a distance measured at the
    points is short of the true one by no more than that share.
    """

    points: Floats
    """Ascending, distinct."""
    below: npt.NDArray[np.int64]
    """Rows less than each point."""
    upto: npt.NDArray[np.int64]
    """Rows less than or equal to it."""
    rows: int


def sketch(ordered: Floats, quantiles: int = 1000) -> Sketch:
    """Of ascending finite values [n]: every value if they are few, else as many quantiles."""
    count = len(ordered)
    if count:
        ranks = np.linspace(0, count - 1, min(count, quantiles)).round().astype(np.int64)
        points = np.unique(ordered[ranks])
        if len(points) < quantiles:
            distinct = ordered[np.append(True, ordered[1:] != ordered[:-1])]
            points = distinct if len(distinct) <= quantiles else points
    else:
        points = ordered
    return Sketch(
        points=points,
        below=np.searchsorted(ordered, points, side="left").astype(np.int64),
        upto=np.searchsorted(ordered, points, side="right").astype(np.int64),
        rows=count,
    )


def kolmogorov_smirnov(
    reference: Sketch, ordered: Floats, level: float = LEVEL
) -> tuple[Estimate, float | None]:
    """Largest distance between the distribution functions, and its asymptotic p-value.

    `ordered`: ascending finite values [n]. The interval is that of Dvoretzky, Kiefer and Wolfowitz
    with Massart's constant (Annals of Probability 18, 1990) for each sample: wide, but never wrong.
    The p-value (Smirnov, 1948) errs upwards when values are tied.
    """
    if reference.rows == 0 or len(ordered) == 0:
        return Estimate.unknown("empty", len(ordered), level), None
    left = np.searchsorted(ordered, reference.points, side="left") / len(ordered)
    right = np.searchsorted(ordered, reference.points, side="right") / len(ordered)
    value = float(
        max(
            np.abs(left - reference.below / reference.rows).max(),
            np.abs(right - reference.upto / reference.rows).max(),
        )
    )
    reach = sum(sqrt(log(4 / (1 - level)) / (2 * n)) for n in (reference.rows, len(ordered)))
    effective = reference.rows * len(ordered) / (reference.rows + len(ordered))
    interval = max(0.0, value - reach), min(1.0, value + reach)
    return Estimate(value, *interval, level, len(ordered)), _survival(sqrt(effective) * value)


def _survival(x: float) -> float:
    """Chance that Kolmogorov's limiting variable exceeds x."""
    if x < 0.2:
        return 1.0
    if x < 1.18:
        terms = (exp(-((2 * k - 1) ** 2) * pi * pi / (8 * x * x)) for k in range(1, 5))
        return 1 - sqrt(2 * pi) / x * sum(terms)
    signed = (exp(-2 * k * k * x * x) * (1 if k % 2 else -1) for k in range(1, 8))
    return min(1.0, 2 * sum(signed))
