"""ModelInferRequest of the Open Inference Protocol, version 2, over gRPC, as an InferenceRequest.

Tensors come all in `raw_input_contents`, laid out as the binary tensor data extension has it, or
all in typed `contents`. What is quickly seen to be right is read here; all the rest is put as REST
has it, and read, or refused, by the reader of that protocol: so both have one grammar. NaN is null
if the request says `missing: "null"`. An answer comes raw where the request did, unless
`binary_data_output` says otherwise.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import orjson
from google.protobuf.message import DecodeError

from freehold.domain.errors import Fault, RequestInvalid
from freehold.serving.binary_tensor import bytes_of
from freehold.serving.inference_messages import (
    Envelope,
    InferInputTensor,
    InferRequestedOutputTensor,
    ModelInferRequest,
    NamedParameter,
)
from freehold.serving.message_columns import CONTENTS, raw_columns, texts, typed_columns
from freehold.serving.message_faults import malformed
from freehold.serving.open_inference import read_request
from freehold.serving.request import (
    OUTPUTS,
    InferenceRequest,
    Limits,
    Parameters,
    invalid,
    made_request,
    raise_any,
    read_parameters,
)
from freehold.serving.tensor import DATATYPES

_RAW, _TYPED = Parameters(binary_data_output=True), Parameters()
_ALL, _NONE = frozenset(OUTPUTS), frozenset[str]()


def read_envelope(body: bytes) -> Any:
    """An Envelope. Raises RequestInvalid `request.malformed` with the field that is to blame."""
    try:
        return Envelope.FromString(body)
    except DecodeError as exc:
        raise malformed(ModelInferRequest, body) from exc


def read_message(
    envelope: Any, limits: Limits, order: Callable[[], Sequence[str]] = tuple
) -> InferenceRequest:
    """`order`: gives the model's columns in their order. The model's name and version are the
    caller's to look at.

    Raises RequestInvalid: `request.malformed`, `request.wrong-shape`, `request.wrong-type`,
    `request.not-finite`, `request.binary`, `request.duplicate`, `request.too-many-rows`,
    `request.unknown-output`, `request.unsupported`.
    """
    inputs, outputs = envelope.inputs, envelope.outputs
    raw, parameters = envelope.raw_input_contents, envelope.parameters
    counts = len(inputs), len(outputs), len(parameters)
    if not counts[0] or max(counts) > limits.tensors or len(raw) not in (0, counts[0]):
        raise _wrong_counts(*counts, len(raw), limits)
    inputs, outputs, raw = tuple(inputs), tuple(outputs), list(raw)
    said = _RAW if raw else _TYPED
    given = None
    try:
        if parameters:
            given = _parameters(parameters)
            given.setdefault("binary_data_output", bool(raw))
            said = read_parameters(given)
        found = raw_columns(inputs, outputs, raw, order) if raw else typed_columns(inputs, outputs)
        if found is None:
            return _as_rest(envelope, given, limits, order)
        tensors, wanted = found
        return made_request(
            tensors,
            limits,
            said=said,
            name=envelope.id,
            outputs=wanted,
            binary=_ALL.intersection(wanted) if said.binary_data_output else _NONE,
        )
    except DecodeError as exc:
        raise malformed(ModelInferRequest, envelope.SerializeToString()) from exc


def _wrong_counts(
    inputs: int, outputs: int, parameters: int, raw: int, limits: Limits
) -> RequestInvalid:
    if inputs == 0:
        return invalid("request.malformed", "'inputs' must hold a tensor at least")
    for name, count in (("inputs", inputs), ("outputs", outputs), ("parameters", parameters)):
        if count > limits.tensors:
            return invalid("request.malformed", f"there are more than {limits.tensors} {name}")
    what = f"'raw_input_contents' has the data of {raw} tensors, and 'inputs' has {inputs}"
    return invalid("request.binary", what)


def _parameters(entries: Sequence[bytes]) -> dict[str, Any]:
    """As JSON has them. Raises DecodeError."""
    named = [NamedParameter.FromString(entry) for entry in entries]
    return {one.key: _parameter(one.value) for one in named}


def _parameter(value: Any) -> Any:
    choice = value.WhichOneof("parameter_choice")
    return None if choice is None else getattr(value, choice)


def _as_rest(
    envelope: Any,
    parameters: dict[str, Any] | None,
    limits: Limits,
    order: Callable[[], Sequence[str]],
) -> InferenceRequest:
    """Raises what `read_message` raises; DecodeError."""
    described = [InferInputTensor.FromString(one) for one in envelope.inputs]
    raw = list(envelope.raw_input_contents)
    raise_any(_contents_faults(described, bool(raw)))
    inputs, parts = [], []
    for place, one in enumerate(described):
        item, part = _input(one, raw[place] if raw else None)
        inputs.append(item)
        parts.append(part)
    asked = [InferRequestedOutputTensor.FromString(one) for one in envelope.outputs]
    head = orjson.dumps(
        {
            "id": envelope.id,
            "parameters": parameters or {"binary_data_output": bool(raw)},
            "inputs": inputs,
            "outputs": [{"name": one.name, "parameters": _of(one)} for one in asked],
        }
    )
    return read_request(b"".join([head, *parts]), limits, order, len(head))


def _contents_faults(described: Sequence[Any], is_raw: bool) -> list[Fault]:
    """Of what only this protocol has: two places where data may be, and a field for each type."""
    faults = []
    for place, one in enumerate(described):
        where, right = f"inputs[{place}]", CONTENTS.get(one.datatype)
        filled = [field.name for field, _ in one.contents.ListFields()]
        if is_raw and filled:
            what = f"'{one.name}' has 'contents' and raw contents: send one of them"
            faults.append(Fault("request.binary", what, where))
        elif one.datatype in DATATYPES and any(name != right for name in filled):
            told = f"contents.{right}" if right else "raw_input_contents"
            what = f"'{one.name}' is {one.datatype}: its data must be in {told},"
            what += f" not in {' and '.join(f'contents.{name}' for name in filled)}"
            faults.append(Fault("request.wrong-type", what, where))
    return faults


def _input(tensor: Any, raw: bytes | None) -> tuple[dict[str, Any], bytes]:
    """As REST has it: the description, and what comes behind the JSON."""
    parameters = _of(tensor)
    # KServe's client leaves its REST parameter in what it sends here.
    parameters.pop("binary_data_size", None)
    item = {
        "name": tensor.name,
        "datatype": tensor.datatype,
        "shape": list(tensor.shape),
        "parameters": parameters,
    }
    if raw is None:
        filled = tensor.contents.ListFields()
        values = list(filled[0][1]) if filled else []
        raw = _unwritable(tensor.datatype, values)
        if raw is None:
            if tensor.datatype in CONTENTS:
                item["data"] = texts(values) if tensor.datatype == "BYTES" else values
            return item, b""
    parameters["binary_data_size"] = len(raw)
    return item, raw


def _unwritable(datatype: str, values: list[Any]) -> bytes | None:
    """Typed contents that JSON cannot hold, as raw ones."""
    if datatype == "BYTES" and texts(values) is None:
        return b"".join(len(value).to_bytes(4, "little") + value for value in values)
    if datatype in ("FP32", "FP64") and not np.isfinite(values).all():
        return bytes_of(datatype, values)
    return None


def _of(message: Any) -> dict[str, Any]:
    """Its parameters, as JSON has them."""
    return {key: _parameter(value) for key, value in message.parameters.items()}
