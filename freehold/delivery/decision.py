"""Promote, hold or roll back: a pure function of a release and what was seen of it.

Laws
- A crossed guardrail rolls back, whatever else is true of the observation.
- No step is left upwards before its minimum of rows.
- Weights only grow until a rollback; a finished release stays as it is.
"""

import math
from dataclasses import dataclass
from typing import Literal

from freehold.delivery.observation import Observation
from freehold.domain.release import Release
from freehold.domain.statistics.estimate import Estimate

SIGNIFICANCE = 0.01
"""Chance at which one look at a release within its error limit takes it for one beyond it."""


@dataclass(frozen=True)
class Hold:
    reason: Literal["rows", "finished"]
    have: int
    need: int


@dataclass(frozen=True)
class Promote:
    weight: int
    """Percent, greater than before."""


@dataclass(frozen=True)
class Complete:
    """The version becomes the champion."""


@dataclass(frozen=True)
class Rollback:
    guardrail: str
    """`error-rate`, `latency-ratio`, `score-shift`, `quality-drop`, or `person`."""
    value: float
    limit: float


Decision = Hold | Promote | Complete | Rollback


def advance(release: Release, observation: Observation) -> Decision:
    if release.status != "running":
        return Hold("finished", observation.rows, 0)
    crossed = breach(release, observation)
    if crossed is not None:
        return crossed
    if release.strategy == "immediate":
        return Complete()
    if observation.rows < release.settings.minimum_rows:
        return Hold("rows", observation.rows, release.settings.minimum_rows)
    if release.step + 1 < len(release.steps):
        return Promote(release.steps[release.step + 1])
    return Complete()


def breach(release: Release, observation: Observation) -> Rollback | None:
    """The first guardrail that was crossed beyond chance."""
    limits = release.settings.guardrails
    seen = observation
    if exceeds(seen.errors, seen.rows, limits.error_rate):
        return Rollback("error-rate", seen.errors / seen.rows, limits.error_rate)
    low, high = _bounds(seen.score_shift)
    if low > limits.score_shift:
        return Rollback("score-shift", _value(seen.score_shift), limits.score_shift)
    low, high = _bounds(seen.quality_difference)
    if high < -limits.quality_drop:
        return Rollback("quality-drop", -_value(seen.quality_difference), limits.quality_drop)
    low, high = _bounds(seen.latency_ratio)
    if low > limits.latency_ratio:
        return Rollback("latency-ratio", _value(seen.latency_ratio), limits.latency_ratio)
    return None


def _bounds(estimate: Estimate | None) -> tuple[float, float]:
    """Of what is not known, nothing is beyond a limit."""
    if estimate is None or estimate.low is None or estimate.high is None:
        return -math.inf, math.inf
    return estimate.low, estimate.high


def _value(estimate: Estimate | None) -> float:
    assert estimate is not None and estimate.value is not None
    return estimate.value


def exceeds(errors: int, rows: int, limit: float) -> bool:
    """Whether so many errors are unlikely at a rate of `limit`: exact binomial upper tail.

    The exact test rather than a Wilson bound, which at few rows takes one error for proof.
    """
    if errors <= rows * limit:
        return False
    return binomial_tail(errors, rows, limit) < SIGNIFICANCE


def binomial_tail(errors: int, rows: int, rate: float) -> float:
    """P(at least `errors` of `rows`), summed from its largest term downwards.

    Accurate where it is wanted: for `errors` above `rows * rate`, where terms only fall.
    """
    if errors == 0 or rate >= 1:
        return 1.0
    if rate <= 0:
        return 0.0
    log_term = (
        math.lgamma(rows + 1)
        - math.lgamma(errors + 1)
        - math.lgamma(rows - errors + 1)
        + errors * math.log(rate)
        + (rows - errors) * math.log1p(-rate)
    )
    term = total = math.exp(log_term)
    for count in range(errors, rows):
        term *= (rows - count) / (count + 1) * rate / (1 - rate)
        total += term
        if term < total * 1e-12:
            break
    return min(total, 1.0)
