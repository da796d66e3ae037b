"""What the endpoint says by the Open Inference Protocol, version 2, over gRPC.

A ModelInferResponse is written as bytes at once, without an object in between: each answer differs
from the one before in its numbers only.
"""

import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from freehold.domain.columns import Columns
from freehold.domain.errors import FreeholdError
from freehold.serving.inference_messages import (
    ModelInferResponse,
    ModelMetadataResponse,
    ModelStreamInferResponse,
)
from freehold.serving.request import InferenceRequest
from freehold.serving.response import DATATYPES, Predictions, model_metadata

_LENGTH = struct.Struct("<I").pack
_TEXT = 500
"""Characters of an error that are told: a status is a header, and headers have little room."""
CODE = "code"
"""Parameter of a stream's answer that says the error's code."""


def _field(number: int, data: bytes) -> bytes:
    """A field that is bytes, a string, a message or packed numbers."""
    return bytes([number << 3 | 2]) + _varint(len(data)) + data


_SHORT = tuple(bytes((number,)) for number in range(0x80))


def _varint(number: int) -> bytes:
    if number < 0x80:
        return _SHORT[number]
    parts = []
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)


def response_message(request: InferenceRequest, predictions: Predictions) -> bytes:
    """A ModelInferResponse; raw if all its outputs are to come as bytes.

    `model_version` stands in it only if one version answered all rows.
    """
    versions, rows, outputs = predictions.versions, request.rows, request.outputs
    alone = versions[0] if len(set(versions)) == 1 else None
    name = predictions.request_id.encode()
    parts = [_head(predictions.model, alone), b"\x1a", _varint(len(name)), name]
    if not request.binary.issuperset(outputs):
        values = {
            "score": predictions.scores,
            "version": versions,
            "prediction_id": predictions.prediction_ids,
        }
        for output in outputs:
            contents = _field(5, _contents(output, values[output]))
            parts.append(_field(5, _description(output, rows) + contents))
        return b"".join(parts)
    parts.append(_described(outputs, rows))
    for output in outputs:
        if output == "score":
            begin, layout = _doubles(rows)
            parts += begin, layout.pack(*predictions.scores)
        elif output == "version":
            parts.append(_raw_versions(rows, alone) if alone is not None else _integers(versions))
        else:
            texts = _texts(predictions.prediction_ids)
            parts += b"\x32", _varint(len(texts)), texts
    return b"".join(parts)


@lru_cache(maxsize=64)
def _head(model: str, version: int | None) -> bytes:
    return _field(1, model.encode()) + (b"" if version is None else _field(2, b"%d" % version))


@lru_cache(maxsize=256)
def _described(outputs: tuple[str, ...], rows: int) -> bytes:
    return b"".join(_field(5, _description(name, rows)) for name in outputs)


@lru_cache(maxsize=256)
def _description(name: str, rows: int) -> bytes:
    datatype = DATATYPES[name].encode()
    return _field(1, name.encode()) + _field(2, datatype) + _field(3, _varint(rows))


@lru_cache(maxsize=256)
def _doubles(count: int) -> tuple[bytes, struct.Struct]:
    """What stands before so many of them as a raw output, and how they are packed."""
    layout = struct.Struct(f"<{count}d")
    return b"\x32" + _varint(layout.size), layout


@lru_cache(maxsize=256)
def _raw_versions(count: int, version: int) -> bytes:
    """The raw output where one version answered all rows."""
    return _integers([version] * count)


def _integers(values: Sequence[int]) -> bytes:
    return _field(6, struct.pack(f"<{len(values)}q", *values))


def _texts(values: Sequence[str]) -> bytes:
    """As `binary_tensor` lays them out."""
    encoded = [value.encode() for value in values]
    return b"".join([_LENGTH(len(one)) + one for one in encoded])


def _contents(name: str, values: Sequence[Any]) -> bytes:
    """An InferTensorContents."""
    if name == "score":
        return _field(7, struct.pack(f"<{len(values)}d", *values))
    if name == "version":
        return _field(3, b"".join(map(_varint, values)))
    return b"".join([_field(8, value.encode()) for value in values])


def stream_message(response: bytes) -> bytes:
    """A ModelStreamInferResponse with a ModelInferResponse in it."""
    return b"\x12" + _varint(len(response)) + response


def stream_error(error: FreeholdError, model: str, request_id: str) -> bytes:
    """A ModelStreamInferResponse that says what was wrong with one request, and with which."""
    response = ModelInferResponse(model_name=model, id=request_id)
    response.parameters[CODE].string_param = error.code
    told = ModelStreamInferResponse(error_message=error_text(error), infer_response=response)
    written: bytes = told.SerializeToString()
    return written


def error_text(error: FreeholdError) -> str:
    told = f"[{error.code}] {error.what}"
    if error.why:
        told += f" ({error.why})"
    return told if len(told) <= _TEXT else f"{told[:_TEXT]}…"


def metadata_message(model: str, versions: Sequence[int], inputs: Sequence[Columns]) -> bytes:
    """A ModelMetadataResponse; as `model_metadata`, whose parameters have no place here."""
    told = model_metadata(model, versions, inputs)
    for tensor in told["inputs"]:
        tensor.pop("parameters", None)
    written: bytes = ModelMetadataResponse(**told).SerializeToString()
    return written
