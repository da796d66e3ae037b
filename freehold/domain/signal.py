"""A measurement that crossed a line."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

Kind = Literal[
    "score-drift",
    "quality",
    "feature-drift",
    "objective",
    "cost-anomaly",
    "budget-warned",
    "budget-passed",
    "budget-refused",
]
Severity = Literal["action", "warning"]
_ABOUT = {
    "objective": "rows not answered",
    "quality": "net accuracy",
    "score-drift": "the score",
}

SEVERITIES: Mapping[Kind, Severity] = {
    "budget-passed": "warning",
    "budget-refused": "warning",
    "budget-warned": "warning",
    "cost-anomaly": "warning",
    "feature-drift": "warning",
    "objective": "warning",
    "quality": "action",
    "score-drift": "action",
}


OF_MONEY: frozenset[Kind] = frozenset(
    {"budget-passed", "budget-refused", "budget-warned", "cost-anomaly"}
)
"""Of these `value` and `limit` are money; the version is 0, and the model is empty where they are
about more than one; `feature` is the budget's name, or for an odd day the currency."""


def measured(kind: str, feature: str | None) -> str:
    """What a signal of this kind is about, for people."""
    if kind == "cost-anomaly":
        return "a day's cost"
    return feature or _ABOUT.get(kind, kind)


def figure_of(kind: str, value: float) -> str:
    """The figure or the limit of a signal, for people."""
    return f"{value:.3%}" if kind == "objective" else f"{value:.2f}"


@dataclass(frozen=True)
class Window:
    """Days that were looked at, both included, as ISO dates."""

    start: str
    end: str


@dataclass(frozen=True)
class Signal:
    kind: Kind
    model: str
    version: int
    feature: str | None
    """The column, for feature drift."""
    value: float
    """PSI; for quality the fall of net accuracy against the version's evidence; for an objective
    the share of the rows that failed, of whichever version: it is about version 0; money for those
    about costs."""
    limit: float
    """The line that `value` crossed."""
    low: float
    high: float
    """Interval of `value` at `level`, for chance alone: rows of one week are not independent."""
    level: float
    rows: int
    window: Window

    @property
    def severity(self) -> Severity:
        """A warning is shown; only an action leads to a proposal."""
        return SEVERITIES[self.kind]

    @property
    def subject(self) -> tuple[str, int, Kind, str | None]:
        """What it is about, whenever it was measured."""
        return self.model, self.version, self.kind, self.feature

    def as_json(self) -> dict[str, Any]:
        """Body of the fact `signal.raised`, version 1."""
        return {
            "feature": self.feature,
            "high": self.high,
            "kind": self.kind,
            "level": self.level,
            "limit": self.limit,
            "low": self.low,
            "model": self.model,
            "rows": self.rows,
            "severity": self.severity,
            "value": self.value,
            "version": self.version,
            "window_end": self.window.end,
            "window_start": self.window.start,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Signal":
        return cls(
            kind=value["kind"],
            model=value["model"],
            version=value["version"],
            feature=value["feature"],
            value=value["value"],
            limit=value["limit"],
            low=value["low"],
            high=value["high"],
            level=value["level"],
            rows=value["rows"],
            window=Window(value["window_start"], value["window_end"]),
        )


def days_between(start: str, end: str) -> int:
    """From one ISO date to another; negative if the second is earlier."""
    return (date.fromisoformat(end) - date.fromisoformat(start)).days
