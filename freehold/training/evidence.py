"""Evidence from a model's scores on rows that it was not trained on."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt
import polars as pl

from freehold.domain.errors import Fault, Refused
from freehold.domain.evidence import (
    Evidence,
    FeatureWeight,
    Gap,
    Grouping,
    GroupMeasures,
    SmallGroup,
)
from freehold.domain.statistics.calibration import calibration
from freehold.domain.statistics.estimate import LEVEL, Estimate, difference
from freehold.domain.statistics.ranking import auc, compare
from freehold.domain.statistics.rows import Floats, Scored, scored
from freehold.domain.statistics.summary import measure

STRONGEST = 10
MINIMUM_CLASS = 30
"""Positives, and negatives, that a group needs for its AUC to be worth a comparison."""


def evaluate(
    scores: npt.ArrayLike,
    labels: npt.ArrayLike,
    groups: pl.DataFrame,
    *,
    threshold: float = 0.5,
    contributions: npt.NDArray[np.floating] | None = None,
    columns: Sequence[str] = (),
    reference_scores: npt.ArrayLike | None = None,
    minimum_rows: int = 200,
) -> Evidence:
    """Measures overall and by each column of `groups`, with 95 % intervals.

    Probabilities `scores` [n], `labels` [n] of 0 and 1, `groups` [n rows]; SHAP `contributions`
    [n, k] for the k `columns` (no column for the expected value); the champion's
    `reference_scores` [n] on the same rows. A group with fewer than `minimum_rows` rows or
    MINIMUM_CLASS rows of a class is listed as too small.

    Raises Refused `evidence.shape` when these do not belong to the same rows or columns.
    """
    reference = None if reference_scores is None else np.asarray(reference_scores, np.float64)
    _agree(np.shape(scores), np.shape(labels), groups, reference)
    rows = scored(scores, labels)
    return Evidence(
        threshold=threshold,
        overall=measure(rows, threshold),
        calibration=calibration(rows),
        groups={
            name: _grouping(rows, groups.get_column(name), threshold, minimum_rows)
            for name in groups.columns
        },
        features=() if contributions is None else strongest(contributions, columns),
        champion=None if reference is None else compare(rows, reference),
    )


def strongest(
    contributions: npt.NDArray[np.floating], columns: Sequence[str]
) -> tuple[FeatureWeight, ...]:
    """The STRONGEST features by mean absolute SHAP value of contributions [n, k]."""
    if contributions.ndim != 2 or contributions.shape[1] != len(columns):
        raise Refused(
            f"contributions {contributions.shape} are not for {len(columns)} columns",
            hint="leave out the column of the expected value",
            code="evidence.shape",
        )
    if len(contributions) == 0:
        return ()
    if not np.isfinite(contributions).all():
        raise Refused("contributions hold NaN or infinity", code="evidence.not-finite")
    means = np.abs(contributions).mean(axis=0, dtype=np.float64)
    total = float(means.sum())
    order = np.argsort(-means, kind="stable")[:STRONGEST]
    return tuple(
        FeatureWeight(columns[i], float(means[i]), float(means[i]) / total if total else 0.0)
        for i in order
    )


def _agree(
    scores: tuple[int, ...],
    labels: tuple[int, ...],
    groups: pl.DataFrame,
    reference: Floats | None,
) -> None:
    if len(scores) != 1:
        raise Refused(f"scores have shape {scores}, not one number a row", code="evidence.shape")
    shapes = {"labels": labels}
    if groups.width:
        shapes["groups"] = (groups.height,)
    if reference is not None:
        shapes["reference scores"] = reference.shape
    faults = [
        Fault("evidence.shape", f"{shape}, where scores have {scores}", name)
        for name, shape in shapes.items()
        if shape != scores
    ]
    if faults:
        raise Refused("these are not the same rows", faults=faults, code="evidence.shape")


def _grouping(rows: Scored, column: pl.Series, threshold: float, minimum_rows: int) -> Grouping:
    measured: list[GroupMeasures] = []
    small: list[SmallGroup] = []
    parts: list[tuple[str | None, Scored]] = []
    for group, positions in _positions(column):
        part = rows.take(positions)
        fewer = min(part.positives, part.rows - part.positives)
        if part.rows < minimum_rows or fewer < MINIMUM_CLASS:
            small.append(SmallGroup(group, part.rows))
        else:
            measured.append(GroupMeasures(group, measure(part, threshold)))
            parts.append((group, part))
    return Grouping(tuple(measured), tuple(small), None if rows.reason else _gap(parts))


def _positions(column: pl.Series) -> list[tuple[str | None, npt.NDArray[np.uint32]]]:
    """Rows of each value, sorted by the value's text, rows without a value last."""
    indexed = (
        pl.DataFrame({"group": column.cast(pl.String)})
        .with_row_index("row")
        .group_by("group")
        .agg("row")
        .sort("group", nulls_last=True)
    )
    return [(group, np.asarray(rows.to_numpy())) for group, rows in _pairs(indexed)]


def _pairs(indexed: pl.DataFrame) -> list[tuple[str | None, pl.Series]]:
    return list(zip(indexed["group"].to_list(), indexed["row"], strict=True))


def _gap(parts: Sequence[tuple[str | None, Scored]]) -> Gap | None:
    if len(parts) < 2:
        return None
    pairs = len(list(combinations(parts, 2)))
    level = 1 - (1 - LEVEL) / pairs
    areas = [(auc(part, level), group) for group, part in parts]
    best, best_group = max(areas, key=lambda one: one[0].value or 0.0)
    worst, worst_group = min(areas, key=lambda one: one[0].value or 0.0)
    found = difference(best, worst)
    return Gap(best_group, worst_group, _simultaneous(found))


def _simultaneous(found: Estimate) -> Estimate:
    """A pair's interval at Bonferroni's level is the largest gap's at LEVEL."""
    low = None if found.low is None else max(0.0, found.low)
    return Estimate(found.value, low, found.high, LEVEL, found.count, found.reason)
