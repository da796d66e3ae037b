"""Figures of an observation, made of rows of the request log.

Every bound holds at every look, however many there are. Comparisons are of two models on the same
rows, the canary's: the champion scored them too. Only what follows from an answer, a project's own
metric, is compared between the two variants' rows.
"""

import numpy as np
import numpy.typing as npt
import polars as pl

from freehold.delivery.observation import Assignment, Observation
from freehold.domain.profile import NumberProfile
from freehold.domain.routing import RoutingTable
from freehold.domain.statistics import quantiles
from freehold.domain.statistics.assignment import log_mismatch
from freehold.domain.statistics.asymptotic import Moments, difference
from freehold.domain.statistics.betting import EVENTS, bounds
from freehold.domain.statistics.estimate import Estimate
from freehold.domain.statistics.pairs import auc_difference
from freehold.domain.statistics.rows import Floats
from freehold.domain.statistics.stability import shift_difference

QUANTILES = (0.5, 0.9, 0.99)
"""Of latencies. The tail is what hurts, but a bound of it needs some thousand requests; a model
that is slow throughout is told by its median within dozens."""
REQUEST = ("request_id", "at")
"""What rows of one request share. A client may use one id again and again."""


def observe(
    rows: pl.DataFrame,
    risk: float,
    canary: NumberProfile | None = None,
    champion: NumberProfile | None = None,
    labels: pl.DataFrame | None = None,
) -> Observation:
    """Of the request log's rows that the canary was routed since a moment.

    `rows` needs the log's columns request_id, at, prediction_id, score, reference_score,
    latency_us, reference_latency_us and error; `labels` prediction_id and label, in the order in
    which they came, the last one for each. `risk`: of each guardrail's bound, ever.
    """
    scored = rows.drop_nulls(["score", "reference_score"])
    moved = None
    if canary is not None and champion is not None:
        moved = score_shift(
            canary, scored["score"].to_numpy(), champion, scored["reference_score"].to_numpy(), risk
        )
    # Rows of one request share its time, so that a request counts once.
    timed = scored.unique(REQUEST, keep="first").drop_nulls("reference_latency_us")
    return Observation(
        rows=rows.height,
        errors=rows.height - rows["error"].null_count(),
        error_rate=error_rate(rows, risk),
        latency_ratio=latency_ratio(
            timed["latency_us"].to_numpy(), timed["reference_latency_us"].to_numpy(), risk
        ),
        score_shift=moved,
        quality_difference=None if labels is None else quality_difference(scored, labels, risk),
    )


def error_rate(rows: pl.DataFrame, risk: float) -> Estimate | None:
    """Of requests, since the rows of one fail together."""
    failed = rows.group_by(REQUEST).agg(pl.col("error").is_not_null().any())["error"]
    count, errors = len(failed), int(failed.sum())
    if count == 0:
        return None
    low, high = bounds(EVENTS, [count - errors, errors], risk)
    return Estimate(errors / count, low, high, 1 - 2 * risk, count)


def latency_ratio(canary: Floats, champion: Floats, risk: float) -> dict[float, Estimate]:
    """Ratio of each of QUANTILES that has bounds yet; the risk is shared by them."""
    found = {
        quantile: quantiles.ratio(canary, champion, quantile, risk / len(QUANTILES))
        for quantile in QUANTILES
    }
    return {quantile: one for quantile, one in found.items() if one is not None}


def score_shift(
    canary: NumberProfile,
    canary_scores: Floats,
    champion: NumberProfile,
    champion_scores: Floats,
    risk: float,
) -> Estimate:
    """How much further the canary's scores moved from its baseline than the champion's from its.

    The season moves both; a column that does not exist at serving time moves only the model that
    was trained on it. Unknown below a minimum of scores.
    """
    together = np.zeros((len(canary.counts), len(champion.counts)))
    np.add.at(together, (bins(canary, canary_scores), bins(champion, champion_scores)), 1)
    return shift_difference(canary.counts, champion.counts, together, risk)


def bins(baseline: NumberProfile, scores: Floats) -> npt.NDArray[np.int64]:
    """Of scores [n], the place in `baseline.counts` that each falls into: [n]."""
    if not baseline.edges:
        return np.zeros(len(scores), np.int64)
    edges = np.asarray(baseline.edges)
    return np.where(scores >= edges[0], np.searchsorted(edges, scores) + 1, 0)


def quality_difference(scored: pl.DataFrame, labels: pl.DataFrame, risk: float) -> Estimate | None:
    """The canary's AUC less the champion's. None without a row that has a label."""
    both = scored.unique("prediction_id", keep="first")
    joined = labels.join(both, on="prediction_id", how="inner", maintain_order="left")
    if joined.is_empty():
        return None
    joined = joined.filter(pl.col("score").is_finite() & pl.col("reference_score").is_finite())
    positive = (joined["label"] == 1).to_numpy()
    ours, theirs = joined["score"].to_numpy(), joined["reference_score"].to_numpy()
    return auc_difference(ours, theirs, positive, risk)


def metric_difference(
    rows: pl.DataFrame, outcomes: pl.DataFrame, metric: str, version: int, risk: float
) -> Estimate | None:
    """The mean of a metric over the rows that `version` answered, less that of the other variant's.

    `rows` [prediction_id, version] of one step, in which shares did not change; `outcomes`
    [prediction_id, the metric]. None where no row of theirs has a value.
    """
    if metric not in outcomes.columns:
        return None
    known = (
        _answers(rows)
        .join(outcomes, on="prediction_id", how="inner", maintain_order="left")
        .drop_nulls(metric)
    )
    if known.is_empty():
        return None
    own = pl.col("version") == version
    ours, theirs = (known.filter(one)[metric].to_numpy() for one in (own, ~own))
    return difference(Moments.of(ours), Moments.of(theirs), risk)


def rewards(
    rows: pl.DataFrame, outcomes: pl.DataFrame, metric: str, absent: float | None
) -> pl.DataFrame:
    """What each id's answer earned: [prediction_id, version, reward]. An id counts once. `absent`
    stands for what did not come; None leaves those out. What is not finite is left out."""
    answered = _answers(rows)
    if metric in outcomes.columns:
        earned = outcomes.select("prediction_id", reward=pl.col(metric).cast(pl.Float64))
        found = answered.join(earned, on="prediction_id", how="left", maintain_order="left")
    else:
        found = answered.with_columns(reward=pl.lit(None, pl.Float64))
    if absent is not None:
        found = found.with_columns(pl.col("reward").fill_null(absent))
    return found.filter(pl.col("reward").is_finite())


def shadowed(rows: pl.DataFrame, version: int) -> pl.DataFrame:
    """Rows that `version` scored as a shadow, as if it had answered them beside the model that did:
    [those of `rows`, version, score, latency_us, error and both reference columns of the pair].

    `rows` needs the log's columns shadow_version, shadow_score, shadow_latency_us and shadow_error;
    without them there are none. A row that nobody answered compares nothing, and is left out.
    """
    if "shadow_version" not in rows.columns:
        return rows.clear()
    own = rows.filter((pl.col("shadow_version") == version) & pl.col("error").is_null())
    return own.with_columns(
        version=pl.col("shadow_version"),
        reference_score=pl.col("score"),
        reference_latency_us=pl.col("latency_us"),
        score=pl.col("shadow_score"),
        latency_us=pl.col("shadow_latency_us"),
        error=pl.col("shadow_error"),
    )


def _answers(rows: pl.DataFrame) -> pl.DataFrame:
    """Which version answered each id, once, in the log's order: sums of the same rows are then the
    same to the last digit, whoever makes them."""
    answered = rows.select("prediction_id", "version")
    return answered.unique("prediction_id", keep="first", maintain_order=True)


def assigned(rows: pl.DataFrame, table: RoutingTable, version: int) -> Assignment | None:
    """Where ids went by this table; None where it sends all to one variant, or there are none.

    `rows` needs prediction_id, version and routing, of all variants. An id counts once, since it
    always goes the same way.
    """
    share = sum(one.weight for one in table.variants if one.version == version) / 100
    ids = rows.filter(pl.col("routing") == table.version).unique("prediction_id", keep="first")
    if not 0 < share < 1 or ids.is_empty():
        return None
    canary = int((ids["version"] == version).sum())
    evidence = log_mismatch((canary, ids.height - canary), (share, 1 - share))
    return Assignment(canary, ids.height, share, evidence)
