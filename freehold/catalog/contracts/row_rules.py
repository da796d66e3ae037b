"""Rules on each value of a column, of which a share, `mostly`, must keep them."""

import polars as pl

from freehold.catalog.contracts.bounds import Bounds
from freehold.catalog.contracts.selection import ROWS, RowCheck, Selection
from freehold.catalog.contracts.values import Unfit, as_set, is_text
from freehold.domain.contract import Expectation


def not_null(expectation: Expectation, selection: Selection) -> RowCheck:
    name = expectation.kwargs["column"]
    missing = selection.missing(name)
    unexpected = selection.column(name).is_null()
    return RowCheck(expectation, missing, unexpected, lambda found: found[missing])


def unique(expectation: Expectation, selection: Selection) -> RowCheck:
    """Every occurrence of a value that occurs more than once is unexpected.

    Counting those takes three times as long as counting different values, so it is left for when
    there are any.
    """
    name = expectation.kwargs["column"]
    refuse_nested(selection.schema[name])
    values = selection.column(name)
    missing, distinct = selection.missing(name), selection.distinct(name)
    return RowCheck(
        expectation,
        missing,
        values.is_duplicated() & values.is_not_null(),
        lambda found: found[ROWS] - found[missing] - found[distinct],
        exact=False,
    )


def between(expectation: Expectation, selection: Selection) -> RowCheck:
    name = expectation.kwargs["column"]
    dtype = selection.schema[name]
    bounds = Bounds.of(expectation.kwargs, dtype)
    kept = bounds.expression(selection.column(name), dtype)
    return _row_check(expectation, selection, kept)


def in_set(expectation: Expectation, selection: Selection) -> RowCheck:
    name = expectation.kwargs["column"]
    members = as_set(expectation.kwargs["value_set"], selection.schema[name])
    categorical = isinstance(selection.schema[name], pl.Categorical | pl.Enum)
    values = pl.col(name).cast(pl.String) if categorical else selection.column(name)
    return _row_check(expectation, selection, values.is_in(pl.lit(members).implode()))


def regex(expectation: Expectation, selection: Selection) -> RowCheck:
    """The pattern may stand anywhere in the text; `^` and `$` anchor it. Integers are read as
    decimal digits."""
    name = expectation.kwargs["column"]
    dtype = selection.schema[name]
    if not (is_text(dtype) or dtype.is_integer()):
        raise Unfit(f"a column of {dtype} is not text")
    text = pl.col(name) if isinstance(dtype, pl.String) else pl.col(name).cast(pl.String)
    return _row_check(expectation, selection, text.str.contains(expectation.kwargs["regex"]))


def refuse_nested(dtype: pl.DataType) -> None:
    """Raises Unfit for lists, structs and Python objects, which have no equality to count by."""
    if dtype.is_nested() or isinstance(dtype, pl.Object):
        raise Unfit(f"values of a column of {dtype} cannot be counted")


def _row_check(expectation: Expectation, selection: Selection, kept: pl.Expr) -> RowCheck:
    """`kept` is true where a value keeps the rule, null where there is none."""
    name = expectation.kwargs["column"]
    unexpected = ~kept
    count = selection.want(unexpected.sum(), "unexpected", str(expectation))
    return RowCheck(expectation, selection.missing(name), unexpected, lambda found: found[count])
