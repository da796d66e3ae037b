"""AUC of two models on the same rows, as a mean of small comparisons that do not overlap.

The usual estimate compares every positive with every negative: its terms share rows, and no bound
of it holds at every look and for few rows. Here rows are taken in the order in which their labels
came and cut into blocks as soon as one has two of each class: more would use the rows better and
tell a large loss later, since a block weighs no more than 1. Given the labels, a block's gain is an
unbiased estimate of the difference of the AUCs, between -1 and 1, and blocks are independent.

That the AUC is the chance that a positive outranks a negative: Hanley and McNeil, Radiology 143,
1982. Means over parts of all pairs: Blom, Some properties of incomplete U-statistics, Biometrika
63, 1976. The bound of the mean of independent values with limits is that of `betting`.
"""

import numpy as np
import numpy.typing as npt

from freehold.domain.statistics.betting import bounds
from freehold.domain.statistics.estimate import Estimate
from freehold.domain.statistics.rows import Floats, Mask

STEPS = 240
"""Gains are rounded to as many steps from 0 to 1, away from the bound that is asked for, so that a
million blocks cost no more than a hundred. Those of most small blocks are whole numbers of
steps."""
VALUES: Floats = np.arange(2 * STEPS + 1) / (2 * STEPS)
"""The rounded gains, from -1 to 1, moved to 0 to 1."""


def gains(ours: Floats, theirs: Floats, positive: Mask) -> Floats:
    """Block by block, the AUC of `ours` [n] less that of `theirs` [n]: [blocks], from -1 to 1.

    Rows in the order in which their labels came. What is left at the end waits for more.
    """
    ends = blocks(positive)
    if len(ends) == 0:
        return np.zeros(0)
    whole = int(ends[-1]) + 1
    up = positive[:whole]
    number = np.searchsorted(ends, np.arange(whole))
    # The row that closes a block is the second of its class there: two stand against all others.
    two = up == up[ends][number]
    others = number[~two]
    rows = 2 * np.bincount(others)
    sign = np.where(up[ends], 0.5, -0.5)

    def above(scores: Floats) -> Floats:
        """AUC less a half."""
        known = scores[:whole]
        pair = known[two].reshape(-1, 2)[others]
        apart = np.sign(pair - known[~two][:, None]).sum(axis=1)
        found: Floats = sign * np.bincount(others, apart) / rows
        return found

    return above(ours) - above(theirs)


def blocks(positive: Mask) -> npt.NDArray[np.int64]:
    """Place of the last row of each block: the first by which two of each class are in it."""
    found = []
    ups = downs = 0
    for at, up in enumerate(positive.tolist()):
        if up:
            ups += 1
        else:
            downs += 1
        if ups >= 2 and downs >= 2:
            found.append(at)
            ups = downs = 0
    return np.array(found, np.int64)


def auc_difference(ours: Floats, theirs: Floats, positive: Mask, risk: float) -> Estimate:
    """AUC of `ours` less that of `theirs`, with bounds that hold at every look.

    Scores [n] are finite. `risk`: of each bound, ever. `count` is of rows. Unknown without a block.
    """
    level, count = 1 - 2 * risk, len(positive)
    known = gains(ours, theirs, positive)
    if len(known) == 0:
        return Estimate.unknown("too-few-rows", count, level)
    low, _ = bounds(VALUES, _counted(places(known, upwards=False)), risk)
    _, high = bounds(VALUES, _counted(places(known, upwards=True)), risk)
    return Estimate(float(known.mean()), 2 * low - 1, 2 * high - 1, level, count)


def places(known: Floats, upwards: bool) -> npt.NDArray[np.int64]:
    """Of gains [...], the places in VALUES that they are rounded to."""
    # What is a whole number of steps but for its last digits is one.
    steps = np.round((known + 1) * STEPS, 6)
    return (np.ceil(steps) if upwards else np.floor(steps)).astype(np.int64)


def _counted(rounded: npt.NDArray[np.int64]) -> Floats:
    return np.bincount(rounded, minlength=len(VALUES)).astype(np.float64)
