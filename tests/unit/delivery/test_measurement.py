"""Figures that tell a collapse from a season, and both from chance."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from freehold.delivery import measurement
from freehold.delivery.figures import figures
from freehold.delivery.measurement import (
    QUANTILES,
    assigned,
    bins,
    latency_ratio,
    metric_difference,
    observe,
)
from freehold.domain.profile import NumberProfile
from freehold.domain.project import ReleaseSpec
from freehold.domain.routing import RoutingTable, Variant
from freehold.domain.statistics.estimate import Estimate
from freehold.domain.statistics.pairs import auc_difference

RANDOM = np.random.default_rng(7)
RISK = 0.001


def baseline(scores: np.ndarray) -> NumberProfile:
    edges = tuple(np.quantile(scores, np.linspace(0, 1, 11)).tolist())
    empty = NumberProfile(len(scores), 0, edges, (0,) * 13, (), (), ())
    counts = tuple(np.bincount(bins(empty, scores), minlength=13).tolist())
    return NumberProfile(len(scores), 0, edges, counts, (), (), ())


def draw(mean: float, count: int) -> np.ndarray:
    return 1 / (1 + np.exp(-RANDOM.normal(mean, 1, count)))


EVALUATION = draw(-1, 4_000)


def score_shift(*given: Any) -> Estimate:
    found = measurement.score_shift(*given, RISK)
    assert found.value is not None and found.low is not None
    return found


def test_bins_are_those_of_the_profile() -> None:
    profile = NumberProfile(4, 0, (1.0, 2.0, 3.0), (0, 1, 1, 2, 0), (), (), ())
    scores = np.array([0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 9.0])
    assert bins(profile, scores).tolist() == [0, 1, 2, 2, 3, 3, 4]
    assert bins(NumberProfile(0, 0, (), (0,), (), (), ()), scores[:2]).tolist() == [0, 0]


def test_a_season_that_moves_both_is_no_shift() -> None:
    known = baseline(EVALUATION)
    assert score_shift(known, draw(0, 400), known, draw(0, 400)).low < 0.25


def test_a_model_that_collapses_alone_is_a_shift() -> None:
    spread = np.concatenate([draw(-2.5, 2_800), draw(2.5, 1_200)])
    moved = score_shift(baseline(spread), draw(-2, 300), baseline(EVALUATION), draw(-0.7, 300))
    assert moved.low > 0.25


def test_chance_alone_seldom_looks_like_a_shift() -> None:
    known = baseline(EVALUATION)
    lows = [score_shift(known, draw(-1, 300), known, draw(-1, 300)).low for _ in range(60)]
    assert all(low < 0.1 for low in lows)


def test_few_scores_say_nothing() -> None:
    known, few = baseline(EVALUATION), np.full(99, 0.5)
    assert not measurement.score_shift(known, few, known, few, RISK).known


def test_a_model_that_is_slow_throughout_is_told_by_its_median() -> None:
    time = np.arange(1.0, 1_001)
    assert latency_ratio(time[:10], time[:10], RISK) == {}
    few = latency_ratio(10 * time[:100], time[:100], RISK)
    assert set(few) == {0.5}
    many = latency_ratio(np.tile(3 * time, 4), np.tile(time, 4), RISK)
    assert set(many) == set(QUANTILES)
    for ratio in many.values():
        assert ratio.value == pytest.approx(3)
        assert ratio.low is not None and ratio.high is not None
        assert 2 < ratio.low < 3 < ratio.high < 4


def log_rows(count: int) -> pl.DataFrame:
    """Two rows a request, of which every fifth fails. A client that names all its requests alike
    asks them at different times."""
    return pl.DataFrame(
        {
            "prediction_id": [f"p{n}" for n in range(count)],
            "request_id": ["always the same" for n in range(count)],
            "at": [n // 2 for n in range(count)],
            "version": [2] * count,
            "routing": [7] * count,
            "score": [None if n // 2 % 5 == 0 else 0.4 for n in range(count)],
            "reference_score": [0.5] * count,
            "latency_us": [200.0] * count,
            "reference_latency_us": [100.0] * count,
            "error": ["endpoint.model-failed" if n // 2 % 5 == 0 else None for n in range(count)],
        },
        schema_overrides={"prediction_id": pl.String, "score": pl.Float64, "error": pl.String},
    )


def test_an_observation_counts_rows_and_requests() -> None:
    known = baseline(EVALUATION)
    seen = observe(log_rows(1_000), RISK, known, known)
    assert (seen.rows, seen.errors) == (1_000, 200)
    assert seen.error_rate is not None
    assert (seen.error_rate.value, seen.error_rate.count) == (0.2, 500)
    assert (seen.latency_ratio[0.5].value, seen.latency_ratio[0.5].count) == (2.0, 400)
    assert seen.score_shift is not None and seen.score_shift.count == 800


def test_no_rows_are_an_observation_too() -> None:
    known = baseline(EVALUATION)
    labels = pl.DataFrame(schema={"prediction_id": pl.String, "label": pl.Int8})
    seen = observe(log_rows(0), RISK, known, known, labels)
    assert seen.rows == seen.errors == 0
    assert list(figures(ReleaseSpec(), seen)) == []


def test_labels_count_in_the_order_in_which_they_came() -> None:
    rows = log_rows(400).with_columns(score=pl.Series(RANDOM.random(400)), error=None)
    labels = rows.select(
        "prediction_id", label=pl.Series(RANDOM.random(400) < 0.5).cast(pl.Int8)
    ).sample(fraction=1.0, shuffle=True, seed=1)
    seen = observe(rows, RISK, labels=labels).quality_difference
    ordered = labels.join(rows, on="prediction_id", how="left", maintain_order="left")
    scores, beside = (ordered[name].to_numpy() for name in ("score", "reference_score"))
    assert seen == auc_difference(scores, beside, ordered["label"].to_numpy() == 1, RISK)


def test_a_metric_is_compared_between_the_variants() -> None:
    rows = log_rows(2_000).with_columns(version=pl.Series([1, 2] * 1_000))
    money = pl.Series(RANDOM.exponential(2.0, 2_000)) * pl.Series([1.0, 0.5] * 1_000)
    known = rows.select("prediction_id", money=money)
    found = metric_difference(rows, known, "money", 2, RISK)
    assert found is not None and found.high is not None and found.high < 0
    assert found.value == pytest.approx(-1.0, abs=0.2)
    assert metric_difference(rows, known, "clicks", 2, RISK) is None
    assert metric_difference(rows, known.clear(), "money", 2, RISK) is None


def test_an_id_counts_once_and_only_by_the_table_in_force() -> None:
    table = RoutingTable(
        7, "m", "m/1", (Variant(1, "a", 75.0, "champion"), Variant(2, "b", 25.0, "challenger"))
    )
    rows = pl.concat(
        [
            log_rows(1_000).with_columns(version=pl.Series([1, 1, 1, 2] * 250)),
            log_rows(300),
            log_rows(900).with_columns(routing=6, prediction_id=pl.lit("old")),
        ],
        how="vertical_relaxed",
    ).unique(["prediction_id", "routing"], keep="first", maintain_order=True)
    found = assigned(pl.concat([rows, rows]), table, 2)
    assert found is not None
    assert (found.canary, found.ids, found.share, found.expected) == (250, 1_000, 0.25, 250)
    assert found.evidence < 0
    assert assigned(rows.filter(pl.col("routing") == 6), table, 2) is None
    assert assigned(rows, table, 3) is None
