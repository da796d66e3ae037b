"""Columns: what is fitted, what is refused, and one matrix by two ways."""

import json
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.domain.columns import Column, Columns
from freehold.domain.errors import ProjectInvalid, RequestInvalid

COLUMNS = Columns(
    (Column("carrier", "category", ("UA", "AA")), Column("hour", "number"), Column("x", "number"))
)


def codes(error: pytest.ExceptionInfo[Any]) -> list[str]:
    return [fault.code for fault in error.value.faults]


def test_kinds_follow_types_and_values_their_frequency() -> None:
    table = pl.DataFrame(
        {
            "c": ["b", "a", "c", "c", None],
            "e": pl.Series(["u", "u", "v", "v", "v"], dtype=pl.Enum(["u", "v", "w"])),
            "n": [1, 2, None, 4, 5],
            "t": [True, False, True, None, True],
        }
    )
    columns = Columns.fit(table, ["t", "c", "n", "e"])
    assert columns.columns == (
        Column("t", "number"),
        Column("c", "category", ("c", "a", "b")),
        Column("n", "number"),
        Column("e", "category", ("v", "u")),
    )
    nan = np.nan
    expected = [[1, 2, 1, 1], [0, 1, 2, 1], [1, 0, nan, 0], [nan, 0, 4, 0], [1, nan, 5, 0]]
    made = columns.matrix(table)
    assert made.dtype == np.float32
    np.testing.assert_array_equal(made, np.array(expected, dtype=np.float32))


def test_fit_tells_every_fault() -> None:
    table = pl.DataFrame({"a": [1], "list": [[1]], "day": pl.Series([0], dtype=pl.Date)})
    with pytest.raises(ProjectInvalid) as caught:
        Columns.fit(table, ["a", "a", "b", "list", "day"])
    assert codes(caught) == ["columns.twice", "columns.unknown", "columns.type", "columns.type"]


def test_a_table_must_have_what_the_model_takes() -> None:
    with pytest.raises(RequestInvalid) as caught:
        COLUMNS.matrix(pl.DataFrame({"carrier": [1], "hour": ["1"]}))
    assert codes(caught) == ["columns.type", "columns.type", "columns.missing"]


def test_null_columns_and_no_rows() -> None:
    blank = pl.DataFrame({"carrier": [None, None], "hour": [None, None], "x": [None, None]})
    assert np.isnan(COLUMNS.matrix(blank)).all()
    assert COLUMNS.matrix(blank.clear()).shape == (0, 3)
    assert COLUMNS.matrix_of({"carrier": [], "hour": [], "x": []}).shape == (0, 3)
    nothing = Columns.fit(pl.DataFrame({"c": [None]}, schema={"c": pl.String}), ["c"])
    assert nothing.columns[0].values == ()
    assert np.isnan(nothing.matrix(pl.DataFrame({"c": ["a"]}))).all()


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["UA", "AA", "ZZ", None]),
            st.none() | st.integers(-(2**62), 2**62),
            st.none() | st.floats(allow_nan=True, allow_infinity=True),
        ),
        max_size=20,
    )
)
@settings(deadline=None)
def test_lists_and_tables_give_one_matrix(rows: list[tuple[Any, ...]]) -> None:
    schema = {"carrier": pl.String, "hour": pl.Int64, "x": pl.Float64}
    table = pl.DataFrame(rows, schema=schema, orient="row")
    lists = table.to_dict(as_series=False)
    np.testing.assert_array_equal(COLUMNS.matrix(table), COLUMNS.matrix_of(lists))


@pytest.mark.parametrize(
    ("lists", "code"),
    [
        ({"carrier": ["UA"], "hour": [1]}, "columns.missing"),
        ({"carrier": ["UA"], "hour": [1, 2], "x": [1]}, "columns.length"),
        ({"carrier": ["UA"], "hour": ["1"], "x": [1]}, "columns.type"),
        ({"carrier": ["UA", "UA"], "hour": [None, "1"], "x": [1, 1]}, "columns.type"),
        ({"carrier": ["UA"], "hour": [[1]], "x": [1]}, "columns.type"),
        ({"carrier": ["UA", "UA"], "hour": [[1], [1, 2]], "x": [1, 1]}, "columns.type"),
        ({"carrier": ["UA"], "hour": [10**400], "x": [1]}, "columns.type"),
        ({"carrier": ["UA"], "hour": np.array([[1.0]]), "x": [1]}, "columns.type"),
        ({"carrier": ["UA"], "hour": np.array(["1"]), "x": [1]}, "columns.type"),
        ({"carrier": [1], "hour": [1], "x": [1]}, "columns.type"),
        ({"carrier": [["UA"]], "hour": [1], "x": [1]}, "columns.type"),
        ({"carrier": [{}], "hour": [1], "x": [1]}, "columns.type"),
    ],
)
def test_a_request_that_does_not_fit_is_refused(lists: dict[str, Any], code: str) -> None:
    with pytest.raises(RequestInvalid) as caught:
        COLUMNS.matrix_of(lists)
    assert caught.value.code == code


def test_extra_columns_and_numpy_arrays_are_taken() -> None:
    made = COLUMNS.matrix_of(
        {
            "x": np.array([1.5, 2]),
            "hour": [True, None],
            "y": [np.float32(1), None],
            "carrier": ["AA", "?"],
            "flight_id": [0],
        }
    )
    expected = np.array([[1, 1, 1.5], [np.nan, np.nan, 2]], dtype=np.float32)
    np.testing.assert_array_equal(made, expected)


def test_a_document_comes_back_whole() -> None:
    assert Columns.from_json(json.loads(json.dumps(COLUMNS.as_json()))) == COLUMNS


@pytest.mark.parametrize(
    "document",
    [
        [],
        {"columns": 1},
        {"columns": [], "more": 1},
        {"columns": ["carrier"]},
        {"columns": [{"name": "a", "kind": "colour"}]},
        {"columns": [{"name": "", "kind": "number"}]},
        {"columns": [{"name": "a", "kind": "number", "values": []}]},
        {"columns": [{"name": "a", "kind": "category"}]},
        {"columns": [{"name": "a", "kind": "category", "values": [1]}]},
        {"columns": [{"name": "a", "kind": "category", "values": ["x", "x"]}]},
        {"columns": [{"name": "a", "kind": "number", "unit": "m"}]},
        {"columns": [{"name": "a", "kind": "number"}, {"name": "a", "kind": "number"}]},
        {"columns": [{"name": "a", "kind": ["number"]}]},
        {"columns": [{"name": ["a"], "kind": "number"}]},
    ],
)
def test_a_document_that_is_none_is_refused(document: Any) -> None:
    with pytest.raises(ProjectInvalid) as caught:
        Columns.from_json(document)
    assert caught.value.code == "columns.document"
    assert caught.value.faults


def test_categories_alone_make_a_matrix() -> None:
    columns = Columns((Column("c", "category", ("a",)),))
    made = columns.matrix_of({"c": ["a", None, "b"]})
    np.testing.assert_array_equal(made, np.array([[0], [np.nan], [np.nan]], dtype=np.float32))
