"""Each guardrail's figure, so that greater is worse, beside its limit."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeGuard

from freehold.delivery.observation import Observation
from freehold.domain.project import ReleaseSpec
from freehold.domain.statistics.estimate import Estimate


@dataclass(frozen=True)
class Figure:
    guardrail: str
    """`error-rate`, `score-shift`, `quality-drop`, `latency-ratio`, or `metric:NAME`."""
    estimate: Estimate
    limit: float
    quantile: float | None = None
    """Of the latencies."""

    @property
    def crossed(self) -> bool:
        """Whether all that may be true lies beyond the limit. What is not known crosses nothing."""
        return self.estimate.low is not None and self.estimate.low > self.limit

    def as_json(self) -> dict[str, Any]:
        return {
            "count": self.estimate.count,
            "guardrail": self.guardrail,
            "high": self.estimate.high,
            "level": self.estimate.level,
            "limit": self.limit,
            "low": self.estimate.low,
            "quantile": self.quantile,
            "value": self.estimate.value,
        }


def figures(settings: ReleaseSpec, seen: Observation) -> Iterator[Figure]:
    """Of all that is known, in the order in which a rollback names them."""
    limits = settings.guardrails
    if _known(seen.error_rate):
        yield Figure("error-rate", seen.error_rate, limits.error_rate)
    if _known(seen.score_shift):
        yield Figure("score-shift", seen.score_shift, limits.score_shift)
    if _known(seen.quality_difference):
        yield Figure("quality-drop", _lost(seen.quality_difference), limits.quality_drop)
    for quantile, ratio in seen.latency_ratio.items():
        if _known(ratio):
            yield Figure("latency-ratio", ratio, limits.latency_ratio, quantile)
    for name, metric in settings.metrics.items():
        found = seen.metrics.get(name)
        if _known(found):
            worse = _lost(found) if metric.better == "higher" else found
            yield Figure(f"metric:{name}", worse, metric.drop)


def _known(estimate: Estimate | None) -> TypeGuard[Estimate]:
    return estimate is not None and estimate.known


def _lost(gained: Estimate) -> Estimate:
    low = None if gained.high is None else -gained.high
    high = None if gained.low is None else -gained.low
    assert gained.value is not None
    return replace(gained, value=-gained.value, low=low, high=high)
