"""Figures that tell a collapse from a season, and both from chance."""

import numpy as np
import polars as pl
import pytest

from freehold.delivery.measurement import binned, latency_ratio, observe, score_shift
from freehold.domain.profile import NumberProfile

RANDOM = np.random.default_rng(7)


def baseline(scores: np.ndarray) -> NumberProfile:
    edges = tuple(np.quantile(scores, np.linspace(0, 1, 11)).tolist())
    empty = NumberProfile(len(scores), 0, edges, (0,) * 13, (), (), ())
    counts = tuple(binned(empty, scores.tolist()))
    return NumberProfile(len(scores), 0, edges, counts, (), (), ())


def draw(mean: float, count: int) -> np.ndarray:
    return 1 / (1 + np.exp(-RANDOM.normal(mean, 1, count)))


EVALUATION = draw(-1, 4_000)


def test_bins_are_those_of_the_profile() -> None:
    profile = NumberProfile(4, 0, (1.0, 2.0, 3.0), (0, 1, 1, 2, 0), (), (), ())
    assert binned(profile, [0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 9.0]) == [1, 1, 2, 2, 1]
    assert binned(NumberProfile(0, 0, (), (0,), (), (), ()), [0.1, 0.2]) == [2]


def test_a_season_that_moves_both_is_no_shift() -> None:
    known = baseline(EVALUATION)
    shift = score_shift(known, draw(0, 400).tolist(), known, draw(0, 400).tolist())
    assert shift is not None and shift.low is not None and shift.low < 0.25


def test_a_model_that_collapses_alone_is_a_shift() -> None:
    spread = np.concatenate([draw(-2.5, 2_800), draw(2.5, 1_200)])
    shift = score_shift(
        baseline(spread), draw(-2, 300).tolist(), baseline(EVALUATION), draw(-0.7, 300).tolist()
    )
    assert shift is not None and shift.low is not None and shift.low > 0.25


def test_chance_alone_seldom_looks_like_a_shift() -> None:
    known = baseline(EVALUATION)
    lows = [
        score_shift(known, draw(-1, 300).tolist(), known, draw(-1, 300).tolist()) for _ in range(60)
    ]
    assert all(shift is not None and shift.low < 0.1 for shift in lows if shift.low is not None)


def test_few_scores_say_nothing() -> None:
    known = baseline(EVALUATION)
    assert score_shift(known, [0.5] * 99, known, [0.5] * 99) is None


def test_latency_needs_enough_requests_and_ratio_has_bounds() -> None:
    assert latency_ratio(list(range(1, 299)), list(range(1, 299))) is None
    ratio = latency_ratio([3.0 * n for n in range(1, 1_001)], list(range(1, 1_001)))
    assert ratio is not None and ratio.value == pytest.approx(3.0)
    assert ratio.low is not None and ratio.high is not None
    assert 2.9 < ratio.low < 3.0 < ratio.high < 3.1


def test_the_interval_of_a_quantile_covers_it() -> None:
    true = 4.605170185988091
    covered = 0
    for _ in range(300):
        ratio = latency_ratio(RANDOM.exponential(1, 500).tolist(), [true] * 500)
        assert ratio is not None and ratio.low is not None and ratio.high is not None
        covered += ratio.low <= 1 <= ratio.high
    assert covered >= 255  # 90 % is promised


def log_rows(count: int) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "request_id": [f"r{n // 2}" for n in range(count)],
            "score": [None if n % 10 == 0 else 0.4 for n in range(count)],
            "reference_score": [0.5] * count,
            "latency_us": [200.0] * count,
            "reference_latency_us": [100.0] * count,
            "error": ["endpoint.model-failed" if n % 10 == 0 else None for n in range(count)],
        }
    )


def test_an_observation_counts_rows_and_requests() -> None:
    known = baseline(EVALUATION)
    seen = observe(log_rows(1_000), known, known)
    assert (seen.rows, seen.errors) == (1_000, 100)
    assert seen.latency_ratio is not None
    assert (seen.latency_ratio.value, seen.latency_ratio.count) == (2.0, 500)
    assert seen.score_shift is not None and seen.score_shift.count == 900


def test_no_rows_are_an_observation_too() -> None:
    seen = observe(log_rows(0))
    assert (seen.rows, seen.errors, seen.latency_ratio, seen.score_shift) == (0, 0, None, None)
