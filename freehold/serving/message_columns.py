"""The columns of a ModelInferRequest, where it is quickly seen that they are right.

What descriptions of raw tensors say is kept from call to call; floats of one kind become a matrix
without a list in between.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from math import isfinite
from typing import Any, NamedTuple

import numpy as np

from freehold.serving.binary_tensor import values_of
from freehold.serving.inference_messages import InferInputTensor, InferRequestedOutputTensor
from freehold.serving.request import ID, OUTPUTS
from freehold.serving.tensor import DATATYPES, NumberMatrix, Tensor, fit_float32

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
_LENGTH = struct.Struct("<I").unpack_from
_KEPT = 32 * 1024
"""Bytes of tensors' descriptions of which it is kept what they say."""


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


def raw_columns(
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
        if set(map(len, parts)) != {group.size}:
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
    if set(map(len, parts)) != {group.size}:
        return None
    flat = np.frombuffer(b"".join(parts), layout.floats)
    if layout.floats != np.float64:
        flat = flat.astype(np.float64)
    if not fit_float32(flat) and not np.isfinite(flat).all():
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
        if not is_right or shape[:1] != (rows,) or len(shape) > 2:
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


def typed_columns(
    inputs: tuple[bytes, ...], outputs: tuple[bytes, ...]
) -> tuple[dict[str, Tensor], tuple[str, ...]] | None:
    """As `raw_columns`, of contents with types. Raises DecodeError."""
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
        return texts(values)
    if datatype in ("FP32", "FP64"):
        return values if isfinite(sum(values)) else None
    if datatype in _RANGES:
        low, high = _RANGES[datatype]
        return values if low <= min(values) and max(values) <= high else None
    return values


def texts(values: list[bytes]) -> list[Any] | None:
    try:
        return [str(value, "utf-8") for value in values]
    except UnicodeDecodeError:
        return None
