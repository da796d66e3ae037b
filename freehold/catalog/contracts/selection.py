"""What is asked of a table, and what is made of the answers."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from freehold.domain.contract import Expectation, ExpectationResult

Aggregates = Mapping[str, Any]
"""The one row that a selection gives, by alias."""
_ROWS = ("rows",)
ROWS = repr(_ROWS)
"""The alias of the table's number of rows, which every selection has."""


class Selection:
    """The aggregates that a contract needs, each of them once.

    What Great Expectations calls null is null or, in a column of floats, NaN.
    """

    def __init__(self, schema: pl.Schema) -> None:
        self.schema = schema
        self._wanted: dict[Hashable, pl.Expr] = {_ROWS: pl.len()}

    def expressions(self) -> list[pl.Expr]:
        return [expression.alias(repr(key)) for key, expression in self._wanted.items()]

    def want(self, expression: pl.Expr, *key: Hashable) -> str:
        """The alias of an aggregate; `key` says what it is, so that nothing is computed twice."""
        self._wanted.setdefault(key, expression)
        return repr(key)

    def column(self, name: str) -> pl.Expr:
        """The column, with NaN as null."""
        return pl.col(name).fill_nan(None) if self.schema[name].is_float() else pl.col(name)

    def missing(self, name: str) -> str:
        """Alias of the number of nulls."""
        nulls = pl.col(name).null_count()
        if self.schema[name].is_float():
            nulls = nulls + pl.col(name).is_nan().sum()
        return self.want(nulls, "missing", name)

    def distinct(self, name: str) -> str:
        """Alias of the number of different values; null is none of them."""
        values = self.column(name)
        count = values.n_unique().cast(pl.Int64) - values.has_nulls().cast(pl.Int64)
        return self.want(count, "distinct", name)


@dataclass(frozen=True)
class ColumnCheck:
    """A rule on a table or a column as a whole."""

    judge: Callable[[Aggregates], ExpectationResult]


@dataclass(frozen=True)
class RowCheck:
    """A rule on each value of a column."""

    expectation: Expectation
    missing: str
    """Alias of the number of rows without a value."""
    unexpected: pl.Expr
    """True for the rows that break the rule, false or null for the others."""
    suspects: Callable[[Aggregates], int]
    """The number of such rows, or, unless `exact`, some number above 0 when there are any."""
    exact: bool = True

    def judge(self, found: Aggregates, unexpected: int) -> ExpectationResult:
        """Enough of the rows that count must keep the rule; when none counts, it holds.

        A row without a value does not count, except where to have one is the rule.
        """
        rows, missing = found[ROWS], found[self.missing]
        on_nulls = self.expectation.type == "expect_column_values_to_not_be_null"
        checked = rows if on_nulls else rows - missing
        mostly = self.expectation.kwargs.get("mostly", 1.0)
        return ExpectationResult(
            self.expectation,
            success=checked == 0 or (checked - unexpected) / checked >= mostly,
            checked=checked,
            missing=None if on_nulls else missing,
            unexpected=unexpected,
        )


Check = ColumnCheck | RowCheck
