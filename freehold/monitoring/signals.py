"""Which measurements cross a line. Imports no numpy: commands that only read signals stay quick."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from freehold.domain.project import MonitoringSpec
from freehold.domain.signal import Kind, Signal, Window, days_between
from freehold.domain.statistics.estimate import Estimate, difference
from freehold.domain.statistics.figures import Measures

if TYPE_CHECKING:
    from freehold.monitoring.drift import ColumnDrift, DriftReport


@dataclass(frozen=True)
class Observation:
    """What was measured of one model version in one window."""

    model: str
    version: int
    window: Window
    drift: "DriftReport | None" = None
    quality: Measures | None = None
    """Of the window's labelled predictions."""
    reference: Measures | None = None
    """Of the version's evidence; without it quality gives no signal."""


def assess(seen: Observation, settings: MonitoringSpec) -> list[Signal]:
    """Signals of a window: score first, then quality, then features by their PSI, largest first.

    Drift is a signal when the PSI is over its line (not at it) and more than chance explains.
    Quality is one when net accuracy, that is accuracy less the majority class's on the same rows,
    fell by more than its line since the evaluation and the interval of the fall excludes 0.
    Accuracy alone would follow the season's base rate. Too few rows give no signal.
    """
    signals: list[Signal] = []
    report = seen.drift
    if report is not None and report.score is not None:
        signals += _drift(seen, "score-drift", report.score, settings.score_psi, settings)
    signals += _quality(seen, settings)
    if report is not None:
        features = [
            signal
            for column in report.columns
            for signal in _drift(seen, "feature-drift", column, settings.feature_psi, settings)
        ]
        signals += sorted(features, key=lambda one: -one.value)
    return signals


def fresh(
    signals: Iterable[Signal], raised: Iterable[Signal], settings: MonitoringSpec
) -> list[Signal]:
    """Those whose subject was not `raised` within the cool-down, so that a drift that lasts is
    recorded once in a while and not every day."""
    latest: dict[tuple[object, ...], str] = {}
    for one in raised:
        latest[one.subject] = max(latest.get(one.subject, ""), one.window.end)
    return [
        one
        for one in signals
        if one.subject not in latest
        or days_between(latest[one.subject], one.window.end) >= settings.cool_down_days
    ]


def _drift(
    seen: Observation, kind: Kind, column: "ColumnDrift", limit: float, settings: MonitoringSpec
) -> list[Signal]:
    psi = column.shift.psi
    feature = column.name if kind == "feature-drift" else None
    if column.rows < settings.minimum_rows or psi.low is None or psi.low <= 0:
        return []
    return _crossed(seen, kind, feature, psi, limit)


def _quality(seen: Observation, settings: MonitoringSpec) -> list[Signal]:
    if seen.quality is None or seen.reference is None:
        return []
    if seen.quality.rows < settings.minimum_rows:
        return []
    fall = difference(seen.reference.net_accuracy, seen.quality.net_accuracy)
    if fall.low is None or fall.low <= 0:
        return []
    return _crossed(seen, "quality", None, fall, settings.net_accuracy_drop)


def _crossed(
    seen: Observation, kind: Kind, feature: str | None, found: Estimate, limit: float
) -> list[Signal]:
    if found.value is None or found.low is None or found.high is None or found.value <= limit:
        return []
    return [
        Signal(
            kind=kind,
            model=seen.model,
            version=seen.version,
            feature=feature,
            value=found.value,
            limit=limit,
            low=found.low,
            high=found.high,
            level=found.level,
            rows=found.count,
            window=seen.window,
        )
    ]
