"""What was measured about a model version before anyone relied on it.

Plain JSON numbers throughout, so that a policy in Rego can ask

    input.evidence.overall.auc.value
    some group in input.evidence.groups.carrier.measured; group.measures.auc.value < 0.6
    input.evidence.groups.origin.gap.difference.value
    input.evidence.champion.difference.low

A figure that cannot be had has `"value": null` and a reason; null sorts below every number in
Rego.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from freehold.domain.statistics.estimate import Estimate
from freehold.domain.statistics.figures import Calibration, Comparison, Measures

SHAPE = 1


@dataclass(frozen=True)
class GroupMeasures:
    group: str | None
    """The column's value as text; None for rows that have none."""
    measures: Measures

    def as_json(self) -> dict[str, Any]:
        return {"group": self.group, "measures": self.measures.as_json()}


@dataclass(frozen=True)
class SmallGroup:
    """A group with too few rows, positives or negatives to be judged."""

    group: str | None
    rows: int

    def as_json(self) -> dict[str, Any]:
        return {"group": self.group, "rows": self.rows}


@dataclass(frozen=True)
class Gap:
    """Between the groups with the highest and the lowest AUC."""

    best: str | None
    worst: str | None
    difference: Estimate
    """At least 0; its interval holds for all pairs of groups at once (Bonferroni), since the
    extremes were picked after looking."""

    def as_json(self) -> dict[str, Any]:
        return {
            "best": self.best,
            "difference": self.difference.as_json(),
            "worst": self.worst,
        }


@dataclass(frozen=True)
class Grouping:
    """Measures by the values of one column."""

    measured: tuple[GroupMeasures, ...]
    too_small: tuple[SmallGroup, ...]
    gap: Gap | None
    """None when fewer than two groups are large enough."""

    def as_json(self) -> dict[str, Any]:
        return {
            "gap": self.gap.as_json() if self.gap else None,
            "measured": [one.as_json() for one in self.measured],
            "too_small": [one.as_json() for one in self.too_small],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Grouping":
        gap = value["gap"]
        return cls(
            measured=tuple(
                GroupMeasures(one["group"], Measures.from_json(one["measures"]))
                for one in value["measured"]
            ),
            too_small=tuple(SmallGroup(one["group"], one["rows"]) for one in value["too_small"]),
            gap=gap and Gap(gap["best"], gap["worst"], Estimate.from_json(gap["difference"])),
        )


@dataclass(frozen=True)
class FeatureWeight:
    name: str
    mean: float
    """Mean absolute SHAP value, in the unit of the model's raw output."""
    share: float
    """Of the sum over all features."""

    def as_json(self) -> dict[str, Any]:
        return {"mean": self.mean, "name": self.name, "share": self.share}


@dataclass(frozen=True)
class Evidence:
    threshold: float
    """A score from here on counts as positive."""
    overall: Measures
    calibration: Calibration
    groups: Mapping[str, Grouping]
    """By column."""
    features: tuple[FeatureWeight, ...]
    """The strongest first; empty when no contributions were given."""
    champion: Comparison | None
    """None when there was no champion to compare with."""

    def as_json(self) -> dict[str, Any]:
        return {
            "calibration": self.calibration.as_json(),
            "champion": self.champion.as_json() if self.champion else None,
            "features": [one.as_json() for one in self.features],
            "groups": {name: one.as_json() for name, one in sorted(self.groups.items())},
            "overall": self.overall.as_json(),
            "shape": SHAPE,
            "threshold": self.threshold,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Evidence":
        """Raises ValueError if it is not evidence of a shape that is known."""
        if value.get("shape") != SHAPE:
            raise ValueError(f"evidence of shape {value.get('shape')!r} is not known")
        try:
            return cls(
                threshold=value["threshold"],
                overall=Measures.from_json(value["overall"]),
                calibration=Calibration.from_json(value["calibration"]),
                groups={name: Grouping.from_json(one) for name, one in value["groups"].items()},
                features=tuple(
                    FeatureWeight(one["name"], one["mean"], one["share"])
                    for one in value["features"]
                ),
                champion=value["champion"] and Comparison.from_json(value["champion"]),
            )
        except (KeyError, TypeError) as exc:
            raise ValueError(f"not evidence: {exc}") from exc
