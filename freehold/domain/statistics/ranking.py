"""The area under the ROC curve, with DeLong's variance in O(n log n).

DeLong, DeLong and Clarke-Pearson, Biometrics 44, 1988; the fast form by midranks: Sun and Xu, IEEE
Signal Processing Letters 21, 2014.
"""

from math import exp, log, sqrt

import numpy as np

from freehold.domain.statistics.estimate import LEVEL, Estimate, deviations, two_sided, wilson
from freehold.domain.statistics.figures import Comparison
from freehold.domain.statistics.rows import Floats, Mask, Scored


def auc(rows: Scored, level: float = LEVEL) -> Estimate:
    """Chance that a positive row scores above a negative one; a tie counts one half.

    The interval is taken on the log-odds of the area, so it stays within 0 and 1. It is all of 0
    to 1 when a class has a single row, and Wilson's for the smaller class when the classes are
    separated, where DeLong's variance is 0.
    """
    reason = rows.reason or ("one-class" if rows.one_class else "")
    if reason:
        return Estimate.unknown(reason, rows.rows, level)
    above, below = _placements(rows.scores, rows.positive)
    return _estimate(above, below, level)


def compare(rows: Scored, reference: Floats, level: float = LEVEL) -> Comparison:
    """AUC of `rows` less that of other scores [n] for the same rows; DeLong's paired test."""
    other = Scored(reference, rows.positive, rows.reason)
    reason = rows.reason
    if not reason and not np.isfinite(reference).all():
        reason = "not-finite"
    if not reason and rows.one_class:
        reason = "one-class"
    if not reason and min(rows.positives, rows.rows - rows.positives) < 2:
        reason = "too-few-rows"
    if reason:
        unknown = Estimate.unknown(reason, rows.rows, level)
        return Comparison(unknown, unknown, None)
    ours = _placements(rows.scores, rows.positive)
    theirs = _placements(other.scores, other.positive)
    variance = _variance(ours[0] - theirs[0], ours[1] - theirs[1])
    value = float(ours[0].mean() - theirs[0].mean())
    error = sqrt(variance)
    reach = deviations(level) * error
    p = two_sided(value / error) if error else float(value == 0)
    gained = Estimate(value, value - reach, value + reach, level, rows.rows)
    return Comparison(_estimate(*theirs, level), gained, p)


def _estimate(above: Floats, below: Floats, level: float) -> Estimate:
    count = len(above) + len(below)
    value = float(above.mean())
    fewer = min(len(above), len(below))
    if fewer < 2:
        return Estimate(value, 0.0, 1.0, level, count)
    if value <= 0.0 or value >= 1.0:
        edge = wilson(round(value * fewer), fewer, level)
        return Estimate(value, edge.low, edge.high, level, count)
    reach = deviations(level) * sqrt(_variance(above, below)) / (value * (1 - value))
    centre = log(value / (1 - value))
    low, high = _share(centre - reach), _share(centre + reach)
    return Estimate(value, min(low, value), max(high, value), level, count)


def _share(odds: float) -> float:
    """Inverse of the log-odds, without overflow."""
    return 1 / (1 + exp(-odds)) if odds >= 0 else exp(odds) / (1 + exp(odds))


def _variance(above: Floats, below: Floats) -> float:
    return float(above.var(ddof=1) / len(above) + below.var(ddof=1) / len(below))


def _placements(scores: Floats, positive: Mask) -> tuple[Floats, Floats]:
    """For each positive the share of negatives below it; for each negative, of positives above."""
    ups, downs = scores[positive], scores[~positive]
    ranks = _midranks(scores)
    above = (ranks[positive] - _midranks(ups)) / len(downs)
    below = 1 - (ranks[~positive] - _midranks(downs)) / len(ups)
    return above, below


def _midranks(values: Floats) -> Floats:
    """Ranks from 1; equal values share the mean of their ranks."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    first = np.ones(len(values), dtype=np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    starts = np.flatnonzero(first)
    lengths = np.diff(np.append(starts, len(values)))
    ranks = np.empty(len(values), dtype=np.float64)
    ranks[order] = np.repeat(starts + (lengths + 1) / 2, lengths)
    return ranks
