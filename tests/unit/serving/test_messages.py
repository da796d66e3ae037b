"""gRPC's messages: read as REST's bodies are, written as REST's answers, and no fault unnamed."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from freehold.domain.columns import Column, Columns
from freehold.domain.errors import FreeholdError, RequestInvalid
from freehold.serving.binary_tensor import bytes_of
from freehold.serving.inference_messages import (
    InferInputTensor,
    ModelInferRequest,
    ModelInferResponse,
    ModelMetadataResponse,
    ModelStreamInferResponse,
)
from freehold.serving.message_columns import CONTENTS
from freehold.serving.message_request import read_envelope, read_message
from freehold.serving.message_response import (
    error_text,
    metadata_message,
    response_message,
    stream_error,
    stream_message,
)
from freehold.serving.open_inference import read_request
from freehold.serving.request import InferenceRequest, Limits
from freehold.serving.response import Predictions, inference_response, model_metadata

SHORT = settings(max_examples=200, deadline=None)
LONG = settings(SHORT, max_examples=5_000, suppress_health_check=[HealthCheck.too_slow])
LIMITS = Limits(rows=100, tensors=20)
NUMBERS = {
    "FP16": st.floats(width=16, allow_nan=False, allow_infinity=False),
    "FP32": st.floats(width=32, allow_nan=False, allow_infinity=False),
    "FP64": st.floats(allow_nan=False, allow_infinity=False),
    "BOOL": st.booleans(),
    "BYTES": st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    **{f"INT{b}": st.integers(-(2 ** (b - 1)), 2 ** (b - 1) - 1) for b in (8, 16, 32, 64)},
    **{f"UINT{b}": st.integers(0, 2**b - 1) for b in (8, 16, 32, 64)},
}
"""Values by datatype."""
Tensors = dict[str, tuple[str, list[int], list[Any]]]
"""Datatype, shape and values by name."""


@st.composite
def tensors(draw: Any, datatypes: tuple[str, ...] = tuple(NUMBERS)) -> Tensors:
    rows = draw(st.integers(1, 5))
    names = draw(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=4, unique=True))
    made: Tensors = {}
    for name in names:
        datatype = draw(st.sampled_from(datatypes))
        values = draw(st.lists(NUMBERS[datatype], min_size=rows, max_size=rows))
        made[name] = datatype, draw(st.sampled_from([[rows], [rows, 1]])), values
    if draw(st.booleans()):
        made["id"] = "BYTES", [rows], [f"r{n}" for n in range(rows)]
    return made


def message(given: Tensors, is_raw: bool, **more: Any) -> Any:
    made = ModelInferRequest(model_name="delay", **more)
    for name, (datatype, shape, values) in given.items():
        tensor = made.inputs.add(name=name, datatype=datatype, shape=shape)
        if is_raw:
            made.raw_input_contents.append(bytes_of(datatype, values))
            continue
        sent = [value.encode() for value in values] if datatype == "BYTES" else values
        getattr(tensor.contents, CONTENTS[datatype]).extend(sent)
    return made


def read(made: Any, order: Callable[[], tuple[str, ...]] = tuple) -> InferenceRequest:
    return read_message(read_envelope(made.SerializeToString()), LIMITS, order)


def by_rest(given: Tensors, order: tuple[str, ...] = ()) -> InferenceRequest:
    inputs = [
        {"name": name, "datatype": datatype, "shape": shape, "data": values}
        for name, (datatype, shape, values) in given.items()
    ]
    return read_request(json.dumps({"inputs": inputs}).encode(), LIMITS, lambda: order)


def refusal(made: Any, order: tuple[str, ...] = ()) -> RequestInvalid:
    with pytest.raises(RequestInvalid) as caught:
        read(made, lambda: order)
    return caught.value


@SHORT
@given(given=tensors())
def test_raw_contents_are_read_as_rest_is(given: Tensors) -> None:
    by_grpc = read(message(given, is_raw=True))
    expected = by_rest(given)
    assert dict(by_grpc.tensors) == dict(expected.tensors)
    assert (by_grpc.rows, by_grpc.ids) == (expected.rows, expected.ids)


@SHORT
@given(
    values=st.lists(NUMBERS["FP64"], min_size=2, max_size=24),
    datatype=st.sampled_from(["FP16", "FP32", "FP64", "INT64"]),
    width=st.integers(1, 4),
    has_ids=st.booleans(),
)
def test_a_matrix_is_read_as_rest_reads_it(
    values: list[float], datatype: str, width: int, has_ids: bool
) -> None:
    """Of as many columns as the model has, or of others, which both refuse."""
    rows = len(values) // width
    kind = {"FP16": np.float16, "FP32": np.float32, "FP64": np.float64, "INT64": np.int64}[datatype]
    limited = np.clip(values[: rows * width], -60_000, 60_000).astype(kind)
    given: Tensors = {"all": (datatype, [rows, width], limited.tolist())}
    if has_ids:
        given["id"] = "BYTES", [rows], [f"r{n}" for n in range(rows)]
    order = ("a", "b", "c")
    made = message(given, is_raw=True)
    try:
        expected = by_rest(given, order)
    except RequestInvalid as exc:
        assert refusal(made, order).code == exc.code
        return
    found = read(made, lambda: order)
    assert (found.rows, found.ids) == (expected.rows, expected.ids)
    assert dict(found.tensors) == dict(expected.tensors)


@SHORT
@given(given=tensors(tuple(CONTENTS)))
def test_typed_contents_are_read_as_rest_is(given: Tensors) -> None:
    by_grpc = read(message(given, is_raw=False))
    assert by_grpc == by_rest(given)


@pytest.mark.parametrize("is_raw", [True, False])
def test_all_that_a_request_may_say_is_read(is_raw: bool) -> None:
    sent: Tensors = {"x": ("FP64", [2, 2], [1.0, 2.0, 3.0, 4.0]), "id": ("BYTES", [2], ["a", "b"])}
    made = message(sent, is_raw, id="r1")
    made.parameters["missing"].string_param = "null"
    made.parameters["asked_at"].int64_param = 7
    made.parameters["unknown"].double_param = 0.5
    made.outputs.add(name="version")
    made.outputs.add(name="score")
    request = read(made, lambda: ("distance", "hour"))
    assert (request.id, request.rows, request.ids) == ("r1", 2, ["a", "b"])
    assert {name: one.values for name, one in request.tensors.items()} == {
        "distance": [1.0, 3.0],
        "hour": [2.0, 4.0],
    }
    assert request.missing_is_null and request.asked_at == 7
    assert request.outputs == ("version", "score")
    assert request.binary == (frozenset(request.outputs) if is_raw else frozenset())


@pytest.mark.parametrize("is_raw", [True, False])
def test_nan_is_null_where_the_request_says_so(is_raw: bool) -> None:
    made = message({"x": ("FP32", [2], [float("nan"), 1.5])}, is_raw)
    assert refusal(made).code == "request.not-finite"
    made.parameters["missing"].string_param = "null"
    assert read(made).tensors["x"].values == [None, 1.5]


def changed(change: Callable[[Any], object], is_raw: bool = False) -> Any:
    made = message(
        {"x": ("FP64", [2], [1.0, 2.0]), "y": ("BYTES", [2], ["a", "b"])}, is_raw, id="r1"
    )
    change(made)
    return made


@pytest.mark.parametrize(
    ("made", "code", "where"),
    [
        (changed(lambda m: m.ClearField("inputs")), "request.malformed", ""),
        (changed(lambda m: setattr(m, "id", "x" * 257)), "request.malformed", ""),
        (changed(lambda m: m.inputs[0].ClearField("name")), "request.malformed", "inputs[0]"),
        (changed(lambda m: m.inputs.extend([m.inputs[0]] * 20)), "request.malformed", ""),
        (changed(lambda m: [m.outputs.add() for _ in range(21)]), "request.malformed", ""),
        (changed(lambda m: m.inputs.append(m.inputs[0])), "request.duplicate", "inputs[2]"),
        (
            changed(lambda m: setattr(m.inputs[1], "datatype", "TEXT")),
            "request.wrong-type",
            "inputs[1]",
        ),
        (changed(lambda m: m.inputs[1].shape.append(2)), "request.wrong-shape", "inputs[1]"),
        (changed(lambda m: m.inputs[0].ClearField("shape")), "request.wrong-shape", "inputs[0]"),
        *(
            (
                changed(lambda m, place=place: m.inputs[place].ClearField("shape"), is_raw=True),
                "request.wrong-shape",
                f"inputs[{place}]",
            )
            for place in (0, 1)
        ),
        (
            changed(lambda m: m.inputs[0].shape.__setitem__(0, -1)),
            "request.wrong-shape",
            "inputs[0]",
        ),
        (
            changed(lambda m: m.inputs[0].shape.__setitem__(0, 2**62)),
            "request.wrong-shape",
            "inputs[0]",
        ),
        (
            changed(lambda m: m.inputs[0].shape.__setitem__(0, 3)),
            "request.wrong-shape",
            "inputs[0]",
        ),
        (changed(lambda m: m.inputs[0].ClearField("contents")), "request.wrong-shape", "inputs[0]"),
        (
            changed(lambda m: setattr(m.inputs[0], "datatype", "FP32")),
            "request.wrong-type",
            "inputs[0]",
        ),
        (
            changed(lambda m: setattr(m.inputs[0], "datatype", "FP16")),
            "request.wrong-type",
            "inputs[0]",
        ),
        (
            changed(lambda m: m.inputs[1].contents.int64_contents.append(1)),
            "request.wrong-type",
            "inputs[1]",
        ),
        (
            changed(lambda m: m.inputs[1].contents.bytes_contents.__setitem__(1, b"\xff")),
            "request.binary",
            "inputs[1]",
        ),
        (
            changed(lambda m: m.inputs[0].contents.fp64_contents.__setitem__(1, float("inf"))),
            "request.not-finite",
            "inputs[0]",
        ),
        (
            changed(lambda m: m.inputs[0].parameters["shared_memory_region"].SetInParent()),
            "request.unsupported",
            "inputs[0]",
        ),
        (changed(lambda m: m.raw_input_contents.append(b"")), "request.binary", ""),
        (
            changed(lambda m: m.raw_input_contents.extend([bytes(16), bytes(8)])),
            "request.binary",
            "inputs[0]",
        ),
        (changed(lambda m: m.raw_input_contents.pop(), is_raw=True), "request.binary", ""),
        (
            changed(lambda m: m.raw_input_contents.__setitem__(0, bytes(15)), is_raw=True),
            "request.binary",
            "inputs[0]",
        ),
        (
            changed(lambda m: m.raw_input_contents.__setitem__(1, b"\xff" * 8), is_raw=True),
            "request.binary",
            "inputs[1]",
        ),
        (
            changed(
                lambda m: m.raw_input_contents.__setitem__(1, b"\0\0\0\0\x09\0\0"), is_raw=True
            ),
            "request.binary",
            "inputs[1]",
        ),
        (changed(lambda m: m.outputs.add(name="label")), "request.unknown-output", ""),
        (
            changed(lambda m: m.parameters["missing"].MergeFromString(b"\x1a\x04zero")),
            "request.malformed",
            "",
        ),
        (
            changed(lambda m: m.parameters["asked_at"].MergeFromString(b"\x08\x01")),
            "request.malformed",
            "",
        ),
        (message({"x": ("FP64", [101], [0.5] * 101)}, True), "request.too-many-rows", ""),
    ],
)
def test_what_is_wrong_is_said_with_the_field(made: Any, code: str, where: str) -> None:
    error = refusal(made)
    assert error.code == code
    if where:
        assert error.faults and error.faults[0].where == where


def test_a_number_beyond_its_datatype_is_refused() -> None:
    for datatype, value in (("INT8", 128), ("INT16", -(2**15) - 1), ("UINT8", 256)):
        made = message({"x": ("INT32" if "U" not in datatype else "UINT32", [1], [value])}, False)
        made.inputs[0].datatype = datatype
        error = refusal(made)
        assert error.code == "request.wrong-type" and datatype in error.what


NESTED = ModelInferRequest(model_name="m", inputs=[InferInputTensor(name="x", shape=[1])])


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (b"\x0a\x05ab", "model_name"),
        (b"\x0a\x02\xff\xfe", "model_name"),
        (b"\x1a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "id"),
        (b"\x2a\x00" * 3 + b"\x2a\x02\x0a\x09", "inputs[3].name"),
        (b"\x2a\x04\x0a\x02\xff\xff", "inputs[0].name"),
        (b"\x2a\x05\x2a\x03\x3a\x01\x00", "inputs[0].contents.fp64_contents"),
        (b"\x2a\x05\x2a\x03\x32\x01\x00", "inputs[0].contents.fp32_contents"),
        (b"\x2a\x03\x1a\x01\xff", "inputs[0].shape"),
        (b"\x2a\x00\x22\x04\x0a\x02\xff\xff", "parameters[0].key"),
        (b"\x2a\x00\x32\x03\x0a\x05x", "outputs[0].name"),
        (b"\x3a\x03\x00", "raw_input_contents[0]"),
        (NESTED.SerializeToString()[:-1], "inputs[0]"),
        (b"\x00", "field 0"),
        (b"\x0f", "model_name"),
        (b"\x0c", "model_name"),
        (b"\xff", "the message"),
        (b"\x7d\x00", "field 15"),
    ],
)
def test_what_is_no_protobuf_is_said_with_the_field(body: bytes, where: str) -> None:
    with pytest.raises(RequestInvalid) as caught:
        read_message(read_envelope(body), LIMITS)
    assert caught.value.code == "request.malformed"
    assert caught.value.faults[0].where == where


def taken_or_refused(body: bytes) -> None:
    try:
        request = read_message(read_envelope(body), LIMITS)
    except RequestInvalid as exc:
        assert exc.what and exc.code.startswith("request.")
    else:
        assert {len(one.values) for one in request.tensors.values()} <= {request.rows}


@st.composite
def damaged(draw: Any) -> bytes:
    """A right message with bytes of it changed, put in or cut off."""
    is_raw = draw(st.booleans())
    right = message(draw(tensors(tuple(CONTENTS))), is_raw, id="r1")
    if draw(st.booleans()):
        right.parameters["missing"].string_param = "null"
        right.outputs.add(name="score")
    body = bytearray(right.SerializeToString())
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(body)))
        body[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(body)


@SHORT
@given(body=st.binary(max_size=60))
def test_any_bytes_are_taken_or_refused(body: bytes) -> None:
    taken_or_refused(body)


@SHORT
@given(body=damaged())
def test_any_damaged_message_is_taken_or_refused(body: bytes) -> None:
    taken_or_refused(body)


@pytest.mark.long
@LONG
@given(body=st.one_of(damaged(), st.binary(max_size=400)))
def test_many_damaged_messages_are_taken_or_refused(body: bytes) -> None:
    taken_or_refused(body)


def test_millions_of_empty_parts_are_refused_unread() -> None:
    for part in (b"\x2a\x00", b"\x32\x00", b"\x22\x00"):
        with pytest.raises(RequestInvalid) as caught:
            read_message(read_envelope(b"\x2a\x00" + part * 2_000_000), LIMITS)
        assert caught.value.code == "request.malformed"
        assert "more than 20" in caught.value.what


@st.composite
def answers(draw: Any) -> tuple[InferenceRequest, Predictions]:
    rows = draw(st.integers(1, 300))
    given: Tensors = {"x": ("FP64", [rows], [0.5] * rows)}
    outputs = draw(st.lists(st.sampled_from(["score", "version", "prediction_id"]), unique=True))
    made = message(given, draw(st.booleans()))
    for name in outputs:
        made.outputs.add(name=name)
    request = read_message(read_envelope(made.SerializeToString()), Limits())
    versions = draw(st.sampled_from([[1], [1, 2**40], [127, 128]]))
    predictions = Predictions(
        model=draw(st.text(st.characters(exclude_categories=["Cs"]), min_size=1)),
        request_id=draw(st.text("ab√", min_size=1, max_size=200)),
        scores=[n / 7 for n in range(rows)],
        versions=[versions[n % len(versions)] for n in range(rows)],
        prediction_ids=[f"é/{n}" for n in range(rows)],
    )
    return request, predictions


@SHORT
@given(answer=answers())
def test_an_answer_says_what_rest_says(answer: tuple[InferenceRequest, Predictions]) -> None:
    request, predictions = answer
    told = ModelInferResponse.FromString(response_message(request, predictions))
    by_rest, _ = inference_response(
        InferenceRequest(**{name: getattr(request, name) for name in FIELDS}, binary=frozenset()),
        predictions,
    )
    expected = json.loads(by_rest)
    assert told.model_name == expected["model_name"] and told.id == expected["id"]
    assert told.model_version == expected.get("model_version", "")
    assert [outputs_of(told, place) for place in range(len(told.outputs))] == expected["outputs"]
    assert bool(told.raw_output_contents) == bool(request.binary)


FIELDS = ("id", "rows", "ids", "tensors", "missing_is_null", "asked_at", "outputs")


def outputs_of(told: Any, place: int) -> dict[str, Any]:
    """As REST has it."""
    output = told.outputs[place]
    if told.raw_output_contents:
        values = raw_values(output.datatype, told.raw_output_contents[place])
    else:
        values = list(getattr(output.contents, CONTENTS[output.datatype]))
        if output.datatype == "BYTES":
            values = [value.decode() for value in values]
    return {
        "name": output.name,
        "datatype": output.datatype,
        "shape": list(output.shape),
        "data": values,
    }


def raw_values(datatype: str, raw: bytes) -> list[Any]:
    if datatype != "BYTES":
        return list(np.frombuffer(raw, {"FP64": "<f8", "INT64": "<i8"}[datatype]).tolist())
    values = []
    while raw:
        end = 4 + int.from_bytes(raw[:4], "little")
        values.append(raw[4:end].decode())
        raw = raw[end:]
    return values


def test_a_stream_says_answers_and_errors() -> None:
    request = read(message({"x": ("FP64", [1], [0.5])}, True))
    answer = response_message(request, Predictions("m", "r1", [0.5], [1], ["r1/0"]))
    told = ModelStreamInferResponse.FromString(stream_message(answer))
    assert told.infer_response.SerializeToString() == answer and not told.error_message
    error = FreeholdError("it is wrong", why="so it is", code="request.wrong")
    told = ModelStreamInferResponse.FromString(stream_error(error, "m", "r2"))
    assert told.error_message == "[request.wrong] it is wrong (so it is)"
    assert (told.infer_response.model_name, told.infer_response.id) == ("m", "r2")
    assert told.infer_response.parameters["code"].string_param == "request.wrong"


def test_an_error_is_cut_to_what_a_header_takes() -> None:
    assert len(error_text(FreeholdError("x" * 10_000, code="request.malformed"))) < 600


def test_metadata_are_those_of_rest() -> None:
    columns = Columns((Column("distance", "number"), Column("carrier", "category", ("AA",))))
    told = ModelMetadataResponse.FromString(metadata_message("delay", [1, 2], [columns, columns]))
    expected = model_metadata("delay", [1, 2], [columns, columns])
    assert (told.name, list(told.versions), told.platform) == (
        expected["name"],
        expected["versions"],
        expected["platform"],
    )
    for which in ("inputs", "outputs"):
        assert [(one.name, one.datatype, list(one.shape)) for one in getattr(told, which)] == [
            (one["name"], one["datatype"], one["shape"]) for one in expected[which]
        ]
