"""The binary tensor data extension, matrices, and bodies that come packed."""

import gzip
import json
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from traced import traced

from freehold.domain.columns import Column, Columns
from freehold.serving.request import Limits

NUMBERS = Columns(tuple(Column(f"x{n}", "number") for n in range(3)))
SHORT = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
LONG = settings(SHORT, max_examples=5_000)


def texts(values: list[str]) -> bytes:
    encoded = [value.encode() for value in values]
    return b"".join(len(value).to_bytes(4, "little") + value for value in encoded)


def tensor(name: str, datatype: str, shape: list[int], data: bytes) -> tuple[dict[str, Any], bytes]:
    parameters = {"binary_data_size": len(data)}
    return {"name": name, "datatype": datatype, "shape": shape, "parameters": parameters}, data


def joined(*tensors: tuple[dict[str, Any], bytes], **more: Any) -> tuple[bytes, dict[str, str]]:
    """Body and headers."""
    head = json.dumps({"inputs": [described for described, _ in tensors], **more}).encode()
    headers = {
        "content-type": "application/octet-stream",
        "inference-header-content-length": str(len(head)),
    }
    return head + b"".join(data for _, data in tensors), headers


def two(distances: Any = (7.0, 9.0), datatype: str = "FP64", kind: str = "<f8") -> Any:
    """Two rows for the model of the fixture."""
    data = np.array(distances, kind).tobytes()
    return (
        tensor("distance", datatype, [2], data),
        tensor("carrier", "BYTES", [2, 1], texts(["UA", "AA"])),
    )


def outputs_of(reply: Any) -> dict[str, Any]:
    """Each output's values, from JSON or from behind it."""
    at = int(reply.headers.get("inference-header-content-length", len(reply.body)))
    values = {}
    for output in json.loads(reply.body[:at])["outputs"]:
        if "data" in output:
            values[output["name"]] = output["data"]
            continue
        size = output["parameters"]["binary_data_size"]
        data, at = reply.body[at : at + size], at + size
        if output["datatype"] == "BYTES":
            found = []
            while data:
                end = 4 + int.from_bytes(data[:4], "little")
                found.append(data[4:end].decode())
                data = data[end:]
            values[output["name"]] = found
        else:
            kind = {"FP64": "<f8", "INT64": "<i8"}[output["datatype"]]
            values[output["name"]] = np.frombuffer(data, kind).tolist()
    assert at == len(reply.body)
    return values


@pytest.fixture
def plain(client: Any) -> Any:
    """What the JSON path answers for the rows of `two`."""
    inputs = [
        {"name": "distance", "datatype": "FP64", "shape": [2], "data": [7.0, 9.0]},
        {"name": "carrier", "datatype": "BYTES", "shape": [2], "data": ["UA", "AA"]},
    ]
    return client.infer({"inputs": inputs}).output("score")


def test_the_server_says_that_it_takes_binary_data(client: Any) -> None:
    assert client.ask("GET", "/v2").json["extensions"] == ["binary_tensor_data"]


@pytest.mark.parametrize(
    ("datatype", "kind"),
    [("FP64", "<f8"), ("FP32", "<f4"), ("FP16", "<f2"), ("INT64", "<i8"), ("UINT8", "<u1")],
)
def test_binary_data_of_every_size(client: Any, plain: Any, datatype: str, kind: str) -> None:
    body, headers = joined(*two(datatype=datatype, kind=kind))
    reply = client.infer(body, headers=headers)
    assert reply.status == 200 and reply.headers["content-type"] == "application/json"
    assert reply.output("score") == plain


def test_booleans_are_bytes(client: Any) -> None:
    _, carrier = two()
    body, headers = joined(tensor("distance", "BOOL", [2], b"\x01\x00"), carrier)
    ones, headers_of_ones = joined(*two([1, 0]))
    scores = client.infer(body, headers=headers).output("score")
    assert scores == client.infer(ones, headers=headers_of_ones).output("score")


def test_some_tensors_may_stay_json_and_the_media_type_too(client: Any, plain: Any) -> None:
    distance = {"name": "distance", "datatype": "FP64", "shape": [2], "data": [7, 9]}
    body, headers = joined((distance, b""), two()[1])
    reply = client.infer(body, headers={**headers, "content-type": "application/json"})
    assert reply.output("score") == plain


def test_all_outputs_as_bytes(client: Any, plain: Any) -> None:
    body, headers = joined(*two(), id="r", parameters={"binary_data_output": True})
    reply = client.infer(body, headers=headers)
    assert reply.headers["content-type"] == "application/octet-stream"
    assert outputs_of(reply) == {
        "score": plain,
        "version": [1, 1],
        "prediction_id": ["r/0", "r/1"],
    }


def test_an_output_of_its_own_mind(client: Any, plain: Any) -> None:
    outputs = [{"name": "score", "parameters": {"binary_data": True}}, {"name": "version"}]
    body, headers = joined(*two(), outputs=outputs)
    reply = client.infer(body, headers=headers)
    assert reply.json_head["outputs"][1]["data"] == [1, 1]
    assert outputs_of(reply) == {"score": plain, "version": [1, 1]}
    outputs = [{"name": "version", "parameters": {"binary_data": False}}, {"name": "score"}]
    body, headers = joined(*two(), outputs=outputs, parameters={"binary_data_output": True})
    reply = client.infer(body, headers=headers)
    assert reply.json_head["outputs"][0]["data"] == [1, 1]
    assert outputs_of(reply) == {"version": [1, 1], "score": plain}


def test_nan_is_null_when_declared_and_else_a_fault(client: Any) -> None:
    body, headers = joined(*two([7.0, np.nan]))
    reply = client.infer(body, headers=headers)
    assert (reply.status, reply.json["code"]) == (400, "request.not-finite")
    assert "'distance'" in reply.json["error"] and "missing" in reply.json["faults"][0]["hint"]
    body, headers = joined(*two([7.0, np.nan]), parameters={"missing": "null"})
    inputs = [
        {"name": "distance", "datatype": "FP64", "shape": [2], "data": [7.0, None]},
        {"name": "carrier", "datatype": "BYTES", "shape": [2], "data": ["UA", "AA"]},
    ]
    scores = client.infer({"inputs": inputs}).output("score")
    assert client.infer(body, headers=headers).output("score") == scores
    body, headers = joined(*two([7.0, np.inf]), parameters={"missing": "null"})
    assert client.infer(body, headers=headers).json["code"] == "request.not-finite"


@pytest.mark.parametrize("sent", [-5, 0, 10**6, "x", "²", "9" * 5_000])
def test_a_header_length_that_lies(client: Any, sent: Any) -> None:
    body, headers = joined(*two())
    length = (
        sent if isinstance(sent, str) else int(headers["inference-header-content-length"]) + sent
    )
    changed = {**headers, "inference-header-content-length": str(length)}
    reply = client.infer(body, headers=changed)
    if sent == 0:
        assert reply.status == 200
    else:
        assert reply.status == 400 and reply.json["code"] in ("request.binary", "request.malformed")


def altered(place: int, **change: Any) -> tuple[bytes, dict[str, str]]:
    tensors = list(two())
    described, data = tensors[place]
    tensors[place] = ({**described, **change.get("described", {})}, change.get("data", data))
    return joined(*tensors)


@pytest.mark.parametrize(
    ("body_and_headers", "code"),
    [
        (altered(0, described={"parameters": {"binary_data_size": 8}}), "request.binary"),
        (altered(0, described={"parameters": {"binary_data_size": 2**62}}), "request.binary"),
        (altered(0, described={"parameters": {"binary_data_size": -1}}), "request.binary"),
        (altered(0, described={"parameters": {"binary_data_size": "16"}}), "request.binary"),
        (altered(0, described={"parameters": {"binary_data_size": True}}), "request.binary"),
        (altered(0, described={"data": [7, 9]}), "request.binary"),
        (altered(0, described={"datatype": "FP32"}), "request.binary"),
        (altered(0, described={"shape": [3]}), "request.binary"),
        (altered(0, described={"shape": [10**30]}), "request.wrong-shape"),
        (altered(0, described={"shape": [2**62]}), "request.binary"),
        (altered(1, described={"shape": [2**62]}), "request.binary"),
        (altered(0, described={"datatype": "BF16"}), "request.wrong-type"),
        (altered(0, described={"shape": [2, 2]}), "request.binary"),
        (altered(0, data=b""), "request.binary"),
        (altered(0, data=b"x" * 17), "request.binary"),
        (joined(tensor("distance", "BOOL", [2], b"\x01\x02"), two()[1]), "request.binary"),
        (joined(two()[0], tensor("carrier", "BYTES", [2], b"\xff\xff\xff\xff")), "request.binary"),
        (joined(two()[0], tensor("carrier", "BYTES", [2], texts(["UA"]))), "request.binary"),
        (joined(two()[0], tensor("carrier", "BYTES", [2], texts(["a"] * 3))), "request.binary"),
        (joined(two()[0], tensor("carrier", "BYTES", [2], b"\0\0\0")), "request.binary"),
        (
            joined(two()[0], tensor("carrier", "BYTES", [2], b"\1\0\0\0\xff\1\0\0\0a")),
            "request.binary",
        ),
        (joined(two()[0], two()[0], two()[1]), "request.duplicate"),
        (joined(tensor("distance", "FP64", [0], b"")), "request.wrong-shape"),
    ],
)
def test_binary_data_that_are_wrong(client: Any, body_and_headers: Any, code: str) -> None:
    body, headers = body_and_headers
    reply = client.infer(body, headers=headers)
    assert (reply.status, reply.json["code"]) == (400, code)


def test_a_million_rows_are_too_many(client: Any) -> None:
    data = np.zeros(1_000_000, "<u1").tobytes()
    body, headers = joined(tensor("distance", "UINT8", [1_000_000], data))
    with traced() as peak:
        reply = client.infer(body, headers=headers)
        assert peak() < 25 * len(body)
    assert (reply.status, reply.json["code"]) == (413, "request.too-many-rows")


@pytest.mark.parametrize(
    ("coding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("identity", bytes)]
)
def test_bodies_come_packed(client: Any, plain: Any, coding: str, pack: Any) -> None:
    body, headers = joined(*two())
    reply = client.infer(pack(body), headers={**headers, "content-encoding": coding})
    assert reply.output("score") == plain


def test_a_bomb_is_not_unpacked(client_of: Any, site: Any) -> None:
    site.model(1)
    site.route((1, 100.0, "champion"))
    client = client_of(limits=Limits(body_bytes=100_000))
    for coding, pack in (("gzip", gzip.compress), ("deflate", zlib.compress)):
        body = pack(b" " * 50_000_000)
        with traced() as peak:
            reply = client.infer(body, headers={"content-encoding": coding})
            assert peak() < 1_000_000
        assert (reply.status, reply.json["code"]) == (413, "request.too-large")


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", gzip.compress(b"{}")[:-3], gzip.compress(b"{}") * 2, zlib.compress(b"{}")],
    ids=["empty", "plain", "cut", "twice", "deflated"],
)
def test_what_is_not_packed_as_it_says(client: Any, body: bytes) -> None:
    reply = client.infer(body, headers={"content-encoding": "gzip"})
    assert (reply.status, reply.json["code"]) == (400, "request.malformed")


@pytest.fixture
def numbers(client_of: Any, site: Any) -> Any:
    """A model of three numbers."""
    site.model(1, NUMBERS)
    site.route((1, 100.0, "champion"))
    return client_of()


def columns(rows: list[list[Any]], **more: Any) -> dict[str, Any]:
    """The rows as a tensor for each column."""
    count = [len(rows)]
    inputs = [
        {"name": column.name, "datatype": "FP64", "shape": count, "data": [row[n] for row in rows]}
        for n, column in enumerate(NUMBERS.columns)
    ]
    return {"inputs": inputs, **more}


@pytest.mark.parametrize("nested", [True, False])
def test_a_matrix_is_the_columns_in_order(numbers: Any, nested: bool) -> None:
    rows = [[1, 20, 300], [4, None, 600]]
    data = rows if nested else [value for row in rows for value in row]
    matrix = {"name": "input-0", "datatype": "FP64", "shape": [2, 3], "data": data}
    scores = numbers.infer({"inputs": [matrix]}).output("score")
    assert scores == numbers.infer(columns(rows)).output("score")
    names = {"name": "id", "datatype": "BYTES", "shape": [2], "data": ["a", "b"]}
    named = numbers.infer({"inputs": [names, matrix]})
    assert (named.output("score"), named.output("prediction_id")) == (scores, ["a", "b"])


def test_a_matrix_of_another_width_is_told_the_columns(numbers: Any) -> None:
    matrix = {"name": "input-0", "datatype": "FP64", "shape": [1, 2], "data": [[1, 2]]}
    reply = numbers.infer({"inputs": [matrix]})
    assert (reply.status, reply.json["code"]) == (400, "request.wrong-shape")
    assert "x0, x1, x2" in reply.json["error"]


def test_while_versions_differ_a_matrix_has_the_columns_of_the_champion(
    site: Any, client_of: Any
) -> None:
    wider = Columns((Column("x3", "number"), *NUMBERS.columns))
    site.model(1, NUMBERS)
    site.model(2, wider)
    site.canary(0.0)
    client = client_of()
    matrix = {"name": "m", "datatype": "FP64", "shape": [1, 3], "data": [[1, 2, 3]]}
    assert client.infer({"inputs": [matrix]}).status == 200
    four = {"name": "m", "datatype": "FP64", "shape": [1, 4], "data": [[9, 1, 2, 3]]}
    named = client.infer({"inputs": [four]}, "/v2/models/delay/versions/2/infer")
    assert named.status == 200 and named.output("version") == [2]
    assert client.infer({"inputs": [four]}).status == 400


VALUES = st.none() | st.floats(-(2.0**99), 2.0**99, width=32)
ROWS = st.lists(st.lists(VALUES, min_size=3, max_size=3), min_size=1, max_size=6)


@SHORT
@given(rows=ROWS, single=st.booleans(), matrix=st.booleans(), packed=st.booleans())
def test_bytes_are_scored_as_json_is(
    numbers: Any, rows: list[list[Any]], single: bool, matrix: bool, packed: bool
) -> None:
    datatype, kind = ("FP32", "<f4") if single else ("FP64", "<f8")
    array = np.array([[np.nan if v is None else v for v in row] for row in rows], kind)
    if matrix:
        tensors = [tensor("m", datatype, list(array.shape), array.tobytes())]
    else:
        tensors = [tensor(f"x{n}", datatype, [len(rows)], array[:, n].tobytes()) for n in range(3)]
    parameters = {"missing": "null", "binary_data_output": True}
    body, headers = joined(*tensors, id="r", parameters=parameters)
    if packed:
        body, headers = gzip.compress(body), {**headers, "content-encoding": "gzip"}
    reply = outputs_of(numbers.infer(body, headers=headers))
    assert reply["score"] == numbers.infer(columns(rows, id="r")).output("score")


DATATYPES = {
    **{f"INT{8 * size}": f"<i{size}" for size in (1, 2, 4, 8)},
    **{f"UINT{8 * size}": f"<u{size}" for size in (1, 2, 4, 8)},
    **{f"FP{8 * size}": f"<f{size}" for size in (2, 4, 8)},
}


@st.composite
def mixed(draw: st.DrawFn) -> tuple[list[Any], str, list[str]]:
    """Numbers that the datatype has, the datatype, and as many texts."""
    datatype = draw(st.sampled_from(sorted(DATATYPES)))
    kind = np.dtype(DATATYPES[datatype])
    if kind.kind == "f":
        numbers = st.floats(-(2.0**15), 2.0**15, width=8 * kind.itemsize)
    else:
        numbers = st.integers(int(np.iinfo(kind).min), int(np.iinfo(kind).max))
    texts_of_any_kind = st.sampled_from(["AA", "UA"]) | st.text(st.characters(codec="utf-8"))
    rows = draw(st.lists(st.tuples(numbers, texts_of_any_kind), min_size=1, max_size=5))
    return [number for number, _ in rows], datatype, [text for _, text in rows]


@SHORT
@given(sent=mixed(), binary=st.tuples(st.booleans(), st.booleans()))
def test_every_type_is_scored_as_json_is(client: Any, sent: Any, binary: Any) -> None:
    numbers, datatype, carriers = sent
    count = [len(numbers)]
    plain = [
        {"name": "distance", "datatype": datatype, "shape": count, "data": numbers},
        {"name": "carrier", "datatype": "BYTES", "shape": count, "data": carriers},
    ]
    data = (np.array(numbers, DATATYPES[datatype]).tobytes(), texts(carriers))
    packed = [
        tensor(one["name"], one["datatype"], count, data[place]) if binary[place] else (one, b"")
        for place, one in enumerate(plain)
    ]
    body, headers = joined(*packed)
    reply = client.infer(body, headers=headers)
    assert reply.output("score") == client.infer({"inputs": plain}).output("score")


BODIES = st.binary(max_size=120)


def never_a_500(client: Any, body: bytes, headers: dict[str, str]) -> None:
    reply = client.infer(body, headers=headers)
    assert reply.status < 500, reply.body
    if reply.status != 200:
        assert reply.json["code"] and reply.json["error"]


@st.composite
def damaged(draw: st.DrawFn) -> tuple[bytes, dict[str, str]]:
    """A right request with bytes of its binary half, its sizes or its end changed."""
    kinds = st.sampled_from(["BYTES", "FP64", "FP32", "INT8", "BOOL", "UINT64"])
    count = draw(st.integers(0, 3))
    data = draw(BODIES) if draw(st.booleans()) else np.arange(count).astype("<f8").tobytes()
    strange = tensor("distance", draw(kinds), draw(st.lists(st.integers(-1, 4), max_size=3)), data)
    if draw(st.booleans()):
        strange[0]["parameters"]["binary_data_size"] = draw(st.integers(-1, 130))
    names = tensor("carrier", "BYTES", [count], texts(["UA"] * count) + draw(BODIES)[:2])
    body, headers = joined(strange, names, parameters={"missing": "null"})
    return body[: len(body) - draw(st.integers(0, 3))], headers


@SHORT
@given(sent=damaged())
def test_any_binary_request_that_is_nearly_right(client: Any, sent: Any) -> None:
    never_a_500(client, *sent)


@SHORT
@given(body=BODIES, length=st.integers(0, 130), coding=st.sampled_from(["gzip", "deflate", ""]))
def test_any_bytes_in_any_packing(client: Any, body: bytes, length: int, coding: str) -> None:
    headers = {"inference-header-content-length": str(length), "content-encoding": coding}
    never_a_500(client, body, headers)


@pytest.mark.long
@LONG
@given(sent=damaged())
def test_many_damaged_binary_requests(client: Any, sent: Any) -> None:
    never_a_500(client, *sent)
