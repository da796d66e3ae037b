"""What moved a score sums to the score, and is nothing for what the score does not look at."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from freehold.domain.attribution import attributions, log_odds


def _rows(count: int, width: int, seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)


@given(st.integers(1, 30), st.integers(1, 6), st.integers(0, 9))
@settings(deadline=None, max_examples=50)
def test_values_sum_to_the_score_less_one_base(count: int, width: int, seed: int) -> None:
    rows = _rows(count, width, seed)

    def score(matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        # Columns that act together, so that the order in which they come matters.
        return np.prod(matrix.astype(np.float64) + 1, axis=1)

    values = attributions(score, rows)
    assert values.shape == rows.shape
    assert np.ptp(score(rows) - values.sum(axis=1)) < 1e-6
    assert np.array_equal(values, attributions(score, rows))


@given(st.integers(0, 9))
@settings(deadline=None, max_examples=10)
def test_a_sum_is_told_apart_exactly(seed: int) -> None:
    rows = _rows(40, 4, seed)
    weights = np.array([1.0, -2.0, 0.0, 0.5])
    values = attributions(lambda matrix: matrix.astype(np.float64) @ weights, rows)
    places = np.unique(np.linspace(0, 39, 8).astype(int))
    expected = (rows - rows[places].mean(axis=0)) * weights
    assert np.allclose(values, expected, atol=1e-5)
    assert not values[:, 2].any()


def test_log_odds_have_an_end() -> None:
    assert np.isfinite(log_odds(np.array([0.0, 0.5, 1.0]))).all()
    assert log_odds(np.array([0.5]))[0] == 0
    assert attributions(lambda matrix: matrix[:, 0], np.empty((0, 3), np.float32)).shape == (0, 3)
