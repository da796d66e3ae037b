"""Accuracy, and how much of it the base rate alone would have given."""

from math import sqrt

import numpy as np

from freehold.domain.statistics.estimate import LEVEL, Estimate, deviations, wilson
from freehold.domain.statistics.rows import Scored


def accuracy(rows: Scored, threshold: float = 0.5, level: float = LEVEL) -> Estimate:
    """Share of rows whose `score >= threshold` equals the label; Wilson's interval."""
    if rows.reason:
        return Estimate.unknown(rows.reason, rows.rows, level)
    right = np.count_nonzero((rows.scores >= threshold) == rows.positive)
    return wilson(int(right), rows.rows, level)


def baseline_accuracy(rows: Scored, level: float = LEVEL) -> Estimate:
    """Of always answering the more frequent class of these rows; Wilson's interval."""
    if rows.reason:
        return Estimate.unknown(rows.reason, rows.rows, level)
    return wilson(max(rows.positives, rows.rows - rows.positives), rows.rows, level)


def net_accuracy(rows: Scored, threshold: float = 0.5, level: float = LEVEL) -> Estimate:
    """Accuracy less that of the more frequent class, on the same rows.

    The interval is for paired proportions, with half a row added to each cell (Agresti and Min,
    Statistics in Medicine 24, 2005). The class is chosen by these rows, which favours the baseline
    by less than one standard error, and only near one half.
    """
    if rows.reason:
        return Estimate.unknown(rows.reason, rows.rows, level)
    count = rows.rows
    right = (rows.scores >= threshold) == rows.positive
    usual = rows.positive if 2 * rows.positives >= count else ~rows.positive
    gained = int(np.count_nonzero(right & ~usual))
    lost = int(np.count_nonzero(~right & usual))
    up, down, total = gained + 0.5, lost + 0.5, count + 2
    centre = (up - down) / total
    reach = deviations(level) * sqrt(max(0.0, (up + down) - (up - down) ** 2 / total)) / total
    value = (gained - lost) / count
    low = max(-1.0, min(centre - reach, value))
    high = min(1.0, max(centre + reach, value))
    return Estimate(value, low, high, level, count)
