"""What is read of a request is what was sent, in whatever form the protocol lets it come."""

import json
from typing import Any

import numpy as np
import orjson
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from freehold.domain.columns import Column, Columns
from freehold.domain.errors import RequestInvalid
from freehold.serving.open_inference import read_request
from freehold.serving.prediction_log import Batch, log_table
from freehold.serving.request import CLOCK_TOLERANCE, InferenceRequest, Limits, asked_at
from freehold.serving.rows import check_columns, logged_inputs, matrix_of

COLUMNS = Columns((Column("x", "number"), Column("c", "category", ("a", "b"))))
KINDS = {column.name: column.kind for column in COLUMNS.columns}
NUMBERS = st.none() | st.floats(-1e30, 1e30) | st.integers(-(2**53), 2**53)
TEXTS = st.none() | st.sampled_from(["a", "b", "unseen", ""])
ROWS = st.lists(st.tuples(NUMBERS, TEXTS), min_size=1, max_size=20)


def body(rows: list[tuple[Any, Any]], nested: bool, **more: Any) -> bytes:
    def tensor(name: str, datatype: str, data: list[Any]) -> dict[str, Any]:
        shape = [len(data), 1] if nested else [len(data)]
        return {
            "name": name,
            "datatype": datatype,
            "shape": shape,
            "data": [[value] for value in data] if nested else data,
        }

    inputs = [
        tensor("c", "BYTES", [c for _, c in rows]),
        tensor("x", "FP64", [x for x, _ in rows]),
    ]
    return json.dumps({"inputs": inputs, **more}).encode()


@given(ROWS, st.booleans())
def test_a_request_gives_the_matrix_that_training_saw(
    rows: list[tuple[Any, Any]], nested: bool
) -> None:
    request = read_request(body(rows, nested), Limits())
    check_columns(request, COLUMNS, KINDS)
    served = matrix_of(request, COLUMNS, None)
    table = pl.DataFrame(
        {
            "x": pl.Series([None if x is None else float(x) for x, _ in rows], dtype=pl.Float64),
            "c": pl.Series([c for _, c in rows], dtype=pl.String),
        }
    )
    assert np.array_equal(served, COLUMNS.matrix(table), equal_nan=True)


@given(ROWS, st.data())
def test_some_rows_are_the_same_as_in_the_whole(
    rows: list[tuple[Any, Any]], data: st.DataObject
) -> None:
    request = read_request(body(rows, False), Limits())
    some = data.draw(st.lists(st.integers(0, len(rows) - 1), min_size=1, unique=True))
    whole = matrix_of(request, COLUMNS, None)
    part = matrix_of(request, COLUMNS, some)
    assert np.array_equal(part, whole[some], equal_nan=True)


THREE = Columns(tuple(Column(name, "number") for name in ("x", "y", "z")))
LARGE = NUMBERS | st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(st.tuples(LARGE, LARGE, LARGE), min_size=1, max_size=8), st.data())
def test_columns_that_come_as_one_tensor_are_scored_and_logged_as_those_that_do_not(
    rows: list[tuple[Any, ...]], data: st.DataObject
) -> None:
    count, names = len(rows), THREE.names
    together = {"name": "all", "datatype": "FP64", "shape": [count, 3]}
    one = {**together, "data": [value for row in rows for value in row]}
    each = [
        {"name": name, "datatype": "FP64", "shape": [count], "data": [row[place] for row in rows]}
        for place, name in enumerate(names)
    ]
    some = data.draw(st.none() | st.lists(st.integers(0, count - 1), min_size=1, unique=True))
    kinds = dict.fromkeys((*names, "other"), "number")

    def taken(inputs: list[Any]) -> tuple[Any, Any]:
        request = read_request(orjson.dumps({"inputs": inputs}), Limits(), lambda: names)
        check_columns(request, THREE, kinds)  # type: ignore[arg-type]
        try:
            matrix: Any = matrix_of(request, THREE, some).tolist()
        except RequestInvalid as exc:
            matrix = exc.code
        inputs_kept = logged_inputs(request, kinds, some)  # type: ignore[arg-type]
        kept = Batch(
            prediction_ids=[str(place) for place in some or range(count)],
            request_id="r",
            at=0,
            asked_at=0,
            model="m",
            version=1,
            alias="champion",
            routing=1,
            score=None,
            reference_score=None,
            latency_us=None,
            reference_latency_us=None,
            error="e",
            inputs=inputs_kept,
            kinds=kinds,  # type: ignore[arg-type]
        )
        return str(matrix), log_table([kept, kept])

    (matrix, table), (other, expected) = taken([one]), taken(each)
    assert matrix == other
    assert table.equals(expected, null_equal=True)


def test_all_faults_of_a_request_are_told_at_once() -> None:
    value = {
        "inputs": [
            {"name": "x", "datatype": "FP64", "shape": [1], "data": ["text"]},
            {"name": "c", "datatype": "BYTES", "shape": [2], "data": ["a"]},
        ]
    }
    with pytest.raises(RequestInvalid) as caught:
        read_request(json.dumps(value).encode(), Limits())
    assert [fault.code for fault in caught.value.faults] == [
        "request.wrong-type",
        "request.wrong-shape",
    ]


def test_what_a_request_may_leave_out() -> None:
    request = read_request(body([(1, "a"), (2, "b")], False), Limits())
    assert (request.id, request.ids, request.missing_is_null) == ("", None, False)
    assert request.prediction_ids("r") == ["r/0", "r/1"]
    assert request.outputs == ("score", "version", "prediction_id")
    null = read_request(body([(1, "a")], False, parameters={"missing": None}), Limits())
    assert not null.missing_is_null


def test_an_id_by_which_each_row_is_named_has_a_bound() -> None:
    request = read_request(body([(1, "a")], False, id="é" * 256), Limits())
    assert request.id == "é" * 256
    with pytest.raises(RequestInvalid, match="'id' has more than 256 characters"):
        read_request(body([(1, "a")], False, id="x" * 257), Limits())


def test_a_request_may_say_when_the_question_arose() -> None:
    row = [(1.0, "a")]
    assert read_request(body(row, False), Limits()).asked_at is None
    said = body(row, False, parameters={"asked_at": 1_364_774_400_000_000})
    assert read_request(said, Limits()).asked_at == 1_364_774_400_000_000


@pytest.mark.parametrize("value", ["2013-04-01", -1, 1.5, True, 2**60, [1]])
def test_a_time_that_is_no_time_is_refused(value: Any) -> None:
    with pytest.raises(RequestInvalid, match="asked_at"):
        read_request(body([(1.0, "a")], False, parameters={"asked_at": value}), Limits())


def test_a_question_cannot_have_arisen_after_it_arrived() -> None:
    arrived = 1_700_000_000_000_000

    def asked(at: int | None) -> int:
        more = {} if at is None else {"parameters": {"asked_at": at}}
        return asked_at(read_request(body([(1.0, "a")], False, **more), Limits()), arrived)

    for past in (0, arrived - 1, arrived, arrived + CLOCK_TOLERANCE):
        assert asked(past) == past
    assert asked(None) == arrived
    for future in (arrived + CLOCK_TOLERANCE + 1, 2**53 - 1):
        with pytest.raises(RequestInvalid) as caught:
            asked(future)
        assert caught.value.code == "request.asked-at-in-future" and caught.value.why


@pytest.mark.parametrize("strange", ["BYTES", "FP64"])
def test_a_column_that_only_another_model_takes_must_be_of_its_type(strange: str) -> None:
    kinds: dict[str, Any] = {
        "x": "number",
        "c": "category",
        "y": "number" if strange == "BYTES" else "category",
    }
    value = json.loads(body([(1.0, "a")], False))
    data = ["abc"] if strange == "BYTES" else [1.0]
    value["inputs"].append({"name": "y", "datatype": strange, "shape": [1], "data": data})
    del value["inputs"][0]
    with pytest.raises(RequestInvalid) as caught:
        check_columns(read_request(json.dumps(value).encode(), Limits()), COLUMNS, kinds)
    assert [fault.where for fault in caught.value.faults] == ["y", "c"]
    assert caught.value.code == "request.wrong-type", "what is missing is not blamed on a variant"


def sent(*names: str) -> InferenceRequest:
    """One row with these columns; what is absent is null."""
    inputs = [
        {"name": name, "datatype": "BYTES", "shape": [1], "data": ["a"]}
        if name == "c"
        else {"name": name, "datatype": "FP64", "shape": [1], "data": [1.0]}
        for name in names
    ]
    value = {"inputs": inputs, "parameters": {"missing": "null"}}
    return read_request(json.dumps(value).encode(), Limits())


@pytest.mark.parametrize(
    ("names", "hint"),
    [(("xx", "c"), "is it 'x'?"), (("xx",), "is it 'x'?"), (("strange", "c"), "not sent: x")],
)
def test_a_misspelt_column_is_not_taken_for_a_missing_one(
    names: tuple[str, ...], hint: str
) -> None:
    with pytest.raises(RequestInvalid) as caught:
        check_columns(sent(*names), COLUMNS, KINDS)
    assert caught.value.code == "request.column-unknown"
    assert [(fault.where, fault.hint) for fault in caught.value.faults] == [(names[0], hint)]


@pytest.mark.parametrize("names", [("x", "c", "more"), ("c",), ("x",), ("c", "y")])
def test_what_is_missing_or_more_is_let_pass_where_it_can_be_no_mistake(
    names: tuple[str, ...],
) -> None:
    """`y` is a column of another model here."""
    check_columns(sent(*names), COLUMNS, {**KINDS, "y": "number"})
