"""What a version was asked and what it answered over many parts of the log, of which no row is
read."""

from collections.abc import Iterable
from typing import Any

from freehold.domain.sketches import Versions, VersionSketch, join
from freehold.domain.statistics.sketches import ERROR, CategorySketch, ColumnSketch, NumberSketch

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
USUAL = 10
"""Values of a category that are told."""


def together(parts: Iterable[Iterable[VersionSketch]], model: str) -> dict[int, VersionSketch]:
    """By version. `parts`: what stands in each part's metadata."""
    known: Versions = {}
    for part in parts:
        join(known, (one for one in part if one.model == model))
    return {version: known[model, version] for _, version in sorted(known)}


def described(one: VersionSketch) -> dict[str, Any]:
    """Figures for people and machines; `error` is the quantiles', as a share of the value."""
    return {
        "error": ERROR,
        "inputs": {name: _column(column) for name, column in sorted(one.inputs.items())},
        "model": one.model,
        "rows": one.rows,
        "score": _column(one.score),
        "version": one.version,
    }


def _column(one: ColumnSketch) -> dict[str, Any]:
    figures: dict[str, Any] = {"missing": one.missing, "rows": one.rows}
    match one:
        case NumberSketch():
            has_any = one.values > 0
            return figures | {
                "deviation": one.deviation,
                "kind": "number",
                "mean": one.mean if has_any else None,
                "quantiles": {str(share): one.quantile(share) for share in QUANTILES},
            }
        case CategorySketch():
            usual = dict(list(one.counts.items())[:USUAL])
            return figures | {"kind": "category", "uncertain": one.uncertain, "values": usual}
    return figures | {"kind": "personal"}
