"""The expectations that are evaluated natively, and the arguments each takes.

Names, arguments and defaults are those of Great Expectations 1.x.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from freehold.catalog.contracts.column_types import is_known
from freehold.catalog.contracts.source import Path
from freehold.catalog.contracts.values import read_moment

Problems = Iterator[tuple[Path, str, str]]
"""Path below `kwargs`, code, what is wrong."""
INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")


@dataclass(frozen=True)
class Argument:
    name: str
    wrong: Callable[[Any], str]
    """What a value should be instead, or nothing when it will do."""
    required: bool = False


@dataclass(frozen=True)
class Kind:
    """One type of expectation."""

    arguments: tuple[Argument, ...]
    bounded: bool = False
    """Compares with min_value and max_value, of which at least one must be there."""

    def problems(self, kwargs: Mapping[str, Any]) -> Problems:
        """Everything wrong with `kwargs`, in the order of the arguments."""
        known = {argument.name: argument for argument in self.arguments}
        for name, value in kwargs.items():
            if name in ("row_condition", "condition_parser"):
                if value is not None:
                    what = "conditions on rows are not evaluated: an expectation is on all rows"
                    yield (name,), "contract.row-condition", what
            elif name not in known:
                what = f"unknown argument; known are {', '.join(known)}"
                yield (name,), "contract.unknown-argument", what
            elif value is None and not known[name].required:
                continue
            elif wish := known[name].wrong(value):
                yield (name,), "contract.wrong-value", f"must be {wish}"
        for argument in self.arguments:
            if argument.required and argument.name not in kwargs:
                yield (), "contract.missing-argument", f"needs {argument.name!r}"
        if self.bounded:
            yield from _bounds_problems(kwargs.get("min_value"), kwargs.get("max_value"))


def _bounds_problems(low: Any, high: Any) -> Problems:
    if low is None and high is None:
        yield (), "contract.no-bound", "needs 'min_value' or 'max_value', else it cannot fail"
    elif _number(low) and _number(high) and low > high:
        yield ("max_value",), "contract.wrong-value", "must not be below min_value"


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(value: Any) -> str:
    return "" if isinstance(value, str) and value else "a text that is not empty"


def _flag(value: Any) -> str:
    return "" if isinstance(value, bool) else "true or false"


def _share(value: Any) -> str:
    return "" if _number(value) and 0 <= value <= 1 else "a number from 0 to 1"


def _index(value: Any) -> str:
    good = isinstance(value, int) and not isinstance(value, bool)
    return "" if good else "a whole number or null"


def _numeric_bound(value: Any) -> str:
    return "" if _number(value) else "a number or null"


def _bound(value: Any) -> str:
    good = _number(value) or (isinstance(value, str) and read_moment(value) is not None)
    return "" if good else "a number, a date or time of ISO 8601 with its date, or null"


def _values(value: Any) -> str:
    good = isinstance(value, list) and all(
        item is None or isinstance(item, str | int | float) for item in value
    )
    return "" if good else "a list of texts, numbers, true, false or null"


def _type_name(value: Any) -> str:
    if isinstance(value, str) and is_known(value):
        return ""
    return "the name of a column type, such as Int64, String or Datetime"


def _type_names(value: Any) -> str:
    if isinstance(value, list) and value and not any(map(_type_name, value)):
        return ""
    return "a list of names of column types, such as Int64, String or Datetime"


def _regex(value: Any) -> str:
    if _text(value):
        return _text(value)
    try:
        pl.Series([""]).str.contains(value)
    except pl.exceptions.ComputeError as error:
        told = [line for line in str(error).splitlines() if line.startswith("error: ")]
        return "a regular expression of Rust's regex syntax" + "".join(told).replace("error", "", 1)
    return ""


def _interpolation(value: Any) -> str:
    return "" if value is False or value in INTERPOLATIONS else f"false, or one of {INTERPOLATIONS}"


def _quantile_ranges(value: Any) -> str:
    wish = (
        "{'quantiles': [0.5, …], 'value_ranges': [[low or null, high or null], …]} with as many "
        "ranges as quantiles, quantiles from 0 to 1, and no low above its high"
    )
    if not isinstance(value, dict) or set(value) != {"quantiles", "value_ranges"}:
        return wish
    quantiles, ranges = value["quantiles"], value["value_ranges"]
    if not isinstance(quantiles, list) or not isinstance(ranges, list):
        return wish
    if not quantiles or len(quantiles) != len(ranges) or any(map(_share, quantiles)):
        return wish
    return "" if all(map(_is_range, ranges)) else wish


def _is_range(value: Any) -> bool:
    if not isinstance(value, list) or len(value) != 2:
        return False
    ends = [end for end in value if end is not None]
    return all(map(_number, ends)) and ends == sorted(ends)


_COLUMN = Argument("column", _text, required=True)
_MOSTLY = Argument("mostly", _share)


def _bounds(check: Callable[[Any], str]) -> tuple[Argument, ...]:
    return (
        Argument("min_value", check),
        Argument("max_value", check),
        Argument("strict_min", _flag),
        Argument("strict_max", _flag),
    )


KINDS: Mapping[str, Kind] = {
    "expect_column_to_exist": Kind((_COLUMN, Argument("column_index", _index))),
    "expect_column_values_to_be_of_type": Kind(
        (_COLUMN, Argument("type_", _type_name, required=True))
    ),
    "expect_column_values_to_be_in_type_list": Kind(
        (_COLUMN, Argument("type_list", _type_names, required=True))
    ),
    "expect_table_row_count_to_be_between": Kind(_bounds(_index), bounded=True),
    "expect_column_values_to_not_be_null": Kind((_COLUMN, _MOSTLY)),
    "expect_column_values_to_be_unique": Kind((_COLUMN, _MOSTLY)),
    "expect_column_proportion_of_unique_values_to_be_between": Kind(
        (_COLUMN, *_bounds(_numeric_bound)), bounded=True
    ),
    "expect_column_values_to_be_between": Kind((_COLUMN, _MOSTLY, *_bounds(_bound)), bounded=True),
    "expect_column_values_to_be_in_set": Kind(
        (_COLUMN, _MOSTLY, Argument("value_set", _values, required=True))
    ),
    "expect_column_values_to_match_regex": Kind(
        (_COLUMN, _MOSTLY, Argument("regex", _regex, required=True))
    ),
    "expect_column_mean_to_be_between": Kind((_COLUMN, *_bounds(_numeric_bound)), bounded=True),
    "expect_column_quantile_values_to_be_between": Kind(
        (
            _COLUMN,
            Argument("quantile_ranges", _quantile_ranges, required=True),
            Argument("allow_relative_error", _interpolation),
        )
    ),
    "expect_column_max_to_be_between": Kind((_COLUMN, *_bounds(_bound)), bounded=True),
}
