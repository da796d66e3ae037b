"""min_value and max_value, strict or not, on one figure or on a column."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from freehold.catalog.contracts.values import as_bound, literal


@dataclass(frozen=True)
class Bounds:
    low: Any = None
    high: Any = None
    strict_low: bool = False
    strict_high: bool = False

    @classmethod
    def of(cls, kwargs: Mapping[str, Any], dtype: pl.DataType | None = None) -> "Bounds":
        """The bounds as numbers, or as values of `dtype`. Raises Unfit."""

        def convert(value: Any) -> Any:
            return value if value is None or dtype is None else as_bound(value, dtype)

        return cls(
            low=convert(kwargs.get("min_value")),
            high=convert(kwargs.get("max_value")),
            strict_low=kwargs.get("strict_min", False),
            strict_high=kwargs.get("strict_max", False),
        )

    def hold(self, value: Any) -> bool:
        """Whether one value lies within; NaN never does."""
        above = self.low is None or (value > self.low if self.strict_low else value >= self.low)
        below = self.high is None or (value < self.high if self.strict_high else value <= self.high)
        return bool(above and below)

    def expression(self, column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
        """The same of every value of a column of `dtype`; null for null."""
        tests: list[pl.Expr] = []
        if self.low is not None:
            low = literal(self.low, dtype)
            tests.append(column > low if self.strict_low else column >= low)
        if self.high is not None:
            high = literal(self.high, dtype)
            tests.append(column < high if self.strict_high else column <= high)
        return pl.all_horizontal(tests) if len(tests) > 1 else tests[0]
