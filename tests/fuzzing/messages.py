"""The readers of gRPC's messages, and of those that are none."""

from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from freehold.serving.inference_messages import ModelInferRequest, ModelInferResponse
from freehold.serving.message_columns import CONTENTS
from freehold.serving.message_faults import malformed
from freehold.serving.message_request import read_envelope, read_message
from freehold.serving.message_response import error_text, response_message
from freehold.serving.request import InferenceRequest
from freehold.serving.response import Predictions

from .law import Broken, Reading, Target, refusal
from .requests import LIMITS, order, taken


def message(data: bytes) -> Reading:
    request = read_message(read_envelope(data), LIMITS, order)
    return taken(data, request, _answer)


def _answer(request: InferenceRequest, predictions: Predictions) -> None:
    answer = ModelInferResponse.FromString(response_message(request, predictions))
    if len(answer.outputs) != len(request.outputs):
        raise Broken("an output is not answered")


def faults(data: bytes) -> Reading:
    """Whoever reads a message once more, and slowly, blames nothing in what the parser takes."""
    error = malformed(ModelInferRequest, data)
    told = refusal(error, data)
    error_text(error).encode("ascii")
    try:
        ModelInferRequest.FromString(data)
    except DecodeError:
        return Reading(told)
    if "is a group" not in error.what and not error.what.startswith("the message:"):
        raise Broken(f"the parser takes this message, and it is said that {error.what}")
    return Reading(told)


def raw(name: str, datatype: str, shape: list[int], **more: Any) -> Any:
    return ModelInferRequest.InferInputTensor(name=name, datatype=datatype, shape=shape, **more)


def typed(name: str, datatype: str, values: list[Any]) -> Any:
    return raw(name, datatype, [len(values)], contents={CONTENTS[datatype]: values})


def request(*inputs: Any, **more: Any) -> bytes:
    found: bytes = ModelInferRequest(model_name="delay", inputs=inputs, **more).SerializeToString()
    return found


FLOATS = np.array([1, 2, 3, 4], "<f4").tobytes()
SAYS = {
    "missing": {"string_param": "null"},
    "binary_data_output": {"bool_param": True},
    "asked_at": {"int64_param": 5},
}
SEEDS = (
    request(raw("all", "FP32", [2, 2]), raw_input_contents=[FLOATS]),
    request(
        raw("distance", "FP32", [2]),
        raw("hour", "FP32", [2, 1]),
        raw("id", "BYTES", [2]),
        raw_input_contents=[FLOATS[:8], FLOATS[8:], b"\1\0\0\0a\1\0\0\0b"],
        id="r",
    ),
    request(
        typed("distance", "FP64", [1.5, float("nan")]),
        typed("carrier", "BYTES", [b"UA", "é".encode()]),
        parameters=SAYS,
        outputs=[ModelInferRequest.InferRequestedOutputTensor(name="score")],
    ),
    request(typed("distance", "INT8", [1, -1]), typed("hour", "UINT64", [1, 2**63])),
    request(typed("distance", "BOOL", [True]), typed("hour", "INT64", [-(2**63)])),
    request(
        raw("distance", "FP16", [1]), raw("hour", "INT16", [1]), raw_input_contents=[b"\0\1"] * 2
    ),
    request(raw("distance", "FP64", [1], parameters={"a": {"double_param": 1.0}})),
)
WORDS = (
    *(name.encode() for name in ("distance", "hour", "carrier", "id", "missing", "null", "score")),
    *(name.encode() for name in CONTENTS),
    *(b"\x2a", b"\x3a\x08", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
)
MESSAGES = {
    "messages": Target("a ModelInferRequest", message, SEEDS, WORDS),
    "message-faults": Target("what a message is blamed for", faults, SEEDS, WORDS),
}
