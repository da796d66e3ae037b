"""What was measured each day, whether or not it crossed a line.

Fact
  monitoring.assessed {model, version, window_start, window_end, rows, labelled, score_psi,
                       score_ks, score_js, auc, accuracy, baseline_accuracy, net_accuracy,
                       features: {name: psi}, not_watched: {name: reason}, report}
Figures that cannot be had are null. `not_watched` says why a feature's is: `personal` where the log
has tokens of it; earlier releases did not say it. `report` is the digest of the whole report, a
JSON artifact.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from freehold.domain.fact import Draft, Fact, site_of
from freehold.domain.projection import Change, Projection, State
from freehold.domain.statistics.estimate import Estimate
from freehold.monitoring.signals import Observation

TABLE = "assessments"
QUALITY = ("auc", "accuracy", "baseline_accuracy", "net_accuracy")


def assessed(seen: Observation, report: str) -> Draft:
    """`report`: digest of the artifact with every figure and interval."""
    score = seen.drift.score if seen.drift else None
    columns = seen.drift.columns if seen.drift else ()
    figures: dict[str, Any] = dict.fromkeys(QUALITY)
    if seen.quality is not None:
        figures = {name: _value(getattr(seen.quality, name)) for name in QUALITY}
    return Draft(
        "monitoring.assessed",
        {
            "model": seen.model,
            "version": seen.version,
            "window_start": seen.window.start,
            "window_end": seen.window.end,
            "rows": seen.drift.rows if seen.drift else 0,
            "labelled": seen.quality.rows if seen.quality else 0,
            "score_psi": _value(score.shift.psi) if score else None,
            "score_ks": _value(score.kolmogorov_smirnov) if score else None,
            "score_js": score.shift.distance if score else None,
            "features": {column.name: _value(column.shift.psi) for column in columns},
            "not_watched": {
                column.name: column.shift.psi.reason
                for column in columns
                if column.shift.psi.value is None
            },
            "report": report,
            **figures,
        },
    )


def assessments(state: State, site: str, model: str) -> Iterator[dict[str, Any]]:
    """Bodies of the facts of a site, with the fact's name, by the window's end."""
    for _, row in state.scan(TABLE, f"{site}/{model}/"):
        yield row


def is_assessed(state: State, site: str, model: str, version: int, day: str) -> bool:
    """Whether the window that ends on this ISO date was measured for the version."""
    row = state.get(TABLE, f"{site}/{model}/{day}")
    return row is not None and row["version"] == version


def _value(estimate: Estimate) -> float | None:
    return estimate.value


def _fold(fact: Fact, _: State) -> Iterable[Change]:
    key = f"{site_of(fact.writer)}/{fact.body['model']}/{fact.body['window_end']}"
    return [Change(TABLE, key, {**fact.body, "fact": fact.name})]


projection = Projection(
    name="assessments", version=2, types=frozenset({"monitoring.assessed"}), fold=_fold
)
