"""Rules on a table or on a column as a whole."""

from collections.abc import Callable
from datetime import date, datetime, time
from typing import Any

import numpy as np
import polars as pl

from freehold.catalog.contracts.bounds import Bounds
from freehold.catalog.contracts.column_types import covers
from freehold.catalog.contracts.row_rules import refuse_nested
from freehold.catalog.contracts.selection import ROWS, Aggregates, ColumnCheck, Selection
from freehold.catalog.contracts.values import Unfit, json_value
from freehold.domain.contract import Expectation, ExpectationResult

_TOLERANCE = 1e-4
"""Relative; how near its range a quantile may lie in Great Expectations."""


def existence(expectation: Expectation, selection: Selection) -> ColumnCheck:
    """The column is there and, if an index is given, there; a negative one counts from the end."""
    name, wanted = expectation.kwargs["column"], expectation.kwargs.get("column_index")
    names = selection.schema.names()
    position = names.index(name) if name in names else None
    places = (None, position, position - len(names)) if position is not None else ()
    result = ExpectationResult(expectation, success=wanted in places, observed=position)
    return ColumnCheck(lambda _: result)


def column_type(expectation: Expectation, selection: Selection) -> ColumnCheck:
    kwargs = expectation.kwargs
    dtype = selection.schema[kwargs["column"]]
    names = kwargs["type_list"] if "type_list" in kwargs else [kwargs["type_"]]
    success = any(covers(name, dtype) for name in names)
    observed = str(dtype)
    return ColumnCheck(
        lambda found: ExpectationResult(expectation, success, observed, checked=found[ROWS])
    )


def row_count(expectation: Expectation, _: Selection) -> ColumnCheck:
    bounds = Bounds.of(expectation.kwargs)

    def judge(found: Aggregates) -> ExpectationResult:
        rows = found[ROWS]
        return ExpectationResult(expectation, bounds.hold(rows), observed=rows, checked=rows)

    return ColumnCheck(judge)


def unique_proportion(expectation: Expectation, selection: Selection) -> ColumnCheck:
    """Different values by rows with a value; 0 when there is none."""
    name = expectation.kwargs["column"]
    refuse_nested(selection.schema[name])
    missing, distinct = selection.missing(name), selection.distinct(name)

    def figure(found: Aggregates) -> float:
        valued = found[ROWS] - found[missing]
        return found[distinct] / valued if valued else 0.0

    return _within(expectation, selection, Bounds.of(expectation.kwargs), figure)


def mean(expectation: Expectation, selection: Selection) -> ColumnCheck:
    name = expectation.kwargs["column"]
    dtype = selection.schema[name]
    if not (dtype.is_numeric() or isinstance(dtype, pl.Boolean)):
        raise Unfit(f"a column of {dtype} has no mean")
    alias = selection.want(selection.column(name).mean(), "mean", name)
    bounds = Bounds.of(expectation.kwargs)
    return _within(expectation, selection, bounds, lambda found: found[alias])


def maximum(expectation: Expectation, selection: Selection) -> ColumnCheck:
    name = expectation.kwargs["column"]
    dtype = selection.schema[name]
    bounds = Bounds.of(expectation.kwargs, dtype)
    alias = selection.want(selection.column(name).max(), "max", name)
    return _within(expectation, selection, bounds, lambda found: found[alias])


def quantiles(expectation: Expectation, selection: Selection) -> ColumnCheck:
    name, ranges = expectation.kwargs["column"], expectation.kwargs["quantile_ranges"]
    dtype = selection.schema[name]
    if not dtype.is_numeric():
        raise Unfit(f"a column of {dtype} has no quantiles")
    missing = selection.missing(name)
    method = expectation.kwargs.get("allow_relative_error") or "nearest"
    figures = [_quantile(selection, name, share, method) for share in ranges["quantiles"]]

    def judge(found: Aggregates) -> ExpectationResult:
        values = [figure(found) for figure in figures]
        within = map(_in_range, values, ranges["value_ranges"])
        return ExpectationResult(
            expectation,
            success=all(within),
            observed={"quantiles": ranges["quantiles"], "values": [json_value(v) for v in values]},
            checked=found[ROWS] - found[missing],
            missing=found[missing],
        )

    return ColumnCheck(judge)


def _quantile(
    selection: Selection, name: str, share: float, method: Any
) -> Callable[[Aggregates], float | None]:
    """Polars takes the upper of two equally near values, NumPy the one at the even position."""
    column = selection.column(name)
    value = selection.want(column.quantile(share, method), "quantile", name, share, method)
    if method != "nearest":
        return lambda found: found[value]
    lower = selection.want(column.quantile(share, "lower"), "quantile", name, share, "lower")
    missing = selection.missing(name)

    def figure(found: Aggregates) -> float | None:
        position = (found[ROWS] - found[missing] - 1) * share
        tie_towards_lower = position % 2 == 0.5
        chosen: float | None = found[lower if tie_towards_lower else value]
        return chosen

    return figure


def _in_range(value: float | None, ends: tuple[float | None, float | None]) -> bool:
    if value is None:
        return False
    low, high = ends
    if (low is None or value >= low) and (high is None or value <= high):
        return True
    return any(end is not None and np.isclose(value, end, rtol=_TOLERANCE) for end in ends)


def _within(
    expectation: Expectation,
    selection: Selection,
    bounds: Bounds,
    figure: Callable[[Aggregates], Any],
) -> ColumnCheck:
    """One figure of a column within bounds; a column without values has none, and fails."""
    missing = selection.missing(expectation.kwargs["column"])

    def judge(found: Aggregates) -> ExpectationResult:
        value = figure(found)
        return ExpectationResult(
            expectation,
            success=value is not None and bounds.hold(_moment(value)),
            observed=json_value(value),
            checked=found[ROWS] - found[missing],
            missing=found[missing],
        )

    return ColumnCheck(judge)


def _moment(value: Any) -> Any:
    """A date as its midnight, so that it compares with bounds that have a time."""
    is_date = isinstance(value, date) and not isinstance(value, datetime)
    return datetime.combine(value, time()) if is_date else value
