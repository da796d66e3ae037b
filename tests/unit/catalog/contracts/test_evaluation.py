import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from freehold.catalog.contracts import evaluate, parse
from freehold.domain.contract import ExpectationResult, UnexpectedRow
from freehold.domain.errors import StorageFailed

NULL = "expect_column_values_to_not_be_null"
UNIQUE = "expect_column_values_to_be_unique"
BETWEEN = "expect_column_values_to_be_between"
IN_SET = "expect_column_values_to_be_in_set"
REGEX = "expect_column_values_to_match_regex"
MEAN = "expect_column_mean_to_be_between"
MAX = "expect_column_max_to_be_between"
PROPORTION = "expect_column_proportion_of_unique_values_to_be_between"
QUANTILES = "expect_column_quantile_values_to_be_between"
ROWS = "expect_table_row_count_to_be_between"
OF_TYPE = "expect_column_values_to_be_of_type"
IN_TYPES = "expect_column_values_to_be_in_type_list"
EXISTS = "expect_column_to_exist"
NAN = float("nan")


def result(kind: str, values: Any, **kwargs: Any) -> ExpectationResult:
    """Of one expectation on a column `x`."""
    table = values if isinstance(values, pl.LazyFrame) else pl.DataFrame({"x": values})
    named = kwargs if kind == ROWS else {"column": "x", **kwargs}
    text = json.dumps({"name": "s", "expectations": [{"type": kind, "kwargs": named}]})
    report = evaluate(parse(text, "c.json"), table)
    assert json.loads(json.dumps(report.as_json(), allow_nan=False)) == report.as_json()
    assert report.passed == report.results[0].success
    return report.results[0]


@pytest.mark.parametrize(
    ("kind", "values", "kwargs", "success"),
    [
        (NULL, [1, 2], {}, True),
        (NULL, [1, None], {}, False),
        (NULL, [1.0, NAN], {}, False),
        (NULL, [1, None], {"mostly": 0.5}, True),
        (NULL, [1, None, None], {"mostly": 0.5}, False),
        (NULL, [None, None], {}, False),
        (NULL, [], {}, True),
        (UNIQUE, [1, 2, None, None], {}, True),
        (UNIQUE, [1.0, NAN, NAN], {}, True),
        (UNIQUE, [1, 1, 2], {}, False),
        (UNIQUE, [1, 1, 2, 3], {"mostly": 0.5}, True),
        (UNIQUE, [1, 1, 2, 3], {"mostly": 0.51}, False),
        (UNIQUE, [], {}, True),
        (UNIQUE, [None], {}, True),
        (PROPORTION, [1, 1, 2, None], {"min_value": 2 / 3}, True),
        (PROPORTION, [1, 1, 2, None], {"min_value": 2 / 3, "strict_min": True}, False),
        (PROPORTION, [], {"min_value": 0.1}, False),
        (PROPORTION, [None], {"max_value": 0}, True),
        (BETWEEN, [1, 3, None], {"min_value": 1, "max_value": 3}, True),
        (BETWEEN, [1, 3], {"min_value": 1, "strict_min": True}, False),
        (BETWEEN, [1, 3], {"max_value": 3, "strict_max": True}, False),
        (BETWEEN, [1, 2, 3, 4], {"max_value": 3, "mostly": 0.75}, True),
        (BETWEEN, [1.0, NAN], {"min_value": 0, "max_value": 2}, True),
        (BETWEEN, [1], {"min_value": -1e30, "max_value": 1e30}, True),
        (BETWEEN, [date(2013, 1, 1)], {"min_value": "2013-01-01"}, True),
        (BETWEEN, [date(2013, 1, 1)], {"min_value": "2013-01-01T00:00:01"}, False),
        (BETWEEN, [datetime(2013, 1, 1, 2, tzinfo=UTC)], {"min_value": "2013-01-01T02:00"}, True),
        (
            BETWEEN,
            [datetime(2013, 1, 1, 2, tzinfo=UTC)],
            {"max_value": "2013-01-01T01:59:59-00:01"},
            True,
        ),
        (BETWEEN, [], {"min_value": "2013-01-01"}, False),
        (IN_SET, ["a", None], {"value_set": ["a", "b"]}, True),
        (IN_SET, ["a", "c"], {"value_set": ["a", "b"]}, False),
        (IN_SET, ["a", "c"], {"value_set": ["a", 1], "mostly": 0.5}, True),
        (IN_SET, [1, 2], {"value_set": [1.0, 2, 2.5, 1e30, "x", None]}, True),
        (IN_SET, [1], {"value_set": []}, False),
        (IN_SET, [0.5, NAN], {"value_set": [0.5]}, True),
        (IN_SET, [True, False], {"value_set": [1, False]}, True),
        (IN_SET, [date(2013, 1, 1)], {"value_set": ["2013-01-01"]}, True),
        (IN_SET, [date(2013, 1, 1)], {"value_set": ["2013-01-01T01:00"]}, False),
        (IN_SET, [datetime(2013, 1, 1, tzinfo=UTC)], {"value_set": ["2013-01-01"]}, True),
        (REGEX, ["ab", "cab", None], {"regex": "ab"}, True),
        (REGEX, ["ab", "cab"], {"regex": "^ab"}, False),
        (REGEX, ["ab", "x"], {"regex": "^ab", "mostly": 0.5}, True),
        (REGEX, [12, 345], {"regex": r"^\d{2,3}$"}, True),
        (MEAN, [1, 2, None], {"min_value": 1.5, "max_value": 1.5}, True),
        (MEAN, [1.0, NAN], {"max_value": 1}, True),
        (MEAN, [1, 2], {"max_value": 1.5, "strict_max": True}, False),
        (MEAN, [None, 1.0], {"max_value": 0}, False),
        (MEAN, [NAN], {"max_value": 0}, False),
        (MEAN, [float("inf"), float("-inf")], {"max_value": 0}, False),
        (MEAN, [True, False], {"min_value": 0.5}, True),
        (MAX, [1, 5, None], {"min_value": 5}, True),
        (MAX, [1.0, NAN], {"max_value": 1}, True),
        (MAX, [1, 5], {"max_value": 4}, False),
        (MAX, [date(2013, 12, 31)], {"min_value": "2013-12-31"}, True),
        (MAX, [date(2013, 12, 31)], {"min_value": "2013-12-31", "strict_min": True}, False),
        (MAX, [date(2013, 12, 31)], {"min_value": "2013-12-31T12:00"}, False),
        (MAX, [datetime(2013, 12, 31, 12)], {"min_value": "2013-12-31"}, True),
        (MAX, [datetime(2013, 12, 31, 12, tzinfo=UTC)], {"min_value": "2013-12-31T11Z"}, True),
        (MAX, pl.Series([None], dtype=pl.Int64), {"max_value": 9}, False),
        (ROWS, [1, 2], {"min_value": 2, "max_value": 2}, True),
        (ROWS, [1, 2], {"min_value": 2, "strict_min": True}, False),
        (ROWS, [], {"min_value": 1}, False),
        (EXISTS, [1], {}, True),
        (EXISTS, [1], {"column_index": 0}, True),
        (EXISTS, [1], {"column_index": -1}, True),
        (EXISTS, [1], {"column_index": 1}, False),
        (OF_TYPE, [1], {"type_": "int64"}, True),
        (OF_TYPE, [1], {"type_": "integer"}, True),
        (OF_TYPE, [1], {"type_": "Float64"}, False),
        (OF_TYPE, ["a"], {"type_": "str"}, True),
        (OF_TYPE, [datetime(2013, 1, 1)], {"type_": "datetime64[us]"}, True),
        (OF_TYPE, [datetime(2013, 1, 1, tzinfo=UTC)], {"type_": "datetime64[us]"}, False),
        (OF_TYPE, [datetime(2013, 1, 1, tzinfo=UTC)], {"type_": "datetime64[us, UTC]"}, True),
        (
            OF_TYPE,
            [datetime(2013, 1, 1)],
            {"type_": "Datetime(time_unit='us', time_zone=None)"},
            True,
        ),
        (IN_TYPES, [1.5], {"type_list": ["Int64", "float"]}, True),
        (IN_TYPES, [1.5], {"type_list": ["Int64", "Date"]}, False),
    ],
)
def test_an_expectation_holds_or_fails(
    kind: str, values: Any, kwargs: dict[str, Any], success: bool
) -> None:
    assert result(kind, values, **kwargs).success is success


def ranges(*pairs: tuple[float, list[float | None]]) -> dict[str, Any]:
    return {"quantiles": [q for q, _ in pairs], "value_ranges": [r for _, r in pairs]}


def test_quantiles_are_the_nearest_value_unless_asked_otherwise() -> None:
    spread = ranges((0.0, [0, 0]), (0.5, [2, 2]), (1.0, [None, None]))
    # Between 2 and 3 lies the median; 2 stands at the even position.
    found = result(QUANTILES, [0, 1, 2, 3, 4, 5, None], quantile_ranges=spread)
    assert found.success
    assert found.observed == {"quantiles": [0.0, 0.5, 1.0], "values": [0.0, 2.0, 5.0]}
    halfway = ranges((0.5, [2.5, 2.5]))
    values = [0, 1, 2, 3, 4, 5]
    assert not result(QUANTILES, values, quantile_ranges=halfway).success
    assert result(QUANTILES, values, quantile_ranges=halfway, allow_relative_error="linear").success


def test_a_quantile_may_miss_its_range_by_a_hair_as_in_great_expectations() -> None:
    assert result(QUANTILES, [1.00009], quantile_ranges=ranges((0.5, [None, 1]))).success
    assert not result(QUANTILES, [1.0002], quantile_ranges=ranges((0.5, [None, 1]))).success


def test_a_column_without_values_has_no_quantiles() -> None:
    wide = ranges((0.5, [None, None]))
    assert not result(QUANTILES, [NAN], quantile_ranges=wide).success


def test_unexpected_rows_are_counted_and_shown_with_their_positions() -> None:
    found = result(IN_SET, ["a", "X", None, "a", "Y"], value_set=["a"])
    assert (found.checked, found.missing, found.unexpected) == (4, 1, 2)
    assert found.sample == (UnexpectedRow(1, "X"), UnexpectedRow(4, "Y"))


def test_every_occurrence_of_a_repeated_value_is_unexpected() -> None:
    found = result(UNIQUE, [7, 1, 7, None, 7, None])
    assert found.unexpected == 3
    assert [item.row for item in found.sample] == [0, 2, 4]


def test_at_most_five_rows_are_shown() -> None:
    found = result(BETWEEN, list(range(100)), max_value=9)
    assert found.unexpected == 90
    assert found.sample == tuple(UnexpectedRow(row, row) for row in range(10, 15))


def test_sampled_values_are_json() -> None:
    moment = datetime(2013, 1, 1, 5, tzinfo=UTC)
    found = result(BETWEEN, [moment], min_value="2014-01-01T00:00Z")
    assert found.sample[0].value == "2013-01-01T05:00:00+00:00"
    assert result(BETWEEN, [2**60], max_value=0).sample[0].value == str(2**60)
    assert result(BETWEEN, [float("inf")], max_value=0).sample[0].value == "inf"


@pytest.mark.parametrize("kind", [UNIQUE, NULL])
def test_a_missing_column_fails_what_is_expected_of_it(kind: str) -> None:
    found = result(kind, pl.LazyFrame({"y": [1]}))
    assert not found.success
    assert found.problem == "the table has no column 'x'"


def test_a_missing_column_does_not_exist() -> None:
    assert result(EXISTS, pl.LazyFrame({"y": [1]})).observed is None
    assert not result(EXISTS, pl.LazyFrame({"y": [1]}), column_index=0).success


@pytest.mark.parametrize(
    ("kind", "values", "kwargs", "problem"),
    [
        (BETWEEN, [1], {"min_value": "2013-01-01"}, "cannot be compared with the date"),
        (BETWEEN, [date(2013, 1, 1)], {"min_value": 1}, "cannot be compared with the number"),
        (BETWEEN, ["a"], {"min_value": 1}, "cannot be compared with bounds"),
        (MAX, ["2013-01-01"], {"min_value": "2013-01-01"}, "cannot be compared with bounds"),
        (IN_SET, [date(2013, 1, 1)], {"value_set": ["soon"]}, "ISO 8601"),
        (MAX, [datetime(2013, 1, 1)], {"min_value": "2013-01-01T00:00Z"}, "time zone"),
        (MAX, [[1]], {"min_value": 1}, "cannot be compared"),
        (REGEX, [1.5], {"regex": "1"}, "not text"),
        (IN_SET, [[1]], {"value_set": [1]}, "looked up"),
        (UNIQUE, [[1]], {}, "cannot be counted"),
        (MEAN, ["a"], {"min_value": 1}, "no mean"),
        (QUANTILES, ["a"], {"quantile_ranges": ranges((0.5, [None, 1]))}, "no quantiles"),
    ],
)
def test_a_type_that_does_not_fit_fails_with_the_reason(
    kind: str, values: Any, kwargs: dict[str, Any], problem: str
) -> None:
    found = result(kind, values, **kwargs)
    assert not found.success
    assert problem in found.problem


@pytest.mark.parametrize(
    "dtype", [pl.Categorical, pl.Enum(["a", "b"])], ids=["categorical", "enum"]
)
def test_categories_are_text(dtype: pl.DataType) -> None:
    values = pl.Series(["b", "a", None]).cast(dtype)
    assert result(IN_SET, values, value_set=["a", "b"]).success
    assert result(REGEX, values, regex="^[ab]$").success
    assert result(IN_SET, values, value_set=["a"]).sample == (UnexpectedRow(0, "b"),)


@pytest.mark.parametrize("dtype", [pl.Int8, pl.UInt64, pl.Float32, pl.Decimal(10, 2), pl.Int128])
def test_every_kind_of_number_compares(dtype: pl.DataType) -> None:
    values = pl.Series([1, 2, None]).cast(dtype)
    assert result(IN_SET, values, value_set=[1, 2, 300, -5]).success
    assert not result(IN_SET, values, value_set=[2]).success
    assert result(BETWEEN, values, min_value=0.5, max_value=2).success
    assert result(MAX, values, max_value=2).success
    assert result(MEAN, values, min_value=1.5, max_value=1.5).success
    assert result(UNIQUE, values).success


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_moments_compare_in_any_unit_and_zone(unit: Any) -> None:
    zone = pl.Datetime(unit, "America/New_York")
    values = pl.Series([datetime(2013, 1, 1, 5, tzinfo=UTC)]).cast(zone)
    assert result(BETWEEN, values, min_value="2013-01-01", max_value="2013-01-01").success
    assert result(IN_SET, values, value_set=["2013-01-01T00:00"]).success
    assert result(MAX, values, max_value="2013-01-01T05:00Z").success


def test_a_lazy_table_gives_the_same() -> None:
    values = [3, 1, 3, None]
    lazy = pl.LazyFrame({"x": values})
    assert result(UNIQUE, lazy) == result(UNIQUE, values)


def test_a_file_cut_in_half_is_an_error_that_says_so(tmp_path: Path) -> None:
    file = tmp_path / "t.parquet"
    pl.DataFrame({"x": range(1000)}).write_parquet(file)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(StorageFailed) as raised:
        result(UNIQUE, pl.scan_parquet(file))
    assert raised.value.code == "contract.table-unreadable"
