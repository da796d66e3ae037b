"""Every verdict against one that plain Python reaches row by row."""

import json
import math
import re
from collections import Counter
from typing import Any

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from freehold.catalog.contracts import evaluate, parse

SCHEMA = {"n": pl.Int64, "f": pl.Float64, "s": pl.String}
NUMBERS = st.integers(-5, 5)
FLOATS = st.sampled_from([-1.5, -1.0, 0.0, 0.5, 1.0, 2.5, float("nan"), float("inf")])
TEXTS = st.text("ab1", max_size=3)
ROWS = st.lists(st.tuples(st.none() | NUMBERS, st.none() | FLOATS, st.none() | TEXTS), max_size=12)
FLAG = st.booleans()
MOSTLY = st.sampled_from([0.0, 0.25, 0.5, 0.75, 0.9, 1.0])
NUMERIC = st.sampled_from(["n", "f"])
ANY = st.sampled_from(["n", "f", "s"])


def bounds(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    def named(pair: tuple[Any, Any], strict_min: bool, strict_max: bool) -> dict[str, Any]:
        low, high = sorted(pair)
        return {
            "min_value": low,
            "max_value": high,
            "strict_min": strict_min,
            "strict_max": strict_max,
        }

    return st.builds(named, st.tuples(values, values), FLAG, FLAG)


def of(kind: str, **kwargs: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"type": st.just(kind), "kwargs": st.fixed_dictionaries(kwargs)})


def bounded(kind: str, **kwargs: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    def joined(plain: dict[str, Any], limits: dict[str, Any]) -> dict[str, Any]:
        return {"type": kind, "kwargs": plain | limits}

    return st.builds(joined, st.fixed_dictionaries(kwargs), bounds(NUMBERS))


EXPECTATIONS = st.one_of(
    of("expect_column_values_to_not_be_null", column=ANY, mostly=MOSTLY),
    of("expect_column_values_to_be_unique", column=ANY, mostly=MOSTLY),
    of(
        "expect_column_values_to_be_in_set",
        column=ANY,
        mostly=MOSTLY,
        value_set=st.lists(NUMBERS | TEXTS | st.sampled_from([0.5, 1.0, 2.5]), max_size=6),
    ),
    of(
        "expect_column_values_to_match_regex",
        column=st.sampled_from(["n", "s"]),
        mostly=MOSTLY,
        regex=st.sampled_from(["a", "^a", "b$", "^[ab]+$", r"\d"]),
    ),
    bounded("expect_column_values_to_be_between", column=NUMERIC, mostly=MOSTLY),
    bounded("expect_column_max_to_be_between", column=NUMERIC),
    bounded("expect_column_mean_to_be_between", column=NUMERIC),
    bounded("expect_column_proportion_of_unique_values_to_be_between", column=ANY),
    bounded("expect_table_row_count_to_be_between"),
)


def within(value: float, kwargs: dict[str, Any]) -> bool:
    low, high = kwargs["min_value"], kwargs["max_value"]
    above = value > low if kwargs["strict_min"] else value >= low
    return above and (value < high if kwargs["strict_max"] else value <= high)


def keeps(kind: str, value: Any, values: list[Any], kwargs: dict[str, Any]) -> bool:
    if kind == "expect_column_values_to_be_unique":
        return Counter(values)[value] == 1
    if kind == "expect_column_values_to_be_in_set":
        return value in kwargs["value_set"]
    if kind == "expect_column_values_to_match_regex":
        return re.search(kwargs["regex"], str(value)) is not None
    return within(value, kwargs)


def plainly(expectation: dict[str, Any], table: list[dict[str, Any]]) -> tuple[bool, list[int]]:
    """Verdict, and the unexpected rows of a rule on single values."""
    kind, kwargs = expectation["type"], expectation["kwargs"]
    if kind == "expect_table_row_count_to_be_between":
        return within(len(table), kwargs), []
    column = [row[kwargs["column"]] for row in table]
    present = [(i, v) for i, v in enumerate(column) if v is not None and v == v]
    values = [value for _, value in present]
    if kind == "expect_column_max_to_be_between":
        return bool(values) and within(max(values), kwargs), []
    if kind == "expect_column_mean_to_be_between":
        return bool(values) and within(math.fsum(values) / len(values), kwargs), []
    if kind == "expect_column_proportion_of_unique_values_to_be_between":
        return within(len(set(values)) / len(values) if values else 0, kwargs), []
    if kind == "expect_column_values_to_not_be_null":
        kept = {i for i, _ in present}
        rows, bad = len(column), [i for i in range(len(column)) if i not in kept]
    else:
        rows, bad = len(values), [i for i, v in present if not keeps(kind, v, values, kwargs)]
    return rows == 0 or (rows - len(bad)) / rows >= kwargs["mostly"], bad


@given(ROWS, st.lists(EXPECTATIONS, min_size=1, max_size=5))
def test_verdict_count_and_sample_are_those_of_plain_python(
    rows: list[tuple[Any, ...]], expectations: list[dict[str, Any]]
) -> None:
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    report = evaluate(
        parse(json.dumps({"name": "law", "expectations": expectations}), "law.json"), frame
    )
    for expectation, result in zip(expectations, report.results, strict=True):
        success, bad = plainly(expectation, frame.to_dicts())
        assert result.success is success
        if result.unexpected is not None:
            assert [item.row for item in result.sample] == ([] if success else bad[:5])
            assert success or result.unexpected == len(bad)


SHARES = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0])


@given(st.lists(NUMBERS, min_size=1, max_size=12), SHARES, NUMBERS)
def test_quantiles_are_the_value_at_the_nearest_position(
    values: list[int], share: float, high: int
) -> None:
    ranges = {"quantiles": [share], "value_ranges": [[None, high]]}
    kwargs = {"column": "n", "quantile_ranges": ranges}
    kind = "expect_column_quantile_values_to_be_between"
    text = json.dumps({"name": "law", "expectations": [{"type": kind, "kwargs": kwargs}]})
    result = evaluate(parse(text, "law.json"), pl.DataFrame({"n": values})).results[0]
    # Python's round, as NumPy's, takes a half to the even side.
    expected = sorted(values)[round((len(values) - 1) * share)]
    assert result.observed["values"] == [expected]
    assert result.success is (expected <= high)
