"""A figure and how far it can be trusted.

A figure that cannot be had is an Estimate whose `value` is None and whose `reason` is one of
`REASONS`: never NaN, never silence. In Rego null sorts below every number, so a rule with an upper
limit must ask for `value != null` as well.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import erfc, sqrt
from statistics import NormalDist
from typing import Any

LEVEL = 0.95

REASONS = {
    "empty": "there are no rows",
    "missing-column": "the rows lack this column",
    "no-order": "categories have no order",
    "no-variation": "all scores are the same",
    "not-a-probability": "scores lie outside 0 to 1",
    "not-binary": "labels are not 0 and 1",
    "not-finite": "NaN or infinity among the values",
    "one-class": "all labels are the same",
    "personal": "the request log has tokens instead of its values",
    "separable": "the scores separate the labels: no finite fit",
    "too-few-rows": "fewer rows than the declared minimum",
    "type-changed": "the column has another type than in the baseline",
}


@dataclass(frozen=True)
class Estimate:
    value: float | None
    low: float | None
    high: float | None
    level: float = LEVEL
    """Of confidence that the truth lies from `low` to `high`, both included."""
    count: int = 0
    """Rows behind it."""
    reason: str = ""
    """Why there is no value: a key of REASONS; empty if there is one."""

    @classmethod
    def unknown(cls, reason: str, count: int = 0, level: float = LEVEL) -> "Estimate":
        return cls(None, None, None, level, count, reason)

    @property
    def known(self) -> bool:
        return self.value is not None

    def as_json(self) -> dict[str, Any]:
        return {
            "count": self.count,
            "high": self.high,
            "level": self.level,
            "low": self.low,
            "reason": self.reason,
            "value": self.value,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Estimate":
        return cls(
            value=value["value"],
            low=value["low"],
            high=value["high"],
            level=value["level"],
            count=value["count"],
            reason=value["reason"],
        )


def deviations(level: float) -> float:
    """Standard deviations on each side of a normal mean that hold `level` of the mass."""
    if not 0 < level < 1:
        raise ValueError(f"a level lies between 0 and 1, not {level}")
    return NormalDist().inv_cdf((1 + level) / 2)


def two_sided(deviation: float) -> float:
    """Chance that a standard normal is at least this far from 0."""
    return erfc(abs(deviation) / sqrt(2))


def wilson(successes: int, count: int, level: float = LEVEL) -> Estimate:
    """A proportion with its score interval (Wilson, JASA 22, 1927)."""
    if count == 0:
        return Estimate.unknown("empty", level=level)
    z = deviations(level)
    share = successes / count
    spread = z * sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    centre = share + z * z / (2 * count)
    scale = 1 + z * z / count
    low = min(max(0.0, (centre - spread) / scale), share)
    high = max(min(1.0, (centre + spread) / scale), share)
    return Estimate(share, low, high, level, count)


def difference(first: Estimate, second: Estimate) -> Estimate:
    """`first - second` of independent samples, from their intervals alone.

    MOVER (Zou and Donner, Statistics in Medicine 27, 2008): keeps skewed intervals skewed.
    Both must have one level. Unknown if either is; the count is the smaller one.
    """
    if first.level != second.level:
        raise ValueError(f"levels differ: {first.level} and {second.level}")
    count = min(first.count, second.count)
    if first.value is None or first.low is None or first.high is None:
        return Estimate.unknown(first.reason, count, first.level)
    if second.value is None or second.low is None or second.high is None:
        return Estimate.unknown(second.reason, count, first.level)
    value = first.value - second.value
    below = sqrt((first.value - first.low) ** 2 + (second.high - second.value) ** 2)
    above = sqrt((first.high - first.value) ** 2 + (second.value - second.low) ** 2)
    return Estimate(value, value - below, value + above, first.level, count)
