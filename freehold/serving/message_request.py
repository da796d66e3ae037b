"""ModelInferRequest of the Open Inference Protocol, version 2, over gRPC, as an InferenceRequest.

Tensors come all in `raw_input_contents`, laid out as the binary tensor data extension has it, or
all in typed `contents`. What is quickly seen to be right is read here; all the rest is put as REST
has it, and read, or refused, by the reader of that protocol: so both have one grammar. NaN is null
if the request says `missing: "null"`. An answer comes raw where the request did, unless
`binary_data_output` says otherwise.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from math import isfinite
from typing import Any, NamedTuple

import numpy as np
import orjson
from google.protobuf.message import DecodeError

from freehold.domain.errors import Fault
from freehold.serving.binary_tensor import bytes_of, values_of
from freehold.serving.inference_messages import (
    Envelope,
    InferInputTensor,
    InferRequestedOutputTensor,
    ModelInferRequest,
    NamedParameter,
)
from freehold.serving.message_faults import malformed
from freehold.serving.open_inference import read_request
from freehold.serving.request import (
    ID,
    OUTPUTS,
    InferenceRequest,
    Limits,
    Parameters,
    invalid,
    made_request,
    raise_any,
    read_parameters,
)
from freehold.serving.tensor import DATATYPES, NumberMatrix, Tensor

CONTENTS: Mapping[str, str] = {
    "BOOL": "bool_contents",
    **dict.fromkeys(("INT8", "INT16", "INT32"), "int_contents"),
    "INT64": "int64_contents",
    **dict.fromkeys(("UINT8", "UINT16", "UINT32"), "uint_contents"),
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}
"""Field of the typed contents by datatype; FP16 has none."""
_FORMATS: Mapping[str, str] = {
    **dict(zip(("FP16", "FP32", "FP64"), "efd", strict=True)),
    **dict(zip(("INT8", "INT16", "INT32", "INT64"), "bhiq", strict=True)),
    **dict(zip(("UINT8", "UINT16", "UINT32", "UINT64"), "BHIQ", strict=True)),
}
"""Of the module struct."""
_RANGES: Mapping[str, tuple[int, int]] = {
    "INT8": (-(2**7), 2**7 - 1),
    "INT16": (-(2**15), 2**15 - 1),
    "UINT8": (0, 2**8 - 1),
    "UINT16": (0, 2**16 - 1),
}
"""Of the datatypes whose field holds more than they do."""
_RAW, _TYPED = Parameters(binary_data_output=True), Parameters()
_ALL, _NONE = frozenset(OUTPUTS), frozenset[str]()
_LENGTH = struct.Struct("<I").unpack_from
_KEPT = 32 * 1024
"""Bytes of tensors' descriptions of which it is kept what they say."""


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
    _check_counts(envelope, limits)
    try:
        inputs, outputs = tuple(envelope.inputs), tuple(envelope.outputs)
        raw = list(envelope.raw_input_contents)
        said = _RAW if raw else _TYPED
        given = None
        if envelope.parameters:
            given = _parameters(envelope.parameters)
            given.setdefault("binary_data_output", bool(raw))
            said = read_parameters(given)
        found = (
            _raw_columns(inputs, outputs, raw, order) if raw else _typed_columns(inputs, outputs)
        )
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


def _check_counts(envelope: Any, limits: Limits) -> None:
    count, most = len(envelope.inputs), limits.tensors
    if count == 0:
        raise invalid("request.malformed", "'inputs' must hold a tensor at least")
    for name in ("inputs", "outputs", "parameters"):
        if len(getattr(envelope, name)) > most:
            raise invalid("request.malformed", f"there are more than {most} {name}")
    raw = len(envelope.raw_input_contents)
    if raw not in (0, count):
        what = f"'raw_input_contents' has the data of {raw} tensors, and 'inputs' has {count}"
        raise invalid("request.binary", what)


def _parameters(entries: Sequence[bytes]) -> dict[str, Any]:
    """As JSON has them. Raises DecodeError."""
    named = [NamedParameter.FromString(entry) for entry in entries]
    return {one.key: _parameter(one.value) for one in named}


def _parameter(value: Any) -> Any:
    choice = value.WhichOneof("parameter_choice")
    return None if choice is None else getattr(value, choice)


class _Group(NamedTuple):
    """Columns of one datatype of numbers."""

    places: tuple[int, ...]
    values: struct.Struct
    """Of all of them, one after the other."""
    size: int
    """Bytes of each."""
    is_float: bool


class _Layout(NamedTuple):
    """What the descriptions of raw tensors say, where each is a column, or one is all but the id,
    and they say no more."""

    names: tuple[str, ...]
    datatypes: tuple[str, ...]
    rows: int
    groups: tuple[_Group, ...]
    others: tuple[int, ...]
    """Places of the tensors that are in no group."""
    floats: np.dtype[Any] | None
    """If all but the id are floats of one kind."""
    columns: tuple[str, ...]
    """Names of the floats, if they came apart."""
    width: int
    """Of the tensor that is all columns; 0: there is none."""
    outputs: tuple[str, ...]


def _raw_columns(
    inputs: tuple[bytes, ...],
    outputs: tuple[bytes, ...],
    raw: list[bytes],
    order: Callable[[], Sequence[str]],
) -> tuple[dict[str, Tensor] | NumberMatrix, tuple[str, ...]] | None:
    """The columns and the outputs asked for; None if not quickly seen to be right.

    Raises DecodeError.
    """
    if sum(map(len, inputs)) + sum(map(len, outputs)) > _KEPT:
        return None
    layout = _layout(inputs, outputs)
    if layout is None:
        return None
    if layout.floats is not None:
        matrix = _matrix(layout, raw, order)
        return None if matrix is None else (matrix, layout.outputs)
    rows = layout.rows
    lists: list[Any] = [None] * len(raw)
    for group in layout.groups:
        parts = [raw[place] for place in group.places]
        if any(len(part) != group.size for part in parts):
            return None
        flat = group.values.unpack(b"".join(parts))
        if group.is_float and not isfinite(sum(flat)):
            return None
        for at, place in enumerate(group.places):
            lists[place] = list(flat[at * rows : at * rows + rows])
    for place in layout.others:
        lists[place] = _others(layout.datatypes[place], rows, raw[place])
        if lists[place] is None:
            return None
    columns = zip(layout.names, map(Tensor, layout.names, layout.datatypes, lists), strict=True)
    return dict(columns), layout.outputs


def _matrix(
    layout: _Layout, raw: list[bytes], order: Callable[[], Sequence[str]]
) -> NumberMatrix | None:
    """All numbers without a list in between; None if not quickly seen to be right."""
    (group,), ids = layout.groups, None
    for place in layout.others:
        values = _others("BYTES", layout.rows, raw[place])
        if values is None:
            return None
        ids = Tensor(ID, "BYTES", values)
    parts = [raw[place] for place in group.places]
    if any(len(part) != group.size for part in parts):
        return None
    flat = np.frombuffer(b"".join(parts), layout.floats).astype(np.float64)
    # NaN and infinity stay what they are; what is only too large to be squared loses time.
    if not isfinite(np.dot(flat, flat)):
        return None
    datatype = layout.datatypes[group.places[0]]
    if not layout.width:
        numbers = np.ascontiguousarray(flat.reshape(-1, layout.rows).T)
        return NumberMatrix(layout.columns, datatype, numbers, ids)
    names = tuple(order())
    if len(names) != layout.width:
        return None
    return NumberMatrix(names, datatype, flat.reshape(layout.rows, -1), ids)


def _others(datatype: str, rows: int, raw: bytes) -> list[Any] | None:
    """Values of BYTES or BOOL; None if not quickly seen to be right."""
    if datatype != "BYTES" or not raw.isascii():
        try:
            return values_of(datatype, rows, raw, nan_is_null=False)
        except ValueError:
            return None
    # One decoding for all: a slice of text costs a third of what making text of a slice does.
    text, at, end = str(raw, "ascii"), 0, len(raw)
    values: list[Any] = []
    while at < end and len(values) < rows:
        start = at + 4
        if start > end:
            return None
        at = start + _LENGTH(raw, at)[0]
        values.append(text[start:at])
    return values if at == end and len(values) == rows else None


@lru_cache(maxsize=256)
def _layout(inputs: tuple[bytes, ...], outputs: tuple[bytes, ...]) -> _Layout | None:
    """Callers ask alike again and again. Raises DecodeError."""
    described = [InferInputTensor.FromString(one) for one in inputs]
    size, wanted = _size(described), _wanted(outputs)
    if size is None or wanted is None or any(one.HasField("contents") for one in described):
        return None
    rows, width = size
    names = tuple(one.name for one in described)
    datatypes = tuple(one.datatype for one in described)
    groups = []
    for datatype in dict.fromkeys(datatypes):
        places = tuple(place for place, one in enumerate(datatypes) if one == datatype)
        if datatype in _FORMATS:
            count = rows * len(places) * max(width, 1)
            values = struct.Struct(f"<{count}{_FORMATS[datatype]}")
            size_of_each = values.size // len(places)
            groups.append(_Group(places, values, size_of_each, datatype.startswith("FP")))
    others = tuple(place for place, one in enumerate(datatypes) if one not in _FORMATS)
    floats = None
    are_apart = all((names[place] == ID) == (place in others) for place in range(len(names)))
    if len(groups) == 1 and groups[0].is_float and are_apart:
        floats = np.dtype(f"<{_FORMATS[datatypes[groups[0].places[0]]]}")
    elif width:
        return None
    return _Layout(
        names=names,
        datatypes=datatypes,
        rows=rows,
        groups=tuple(groups),
        others=others,
        floats=floats,
        columns=() if width else tuple(name for name in names if name != ID),
        width=width,
        outputs=wanted,
    )


def _size(described: Sequence[Any]) -> tuple[int, int] | None:
    """Rows of every tensor, and the width of the one that is all columns, or 0. None unless each
    is one column with a name of its own, or one is all but the id, and they say nothing more.
    """
    shapes = [tuple(one.shape) for one in described]
    rows = shapes[0][0] if shapes[0] else 0
    wide = [shape[1] for shape in shapes if len(shape) == 2 and shape[1] != 1]
    if not 0 < rows < 2**31 or len({one.name for one in described}) < len(described):
        return None
    for one, shape in zip(described, shapes, strict=True):
        is_right = one.name and one.datatype in DATATYPES and not one.parameters
        if not is_right or shape[0] != rows or len(shape) > 2:
            return None
    if not wide:
        return rows, 0
    (width, *more), names = wide, [one.name for one in described]
    is_alone = len(names) == 1 + (ID in names) and not more
    is_id = shapes[names.index(ID)][1:] not in ((), (1,)) if ID in names else False
    return (rows, width) if is_alone and not is_id and 1 < width < 2**16 else None


def _wanted(outputs: Sequence[bytes]) -> tuple[str, ...] | None:
    """Raises DecodeError."""
    if not outputs:
        return OUTPUTS
    asked = [InferRequestedOutputTensor.FromString(one) for one in outputs]
    if any(one.parameters or one.name not in OUTPUTS for one in asked):
        return None
    return tuple(dict.fromkeys(one.name for one in asked))


def _typed_columns(
    inputs: tuple[bytes, ...], outputs: tuple[bytes, ...]
) -> tuple[dict[str, Tensor], tuple[str, ...]] | None:
    """As `_raw_columns`, of contents with types. Raises DecodeError."""
    wanted = _wanted(outputs)
    if wanted is None:
        return None
    tensors: dict[str, Tensor] = {}
    rows = None
    for data in inputs:
        one = InferInputTensor.FromString(data)
        name, datatype, shape = one.name, one.datatype, one.shape
        if one.parameters or not name or name in tensors or not _is_column(shape):
            return None
        values = _values(datatype, one.contents.ListFields())
        rows = shape[0] if rows is None else rows
        if values is None or len(values) != rows or shape[0] != rows:
            return None
        tensors[name] = Tensor(name, datatype, values)
    return tensors, wanted


def _is_column(shape: Sequence[int]) -> bool:
    count = len(shape)
    return count == 1 or (count == 2 and shape[1] == 1)


def _values(datatype: str, filled: Sequence[Any]) -> list[Any] | None:
    """`filled`: fields of the contents, and what is in them. None if not quickly seen to be right:
    there is no value, too."""
    if len(filled) != 1:
        return None
    (field, found), *_ = filled
    if field.name != CONTENTS.get(datatype):
        return None
    values = list(found)
    if datatype == "BYTES":
        return _texts(values)
    if datatype in ("FP32", "FP64"):
        return values if isfinite(sum(values)) else None
    if datatype in _RANGES:
        low, high = _RANGES[datatype]
        return values if low <= min(values) and max(values) <= high else None
    return values


def _texts(values: list[bytes]) -> list[Any] | None:
    try:
        return [str(value, "utf-8") for value in values]
    except UnicodeDecodeError:
        return None


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
                item["data"] = _texts(values) if tensor.datatype == "BYTES" else values
            return item, b""
    parameters["binary_data_size"] = len(raw)
    return item, raw


def _unwritable(datatype: str, values: list[Any]) -> bytes | None:
    """Typed contents that JSON cannot hold, as raw ones."""
    if datatype == "BYTES" and _texts(values) is None:
        return b"".join(len(value).to_bytes(4, "little") + value for value in values)
    if datatype in ("FP32", "FP64") and not np.isfinite(values).all():
        return bytes_of(datatype, values)
    return None


def _of(message: Any) -> dict[str, Any]:
    """Its parameters, as JSON has them."""
    return {key: _parameter(value) for key, value in message.parameters.items()}
