"""A version's evidence, drawn as tables."""

from collections.abc import Iterator, Sequence

import click

from freehold.app.model.inspection import Inspected
from freehold.cli import drawing
from freehold.domain.evidence import Evidence, Grouping
from freehold.domain.statistics.estimate import REASONS, Estimate

MEASURES = {
    "auc": "AUC",
    "log_loss": "log loss",
    "calibration_error": "calibration error",
    "accuracy": "accuracy",
    "baseline_accuracy": "accuracy of the more frequent class alone",
    "net_accuracy": "gained over that class",
}
FEATURES = 10
"""Strongest features that people see; `--json` has all."""


def show(title: str, found: Inspected) -> None:
    evidence = found.evidence
    overall = evidence.overall
    click.echo(title)
    click.echo(f"{overall.rows:,} evaluation rows, {overall.positives:,} of them positive")
    click.echo("")
    rows = [(told, getattr(overall, name)) for name, told in MEASURES.items()]
    _figures("measure", [*rows, *_further(found)], overall.auc.level)
    for name, grouping in sorted(evidence.groups.items()):
        click.echo("")
        _group(name, grouping)
    if evidence.features:
        click.echo("")
        _features(evidence)


def _further(found: Inspected) -> Iterator[tuple[str, Estimate]]:
    evidence = found.evidence
    yield "calibration slope, 1 is perfect", evidence.calibration.slope
    yield "calibration intercept, 0 is perfect", evidence.calibration.intercept
    if evidence.champion is not None:
        champion = f"{found.version.model}@{found.version.champion}"
        yield f"AUC of {champion} on the same rows", evidence.champion.reference
        yield f"AUC gained over {champion}", evidence.champion.difference


def _figures(title: str, rows: Sequence[tuple[str, Estimate]], level: float) -> None:
    drawing.table(
        "",
        [title, "value>", f"{level:.0%}".replace("%", " %")],
        [[told, _value(one), _interval(one)] for told, one in rows],
    )


def _group(name: str, grouping: Grouping) -> None:
    drawing.table(
        "",
        [name, "rows>", "AUC>", "interval", "gained>", "calibration error>"],
        [
            [
                _named(one.group),
                f"{one.measures.rows:,}",
                _value(one.measures.auc),
                _interval(one.measures.auc),
                _value(one.measures.net_accuracy),
                _value(one.measures.calibration_error),
            ]
            for one in grouping.measured
        ],
    )
    gap = grouping.gap
    if gap is not None:
        click.echo(
            f"largest gap in AUC by {name}: {_value(gap.difference)}"
            f" ({_interval(gap.difference)}), {_named(gap.best)} over {_named(gap.worst)}"
        )
    if grouping.too_small:
        few = ", ".join(f"{_named(one.group)} ({one.rows:,})" for one in grouping.too_small)
        click.echo(f"too few rows to judge: {few}")


def _features(evidence: Evidence) -> None:
    drawing.table(
        "",
        ["strongest features", "mean |SHAP|>", "share>"],
        [
            [one.name, f"{one.mean:.3f}", f"{100 * one.share:.1f} %"]
            for one in evidence.features[:FEATURES]
        ],
    )


def _named(group: str | None) -> str:
    return "(none)" if group is None else group


def _value(one: Estimate) -> str:
    if one.value is None:
        return f"not known: {REASONS.get(one.reason, one.reason)}"
    return f"{one.value:.3f}"


def _interval(one: Estimate) -> str:
    return "–" if one.low is None or one.high is None else f"{one.low:.3f} to {one.high:.3f}"
