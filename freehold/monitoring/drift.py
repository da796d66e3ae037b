"""Recent rows held against the baseline profile."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from freehold.domain.profile import CategoryProfile, ColumnProfile, NumberProfile, Profile
from freehold.domain.statistics.distance import Shift, Sketch, kolmogorov_smirnov, shift
from freehold.domain.statistics.estimate import LEVEL, Estimate
from freehold.domain.statistics.rows import Floats
from freehold.monitoring.profile import ascending, binned, category_counts, is_number, numbers

MINIMUM_ROWS = 500
PERSONAL = "personal"
"""Why a column is not watched of which the log has tokens: the baseline has values."""
SCORE = "score"


@dataclass(frozen=True)
class ColumnDrift:
    """One column of a window. What cannot be said carries its reason in the estimate."""

    name: str
    kind: str
    """`number` or `category`."""
    rows: int
    null_share: float | None
    baseline_null_share: float | None
    shift: Shift
    kolmogorov_smirnov: Estimate
    """Of values that are not null; unknown for a category."""
    p: float | None

    def as_json(self) -> dict[str, Any]:
        return {
            "baseline_null_share": self.baseline_null_share,
            "jensen_shannon_chance": self.shift.distance_chance,
            "jensen_shannon_distance": self.shift.distance,
            "kind": self.kind,
            "kolmogorov_smirnov": self.kolmogorov_smirnov.as_json(),
            "kolmogorov_smirnov_p": self.p,
            "name": self.name,
            "null_share": self.null_share,
            "psi": self.shift.psi.as_json(),
            "psi_chance": self.shift.psi_chance,
            "rows": self.rows,
        }


@dataclass(frozen=True)
class DriftReport:
    rows: int
    score: ColumnDrift | None
    """None if the profile or the window has no scores."""
    columns: tuple[ColumnDrift, ...]
    """In the order of the profile."""

    def as_json(self) -> dict[str, Any]:
        return {
            "columns": [one.as_json() for one in self.columns],
            "rows": self.rows,
            "score": self.score.as_json() if self.score else None,
        }


def drift(
    baseline: Profile,
    table: pl.DataFrame,
    *,
    scores: npt.ArrayLike | None = None,
    personal: Collection[str] = (),
    minimum_rows: int = MINIMUM_ROWS,
    level: float = LEVEL,
) -> DriftReport:
    """Of every column of the baseline, and of `scores` [n], in the window's rows.

    A missing column, one of another type and one with fewer than `minimum_rows` rows are reported
    with that reason, and so are `personal` ones, of which some row has no value but a token: the
    other rows alone would be another selection. Columns that the baseline does not know are not
    looked at.
    """
    columns = tuple(
        _unknown(name, known, 0, PERSONAL, level)
        if name in personal
        else _column(name, known, table, minimum_rows, level)
        for name, known in baseline.columns.items()
    )
    score = None
    if scores is not None and baseline.score is not None:
        values = np.asarray(scores, dtype=np.float64)
        score = _number(SCORE, baseline.score, values, minimum_rows, level)
    return DriftReport(table.height, score, columns)


def _column(
    name: str, known: ColumnProfile, table: pl.DataFrame, minimum_rows: int, level: float
) -> ColumnDrift:
    if name not in table.columns:
        return _unknown(name, known, 0, "missing-column", level)
    series = table.get_column(name)
    if isinstance(known, CategoryProfile):
        return _category(name, known, series, minimum_rows, level)
    if not is_number(series.dtype):
        return _unknown(name, known, len(series), "type-changed", level)
    return _number(name, known, numbers(series), minimum_rows, level)


def _number(
    name: str, known: NumberProfile, values: Floats, minimum_rows: int, level: float
) -> ColumnDrift:
    if len(values) < max(1, minimum_rows):
        return _unknown(name, known, len(values), "too-few-rows", level)
    ordered = ascending(values)
    nulls = len(values) - len(ordered)
    current = binned(ordered, np.array(known.edges))
    furthest, p = kolmogorov_smirnov(_sketch(known), ordered, level)
    return ColumnDrift(
        name=name,
        kind="number",
        rows=len(values),
        null_share=nulls / len(values),
        baseline_null_share=_null_share(known),
        shift=shift([*known.counts, known.nulls], [*current, nulls], level),
        kolmogorov_smirnov=furthest,
        p=p,
    )


def _category(
    name: str, known: CategoryProfile, series: pl.Series, minimum_rows: int, level: float
) -> ColumnDrift:
    if len(series) < max(1, minimum_rows):
        return _unknown(name, known, len(series), "too-few-rows", level)
    counts, nulls = category_counts(series)
    current = [counts.pop(value, 0) for value in known.counts]
    return ColumnDrift(
        name=name,
        kind="category",
        rows=len(series),
        null_share=nulls / len(series),
        baseline_null_share=_null_share(known),
        shift=shift(
            [*known.counts.values(), known.other, known.nulls],
            [*current, sum(counts.values()), nulls],
            level,
        ),
        kolmogorov_smirnov=Estimate.unknown("no-order", len(series), level),
        p=None,
    )


def _unknown(name: str, known: ColumnProfile, rows: int, reason: str, level: float) -> ColumnDrift:
    return ColumnDrift(
        name=name,
        kind="category" if isinstance(known, CategoryProfile) else "number",
        rows=rows,
        null_share=None,
        baseline_null_share=_null_share(known),
        shift=Shift.unknown(reason, rows, level),
        kolmogorov_smirnov=Estimate.unknown(reason, rows, level),
        p=None,
    )


def _null_share(known: ColumnProfile) -> float | None:
    return known.nulls / known.rows if known.rows else None


def _sketch(known: NumberProfile) -> Sketch:
    at, between = np.array(known.at, np.int64), np.array(known.between, np.int64)
    upto = np.cumsum(at + between)
    return Sketch(np.array(known.points), upto - at, upto, known.rows - known.nulls)
