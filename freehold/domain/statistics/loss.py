"""Mean log loss."""

from math import sqrt

import numpy as np

from freehold.domain.statistics.estimate import LEVEL, Estimate, deviations
from freehold.domain.statistics.rows import Scored, improbable

_SMALLEST = float(np.finfo(np.float64).eps)
"""A score of 0 or 1 is taken this far inside, so that one wrong row costs 36, not infinity."""


def log_loss(rows: Scored, level: float = LEVEL) -> Estimate:
    """Natural logarithm, per row; the interval by the central limit theorem, from 0 upwards."""
    reason = improbable(rows)
    if reason:
        return Estimate.unknown(reason, rows.rows, level)
    chance = np.where(rows.positive, rows.scores, 1 - rows.scores)
    losses = -np.log(np.clip(chance, _SMALLEST, 1 - _SMALLEST))
    value = float(losses.mean())
    if rows.rows == 1:
        return Estimate(value, 0.0, -float(np.log(_SMALLEST)), level, 1)
    reach = deviations(level) * float(losses.std(ddof=1)) / sqrt(rows.rows)
    return Estimate(value, max(0.0, value - reach), value + reach, level, rows.rows)
