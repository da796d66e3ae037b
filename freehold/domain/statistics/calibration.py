"""Whether a score of 0.3 comes true three times in ten."""

from math import pi, sqrt
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from freehold.domain.statistics.estimate import LEVEL, Estimate, deviations, wilson
from freehold.domain.statistics.figures import Calibration, ReliabilityBin
from freehold.domain.statistics.rows import Floats, Scored, improbable

_ROUNDS = 50
_CONVERGED = 1e-10
_STEEPEST = 1e4
"""A slope beyond it means that the classes are separated and the fit runs off."""


def calibration(rows: Scored, bins: int = 10, level: float = LEVEL) -> Calibration:
    """Expected calibration error, reliability table, intercept and slope.

    Bins hold equally many rows; equal scores are never parted, so there may be fewer of them.
    """
    reason = improbable(rows)
    if reason:
        unknown = Estimate.unknown(reason, rows.rows, level)
        return Calibration(unknown, None, unknown, unknown, ())
    order = np.argsort(rows.scores, kind="stable")
    scores, hits = rows.scores[order], rows.positive[order].astype(np.float64)
    starts = _starts(scores, bins)
    error, chance = _error(scores, hits, starts, level)
    intercept, slope = _fit(rows, level)
    return Calibration(error, chance, intercept, slope, _table(scores, hits, starts, level))


def calibration_error(rows: Scored, bins: int = 10, level: float = LEVEL) -> Estimate:
    """Only the expected calibration error of `calibration`."""
    reason = improbable(rows)
    if reason:
        return Estimate.unknown(reason, rows.rows, level)
    order = np.argsort(rows.scores, kind="stable")
    scores, hits = rows.scores[order], rows.positive[order].astype(np.float64)
    return _error(scores, hits, _starts(scores, bins), level)[0]


def _starts(scores: Floats, bins: int) -> npt.NDArray[np.int64]:
    """First row of each bin; a bin begins where its quantile's value first stands."""
    wanted = np.arange(bins) * len(scores) // bins
    return np.unique(np.searchsorted(scores, scores[wanted], side="left")).astype(np.int64)


def _error(
    scores: Floats, hits: Floats, starts: npt.NDArray[np.int64], level: float
) -> tuple[Estimate, float]:
    """The error with its interval, and its mean under perfect calibration.

    The estimate is off by at most the weighted sum of each bin's sampling error (triangle
    inequality), a sum of independent half-normal figures whose quantile is taken as a normal one.
    So the interval holds at least `level`, also where the true error is 0 and a bootstrap's would
    not.
    """
    total = len(scores)
    counts = np.diff(np.append(starts, total)).astype(np.float64)
    gaps = scores - hits
    means = np.add.reduceat(gaps, starts) / counts
    squares = np.add.reduceat((gaps - np.repeat(means, counts.astype(np.int64))) ** 2, starts)
    spreads = np.sqrt(squares / np.maximum(counts - 1, 1) / counts)
    spreads = np.where(counts > 1, spreads, 1.0)
    weights = counts / total
    value = float(weights @ np.abs(means))
    mean = sqrt(2 / pi) * float(weights @ spreads)
    deviation = sqrt((1 - 2 / pi) * float((weights**2) @ (spreads**2)))
    reach = mean + NormalDist().inv_cdf(level) * deviation
    expected = np.sqrt(np.add.reduceat(scores * (1 - scores), starts)) / counts
    chance = sqrt(2 / pi) * float(weights @ expected)
    interval = max(0.0, value - reach), min(1.0, value + reach)
    return Estimate(value, *interval, level, total), chance


def _table(
    scores: Floats, hits: Floats, starts: npt.NDArray[np.int64], level: float
) -> tuple[ReliabilityBin, ...]:
    stops = np.append(starts[1:], len(scores))
    return tuple(
        ReliabilityBin(
            low=float(scores[start]),
            high=float(scores[stop - 1]),
            predicted=float(scores[start:stop].mean()),
            observed=wilson(int(hits[start:stop].sum()), int(stop - start), level),
        )
        for start, stop in zip(starts, stops, strict=True)
    )


def _fit(rows: Scored, level: float) -> tuple[Estimate, Estimate]:
    """Cox's recalibration (Biometrika 45, 1958), by Newton's method; Wald intervals."""
    if rows.one_class:
        return (Estimate.unknown("one-class", rows.rows, level),) * 2
    inside = np.clip(rows.scores, 1e-9, 1 - 1e-9)
    odds = np.log(inside / (1 - inside))
    if np.ptp(odds) < 1e-9:
        return (Estimate.unknown("no-variation", rows.rows, level),) * 2
    solved = _newton(odds, rows.positive.astype(np.float64))
    if solved is None:
        return (Estimate.unknown("separable", rows.rows, level),) * 2
    weights, errors = solved
    z = deviations(level)
    first, second = (
        Estimate(float(w), float(w - z * e), float(w + z * e), level, rows.rows)
        for w, e in zip(weights, errors, strict=True)
    )
    return first, second


def _newton(odds: Floats, hits: Floats) -> tuple[Floats, Floats] | None:
    """Weights and their standard errors, or None when they have no finite maximum."""
    centre, scale = float(odds.mean()), float(odds.std())
    design = np.column_stack([np.ones_like(odds), (odds - centre) / scale])
    weights = np.zeros(2)
    for _ in range(_ROUNDS):
        fitted = 0.5 * (1 + np.tanh(0.5 * (design @ weights)))
        information = (design * (fitted * (1 - fitted))[:, None]).T @ design
        if np.linalg.cond(information) > 1e12:
            return None
        step = np.linalg.solve(information, design.T @ (hits - fitted))
        size = float(np.abs(step).max())
        weights = weights + step * min(1.0, 2.0 / max(size, 1e-300))
        if np.abs(weights).max() > _STEEPEST:
            return None
        if size < _CONVERGED:
            back = np.array([[1.0, -centre / scale], [0.0, 1 / scale]])
            covariance = back @ np.linalg.inv(information) @ back.T
            return back @ weights, np.sqrt(np.diag(covariance))
    return None
