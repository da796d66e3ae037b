"""What is measured of scores against labels, as plain nouns."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from freehold.domain.statistics.estimate import Estimate


@dataclass(frozen=True)
class Measures:
    """Of one set of rows. `as_json` gives an Estimate object for each name but the counts."""

    rows: int
    positives: int
    auc: Estimate
    log_loss: Estimate
    """Natural logarithm, mean per row."""
    accuracy: Estimate
    baseline_accuracy: Estimate
    """Of always answering the more frequent class of these same rows."""
    net_accuracy: Estimate
    """`accuracy - baseline_accuracy`, with the interval of the paired difference."""
    calibration_error: Estimate

    ESTIMATES = (
        "auc",
        "log_loss",
        "accuracy",
        "baseline_accuracy",
        "net_accuracy",
        "calibration_error",
    )

    def as_json(self) -> dict[str, Any]:
        figures = {name: getattr(self, name).as_json() for name in self.ESTIMATES}
        return {"positives": self.positives, "rows": self.rows, **figures}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Measures":
        figures = {name: Estimate.from_json(value[name]) for name in cls.ESTIMATES}
        return cls(rows=value["rows"], positives=value["positives"], **figures)


@dataclass(frozen=True)
class ReliabilityBin:
    """Rows of neighbouring scores: what was predicted and what came."""

    low: float
    high: float
    """Smallest and largest score in it."""
    predicted: float
    """Mean score."""
    observed: Estimate
    """Share of positives."""

    def as_json(self) -> dict[str, Any]:
        return {
            "high": self.high,
            "low": self.low,
            "observed": self.observed.as_json(),
            "predicted": self.predicted,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "ReliabilityBin":
        observed = Estimate.from_json(value["observed"])
        return cls(value["low"], value["high"], value["predicted"], observed)


@dataclass(frozen=True)
class Calibration:
    error: Estimate
    """Expected calibration error over equal-frequency bins: row-weighted mean of
    `|predicted - observed|`."""
    chance: float | None
    """What `error` would be on average for a perfectly calibrated model on as many rows."""
    intercept: Estimate
    slope: Estimate
    """Of the logistic regression of labels on the scores' log-odds; 0 and 1 when perfect."""
    bins: tuple[ReliabilityBin, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "bins": [one.as_json() for one in self.bins],
            "chance": self.chance,
            "error": self.error.as_json(),
            "intercept": self.intercept.as_json(),
            "slope": self.slope.as_json(),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Calibration":
        return cls(
            error=Estimate.from_json(value["error"]),
            chance=value["chance"],
            intercept=Estimate.from_json(value["intercept"]),
            slope=Estimate.from_json(value["slope"]),
            bins=tuple(ReliabilityBin.from_json(one) for one in value["bins"]),
        )


@dataclass(frozen=True)
class Comparison:
    """Two models' AUC on the same rows."""

    reference: Estimate
    """The other model's AUC."""
    difference: Estimate
    """This model's AUC less the other's, with the paired interval."""
    p: float | None
    """Two-sided, of no difference."""

    def as_json(self) -> dict[str, Any]:
        return {
            "difference": self.difference.as_json(),
            "p": self.p,
            "reference": self.reference.as_json(),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Comparison":
        return cls(
            reference=Estimate.from_json(value["reference"]),
            difference=Estimate.from_json(value["difference"]),
            p=value["p"],
        )
