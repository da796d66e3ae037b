"""How far each input moved a score, for any function of a row.

Shapley values by sampled orders (Castro, Gómez & Tejada 2009; Štrumbelj & Kononenko 2014): a row's
columns replace those of a background row one after another, and each is credited with what the
score then changes by. Every order is gone through backwards too, which takes much of the chance out
(Mitchell et al. 2022). Whatever the orders, a row's values sum to its score less the background's.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

BACKGROUND = 8
"""Rows, evenly spaced, that values are reckoned against."""
_EDGE = 1e-6
"""Probabilities of 0 and 1 count as this far from them: their log-odds have no end."""


def log_odds(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    kept = np.clip(probabilities, _EDGE, 1 - _EDGE)
    return np.asarray(np.log(kept / (1 - kept)), dtype=np.float64)


def attributions(
    score: Callable[[NDArray[np.float32]], NDArray[np.float64]], matrix: NDArray[np.float32]
) -> NDArray[np.float64]:
    """[n, k] for rows [n, k], against evenly spaced ones of these rows; the same each time.

    `score` gives [m] for [m, k] and is asked 2 · BACKGROUND · k times.
    """
    rows, width = matrix.shape
    if not rows:
        return np.empty(matrix.shape)
    places = np.unique(np.linspace(0, rows - 1, BACKGROUND).astype(int))
    chance = np.random.default_rng(width)
    values = np.zeros((rows, width))
    for place in places:
        order = chance.permutation(width)
        for way in (order, order[::-1]):
            values += _along(score, matrix, matrix[place], way)
    return values / (2 * len(places))


def _along(
    score: Callable[[NDArray[np.float32]], NDArray[np.float64]],
    matrix: NDArray[np.float32],
    background: NDArray[np.float32],
    order: NDArray[np.int64],
) -> NDArray[np.float64]:
    mixed = np.tile(background, (len(matrix), 1))
    values = np.empty(matrix.shape)
    before = score(mixed)
    for column in order:
        mixed[:, column] = matrix[:, column]
        after = score(mixed)
        values[:, column] = after - before
        before = after
    return values
