"""Figures of an observation, made of rows of the request log.

Both comparisons are of two models on the same rows, the canary's: the champion scored them too.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence

import polars as pl

from freehold.delivery.observation import Observation
from freehold.domain.profile import NumberProfile
from freehold.domain.statistics.distance import shift
from freehold.domain.statistics.estimate import Estimate

QUANTILE = 0.99
ORDER_CONFIDENCE = 0.95
"""One-sided, of each of the two quantiles in the ratio of latencies."""
LEVEL = 0.98
"""Two-sided, of the shift of scores: a release is looked at again and again."""
MINIMUM_SCORES = 100
"""Fewer live scores say nothing about a distribution of ten bins."""


def observe(
    rows: pl.DataFrame,
    canary: NumberProfile | None = None,
    champion: NumberProfile | None = None,
    quality: Estimate | None = None,
) -> Observation:
    """Of the request log's rows that the canary was routed since its step began.

    `rows` needs the log's columns request_id, score, reference_score, latency_us,
    reference_latency_us and error.
    """
    scored = rows.filter(pl.col("score").is_not_null() & pl.col("reference_score").is_not_null())
    moved = None
    if canary is not None and champion is not None:
        moved = score_shift(
            canary, scored["score"].to_list(), champion, scored["reference_score"].to_list()
        )
    # Rows of one request share its time, so that a request counts once.
    timed = scored.unique("request_id", keep="first", maintain_order=True)
    return Observation(
        rows=rows.height,
        errors=rows.height - rows["error"].null_count(),
        latency_ratio=latency_ratio(
            timed["latency_us"].to_list(), timed["reference_latency_us"].drop_nulls().to_list()
        ),
        score_shift=moved,
        quality_difference=quality,
    )


def latency_ratio(canary: Sequence[float], champion: Sequence[float]) -> Estimate | None:
    """Ratio of 99th percentiles, bounded by order statistics (no distribution is assumed).

    None while there are too few requests for the bounds to exist: below 299.
    """
    above, below = _quantile(canary), _quantile(champion)
    if above is None or below is None or below[0] <= 0:
        return None
    return Estimate(
        value=above[1] / below[1],
        low=above[0] / below[2],
        high=above[2] / below[0],
        level=2 * ORDER_CONFIDENCE - 1,
        count=min(len(canary), len(champion)),
    )


def _quantile(values: Sequence[float]) -> tuple[float, float, float] | None:
    """Lower bound, value, upper bound."""
    count = len(values)
    if QUANTILE**count > 1 - ORDER_CONFIDENCE:
        return None
    ordered = sorted(values)
    # The number of values below the quantile is binomial; its own quantiles are the ranks.
    low = high = count
    cumulative, log_odds = 0.0, math.log(QUANTILE / (1 - QUANTILE))
    log_term = count * math.log(1 - QUANTILE)
    for rank in range(count + 1):
        cumulative += math.exp(log_term)
        if low == count and cumulative > 1 - ORDER_CONFIDENCE:
            low = rank
        if cumulative >= ORDER_CONFIDENCE:
            high = rank
            break
        if rank < count:
            log_term += math.log((count - rank) / (rank + 1)) + log_odds
    middle = ordered[min(math.ceil(QUANTILE * count), count) - 1]
    return ordered[max(low - 1, 0)], middle, ordered[min(high, count - 1)]


def score_shift(
    canary: NumberProfile,
    canary_scores: Sequence[float],
    champion: NumberProfile,
    champion_scores: Sequence[float],
) -> Estimate | None:
    """How much further the canary's scores moved from its baseline than the champion's from its.

    The season moves both; a column that does not exist at serving time moves only the model that
    was trained on it. Each population stability index is freed of what chance alone gives; their
    errors are added as if independent, which errs to the side of holding. None below a minimum
    of scores.
    """
    if min(len(canary_scores), len(champion_scores)) < MINIMUM_SCORES:
        return None
    moved, reach = _moved(canary, canary_scores)
    season, season_reach = _moved(champion, champion_scores)
    value, error = moved - season, math.hypot(reach, season_reach)
    return Estimate(value, value - error, value + error, LEVEL, len(canary_scores))


def _moved(baseline: NumberProfile, scores: Sequence[float]) -> tuple[float, float]:
    """Population stability index beyond chance, and the reach of its interval."""
    found = shift(baseline.counts, binned(baseline, scores), LEVEL)
    if found.psi.value is None or found.psi.high is None or found.psi_chance is None:
        return 0.0, math.inf
    return found.psi.value - found.psi_chance, found.psi.high - found.psi.value


def binned(baseline: NumberProfile, scores: Sequence[float]) -> list[int]:
    """Scores in each of the bins of `baseline.counts`."""
    counts = [0] * len(baseline.counts)
    edges = baseline.edges
    for score in scores:
        counts[bisect_left(edges, score) + 1 if edges and score >= edges[0] else 0] += 1
    return counts
