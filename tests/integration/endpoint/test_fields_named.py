"""Whatever is wrong with a body, its refusal names the field, by its path."""

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from tests.asked_endpoint import VALID

INF, NAN = float("inf"), float("nan")


def changed(path: str, value: Any) -> bytes:
    """The valid request, one of its fields another: `inputs.0.data`."""
    request: Any = deepcopy(VALID)
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    node = request
    for part in parents:
        node = node[part]
    node[last] = value
    return json.dumps(request).encode()


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("id", 7, "'id'"),
        ("parameters", 7, "'parameters'"),
        ("parameters.missing", "zero", "'parameters.missing'"),
        ("parameters.asked_at", "now", "'parameters.asked_at'"),
        ("parameters.asked_at", -1, "'parameters.asked_at'"),
        ("parameters.asked_at", 2**53 - 1, "'asked_at'"),
        ("parameters.binary_data_output", 1, "'parameters.binary_data_output'"),
        ("parameters.more", NAN, "parameters.more"),
        ("inputs", 7, "'inputs'"),
        ("inputs", [], "'inputs'"),
        ("inputs", [{}] * 1001, "'inputs'"),
        ("inputs.1", 7, "inputs[1]"),
        ("inputs.0.name", "", "inputs[0]: 'name'"),
        ("inputs.0.datatype", "FLOAT", "inputs[0]: 'datatype'"),
        ("inputs.0.datatype", None, "inputs[0]: 'datatype'"),
        ("inputs.0.datatype", "BOOL", "inputs[0]: 'distance'"),
        ("inputs.0.datatype", "BYTES", "inputs[0]: 'distance'"),
        ("inputs.0.shape", [3], "inputs[0]: 'distance'"),
        ("inputs.0.shape", [-2], "inputs[0]: 'distance'"),
        ("inputs.0.shape", [2, 2], "inputs[0]: 'distance'"),
        ("inputs.0.shape", 2, "inputs[0]: 'distance'"),
        ("inputs.0.data", [1.5], "inputs[0]: 'distance'"),
        ("inputs.0.data", "12", "inputs[0]: 'distance'"),
        ("inputs.0.data", [1.5, "x"], "inputs[0]: 'distance'"),
        ("inputs.0.data", [1.5, {}], "inputs[0]: 'distance'"),
        ("inputs.0.data", [1.5, NAN], "inputs[0] ('distance').data[1]"),
        ("inputs.0.data", [INF, 1.5], "inputs[0] ('distance').data[0]"),
        ("inputs.0.data", [1.5, 1e300], "distance:"),
        ("inputs.0.parameters", 7, "inputs[0]: 'parameters'"),
        ("inputs.0.parameters", {"shared_memory_region": "r"}, "inputs[0]: 'distance'"),
        ("inputs.0.parameters", {"binary_data_size": 16}, "inputs[0]: binary data of 'distance'"),
        ("inputs.1.name", "distance", "inputs[1]: 'distance'"),
        ("inputs.1.data", [["UA"], "AA"], "inputs[1]: 'carrier'"),
        ("inputs.1.data", [["UA"], [7]], "inputs[1]: 'carrier'"),
        ("inputs.2.data", ["a", "a"], "'id'"),
        ("inputs.2.data", ["a", None], "'id'"),
        ("inputs.2.data", ["a", ""], "'id'"),
        ("outputs", 7, "'outputs'"),
        ("outputs.0", 7, "'outputs'"),
        ("outputs.0.name", "label", "outputs[0]"),
        ("outputs.0.parameters", 7, "'outputs[0].parameters'"),
        ("outputs.0.parameters", {"binary_data": 1}, "'outputs[0].parameters.binary_data'"),
        (
            "outputs.0.parameters",
            {"classification": 2},
            "'outputs[0].parameters.classification'",
        ),
    ],
)
def test_of_the_open_inference_protocol(client: Any, path: str, value: Any, named: str) -> None:
    reply = client.infer(changed(path, value))
    assert 400 <= reply.status < 500
    assert named in reply.json["error"]


@pytest.mark.parametrize("rows", [0, 10_001])
def test_of_too_few_and_too_many_rows(client: Any, rows: int) -> None:
    value = {"name": "distance", "datatype": "FP64", "shape": [rows], "data": [1] * rows}
    reply = client.infer({"inputs": [value], "parameters": {"missing": "null"}})
    assert reply.status == (413 if rows else 400)
    assert "'inputs'" in reply.json["error"]


@pytest.fixture
def invoked(client: Any) -> Callable[..., str]:
    """What a body was refused for."""

    def send(body: Any, kind: str = "application/json") -> str:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        reply = client.ask("POST", "/invocations", data, headers={"content-type": kind})
        assert 400 <= reply.status < 500
        assert reply.json["message"] == reply.json["error"]
        return str(reply.json["error"])

    return send


NAMES, ROWS = ["distance", "carrier"], [[1.5, "UA"], [None, "AA"]]
ROW = {"distance": 1.5, "carrier": "UA"}


def split(**change: Any) -> dict[str, Any]:
    return {"dataframe_split": {"columns": NAMES, "data": ROWS, **change}}


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"rows": ROWS}, "dataframe_split, dataframe_records, instances, inputs"),
        ({**split(), "params": 7}, "'params'"),
        ({**split(), "params": {"missing": 7}}, "'params.missing'"),
        ({**split(), "params": {"asked_at": "now"}}, "'params.asked_at'"),
        ({"dataframe_split": ROWS}, "'dataframe_split'"),
        (split(more=1), "'dataframe_split'"),
        (split(columns=7), "'dataframe_split.columns'"),
        (split(columns=["distance", 7]), "dataframe_split.columns[1]"),
        (split(columns=["distance", "distance"]), "dataframe_split.columns: 'distance'"),
        (split(columns=[]), "dataframe_split.data[0]"),
        (split(data=7), "'dataframe_split.data'"),
        (split(data=[]), "'dataframe_split.data'"),
        (split(data=[[None, "UA"]] * 10_001), "'dataframe_split.data'"),
        (split(data=[ROWS[0], [1]]), "dataframe_split.data[1]"),
        (split(index=[1]), "'dataframe_split.index'"),
        (split(data=[["x", "UA"]]), "distance: must be a number or null, not 'x', in row 0"),
        (split(data=[ROWS[0], [1, 7]]), "carrier: must be a string or null, not 7, in row 1"),
        (split(data=[[INF, "UA"]]), "dataframe_split.data[0][0]"),
        (split(data=[[1e300, "UA"]]), "distance:"),
        ({"dataframe_records": {}}, "'dataframe_records'"),
        ({"dataframe_records": [ROW, 7]}, "dataframe_records[1]"),
        ({"dataframe_records": [{**ROW, "id": 7}]}, "id: must be a string or null"),
        ({"dataframe_records": [{**ROW, "id": ""}]}, "'id'"),
        ({"dataframe_records": [{**ROW, "id": "a"}] * 2}, "'id'"),
        ({"instances": 7}, "'instances'"),
        ({"instances": []}, "'instances'"),
        ({"instances": [ROW, {}]}, "instances[1].distance"),
        ({"instances": [ROW, 7]}, "instances[1]"),
        ({"inputs": 7}, "'inputs'"),
        ({"inputs": {"distance": [1], "carrier": ["UA", "AA"]}}, "inputs:"),
        ({"inputs": {"distance": [1], "carrier": "UA"}}, "inputs.carrier"),
        ({"inputs": {"distance": [], "carrier": []}}, "'inputs'"),
    ],
)
def test_of_invocations(invoked: Callable[..., str], body: Any, named: str) -> None:
    assert named in invoked(body)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"distance,carrier\n", "'the body'"),
        (b"distance,carrier\n1,UA\n2", "row[1]"),
        (b"distance,carrier\nx,UA", "distance: must be a number, not 'x', in row 0"),
        (b"distance,carrier\n1,UA\n-inf,UA", "distance: holds an infinity in row 1"),
        (b"distance,carrier\n1e99,UA", "distance:"),
        (b"distance\n1", "carrier: is missing"),
        (b"distance,carrier,distance\n1,UA,7", "the first line: 'distance'"),
    ],
)
def test_of_csv(invoked: Callable[..., str], body: bytes, named: str) -> None:
    assert named in invoked(body, "text/csv")
