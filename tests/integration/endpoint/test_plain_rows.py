"""The plain route: rows in, rows out."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

PREDICT = "/v1/models/delay/predict"
ROW = {"distance": 2500.0, "carrier": "UA"}
SHORT = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def predict(client: Any, body: Any) -> Any:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.ask("POST", PREDICT, data)


def test_rows_are_answered_in_their_order(client: Any) -> None:
    rows = [{**ROW, "id": "a"}, {"distance": None, "carrier": None, "id": "b", "extra": {}}]
    answer = predict(client, rows).json
    assert [row["prediction_id"] for row in answer] == ["a", "b"]
    assert [row["version"] for row in answer] == [1, 1]
    assert answer[0]["score"] > answer[1]["score"]


def test_one_row_has_one_answer(client: Any) -> None:
    one, (same,) = predict(client, ROW).json, predict(client, [ROW]).json
    assert one.keys() == {"score", "version", "prediction_id"}
    assert one["score"] == same["score"] and one["prediction_id"] != same["prediction_id"]


def test_what_it_answers_is_logged_and_compared(site: Any, client_of: Any) -> None:
    site.model(1)
    site.model(2, bias=2.0)
    site.canary(50.0)
    client = client_of()
    rows = [{**ROW, "id": f"flight-{n}"} for n in range(100)]
    answer = predict(client, rows).json
    assert {row["version"] for row in answer} == {1, 2}
    ids = {"name": "id", "datatype": "BYTES", "shape": [100], "data": [row["id"] for row in rows]}
    inputs = [
        {"name": "distance", "datatype": "FP64", "shape": [100], "data": [2500.0] * 100},
        {"name": "carrier", "datatype": "BYTES", "shape": [100], "data": ["UA"] * 100},
        ids,
    ]
    tensors = client.infer({"inputs": inputs})
    assert [row["version"] for row in answer] == tensors.output("version")
    assert [row["score"] for row in answer] == tensors.output("score")
    assert client.ask("POST", "/freehold/log/flush").json["rows"] == 200


@pytest.mark.parametrize(
    ("body", "code", "named"),
    [
        (b"", "request.malformed", "JSON"),
        (b"7", "request.malformed", "row"),
        ([], "request.wrong-shape", "rows"),
        ([7], "request.malformed", "rows[0]"),
        ([ROW, [ROW]], "request.malformed", "rows[1]"),
        ([ROW, {"carrier": "UA"}], "request.column-missing", "rows[1].distance"),
        ({"carrier": "UA"}, "request.column-missing", "distance"),
        ({}, "request.malformed", "columns"),
        ({"distnace": 7, "carrier": "UA"}, "request.column-missing", "distance"),
        ([ROW, {**ROW, "distance": "far"}], "request.wrong-type", "distance"),
        ({**ROW, "distance": [7]}, "request.wrong-type", "distance"),
        ({**ROW, "carrier": 7}, "request.wrong-type", "carrier"),
        ({**ROW, "distance": 1e300}, "request.number-too-large", "distance"),
        ({**ROW, "distance": 10**400}, "request.not-finite", "distance"),
        ([ROW, {**ROW, "distance": float("nan")}], "request.not-finite", "[1].distance"),
        ({**ROW, "distance": float("inf")}, "request.not-finite", "distance"),
        ({**ROW, "id": 7}, "request.wrong-type", "id"),
        ({**ROW, "id": None}, "request.wrong-type", "id"),
        ([{**ROW, "id": "a"}] * 2, "request.duplicate", "id"),
    ],
)
def test_a_bad_body_is_a_400_that_names_the_field(
    client: Any, body: Any, code: str, named: str
) -> None:
    reply = predict(client, body)
    assert (reply.status, reply.json["code"]) == (400, code)
    assert named in reply.json["error"]


def test_too_many_rows(client: Any) -> None:
    reply = predict(client, b"[" + b"{}," * 1_000_000 + b"{}]")
    assert (reply.status, reply.json["code"]) == (413, "request.too-many-rows")


NUMBERS = st.none() | st.booleans() | st.floats(-1e30, 1e30) | st.integers(-(2**53), 2**53)
TEXTS = st.none() | st.sampled_from(["AA", "UA", "unseen", ""])


@SHORT
@given(rows=st.lists(st.tuples(NUMBERS, TEXTS), min_size=1, max_size=5))
def test_rows_are_scored_as_tensors_are(client: Any, rows: list[tuple[Any, Any]]) -> None:
    count = [len(rows)]
    # There, a tensor is either of numbers or of booleans.
    numbers = [float(x) if isinstance(x, bool) else x for x, _ in rows]
    inputs = [
        {"name": "distance", "datatype": "FP64", "shape": count, "data": numbers},
        {"name": "carrier", "datatype": "BYTES", "shape": count, "data": [c for _, c in rows]},
    ]
    answer = predict(client, [{"distance": x, "carrier": c} for x, c in rows]).json
    assert [row["score"] for row in answer] == client.infer({"inputs": inputs}).output("score")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["distance", "carrier", "id", "x"]), inner)
    ),
    max_leaves=10,
)


@SHORT
@given(body=VALUES.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=100))
def test_any_body(client: Any, body: bytes) -> None:
    reply = predict(client, body)
    assert reply.status < 500, reply.body
    if reply.status != 200:
        assert reply.json["code"] and reply.json["error"]
