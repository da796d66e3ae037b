"""The baseline that later traffic is held against."""

from collections.abc import Collection

import numpy as np
import numpy.typing as npt
import polars as pl

from freehold.domain.errors import Fault, Refused
from freehold.domain.profile import CategoryProfile, ColumnProfile, NumberProfile, Profile
from freehold.domain.statistics.distance import sketch
from freehold.domain.statistics.rows import Floats

BINS = 10
QUANTILES = 1000
CATEGORIES = 1000
"""Values of a category that are told apart; rarer ones are counted together."""


def profile(
    table: pl.DataFrame,
    *,
    scores: npt.ArrayLike | None = None,
    categories: Collection[str] = (),
) -> Profile:
    """Of every column: numbers and booleans by quantiles; text and those in `categories` by value.

    `scores` [any number of rows]: the model's, on the rows of the table or more.
    Raises Refused `profile.column-type`, with a fault for each column that is neither.
    """
    faults = [
        Fault("profile.column-type", f"{kind} is neither a number nor a category", name)
        for name, kind in table.schema.items()
        if name not in categories and not (is_number(kind) or is_category(kind))
    ]
    if faults:
        raise Refused(
            "these columns cannot be profiled",
            faults=faults,
            hint="leave them out, or derive numbers or text from them",
            code="profile.column-type",
        )
    columns: dict[str, ColumnProfile] = {}
    for name, kind in table.schema.items():
        series = table.get_column(name)
        if name in categories or not is_number(kind):
            columns[name] = category_profile(series)
        else:
            columns[name] = number_profile(numbers(series))
    score = None if scores is None else number_profile(np.asarray(scores, dtype=np.float64))
    return Profile(table.height, columns, score)


def is_number(kind: pl.DataType) -> bool:
    """A boolean is 0 or 1, as in a model's matrix; nothing but nulls counts as numbers."""
    return kind.is_numeric() or kind in (pl.Boolean, pl.Null)


def is_category(kind: pl.DataType) -> bool:
    return kind in (pl.String, pl.Categorical, pl.Enum)


def numbers(series: pl.Series) -> Floats:
    """[n], null as NaN."""
    return np.asarray(series.cast(pl.Float64).to_numpy(), dtype=np.float64)


def ascending(values: Floats) -> Floats:
    """The finite values, sorted, to float32's precision: what a model sees.

    A log that kept float32 would otherwise part values that were equal in training.
    """
    with np.errstate(over="ignore"):
        seen = values.astype(np.float32)
    return np.sort(seen[np.isfinite(seen)]).astype(np.float64)


def number_profile(values: Floats) -> NumberProfile:
    ordered = ascending(values)
    if len(ordered):
        ranks = np.linspace(0, len(ordered) - 1, BINS + 1).round().astype(np.int64)
        edges = np.unique(ordered[ranks])
    else:
        edges = ordered
    known = sketch(ordered, QUANTILES)
    at = known.upto - known.below
    before = np.append(0, known.upto[:-1]) if len(at) else known.upto
    return NumberProfile(
        rows=len(values),
        nulls=len(values) - len(ordered),
        edges=tuple(edges.tolist()),
        counts=tuple(binned(ordered, edges).tolist()),
        points=tuple(known.points.tolist()),
        between=tuple((known.below - before).tolist()),
        at=tuple(at.tolist()),
    )


def binned(ordered: Floats, edges: Floats) -> npt.NDArray[np.int64]:
    """Counts in the bins that NumberProfile.counts describes."""
    if len(edges) == 0:
        return np.array([len(ordered)], dtype=np.int64)
    first = np.searchsorted(ordered, edges[:1], side="left")
    rest = np.searchsorted(ordered, edges, side="right")
    return np.diff(np.concatenate([[0], first, rest, [len(ordered)]])).astype(np.int64)


def category_profile(series: pl.Series) -> CategoryProfile:
    counts, nulls = category_counts(series)
    usual = sorted(counts, key=lambda value: (-counts[value], value))[:CATEGORIES]
    listed = {value: counts[value] for value in usual}
    return CategoryProfile(len(series), nulls, listed, sum(counts.values()) - sum(listed.values()))


def category_counts(series: pl.Series) -> tuple[dict[str, int], int]:
    """Rows of each value as text, and rows without one."""
    grouped = pl.DataFrame({"value": series.cast(pl.String)}).group_by("value").len()
    counts = dict(zip(grouped["value"].to_list(), grouped["len"].to_list(), strict=True))
    nulls = counts.pop(None, 0)
    return counts, nulls
