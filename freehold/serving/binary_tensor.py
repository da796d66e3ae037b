"""Tensors as bytes: the binary tensor data extension of the Open Inference Protocol, version 2.

Values lie in the order of rows, little-endian, without gaps. A BOOL is one byte, 0 or 1; of BYTES
each value is a length of four bytes, and then as many bytes, which here have to be UTF-8.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

_TYPES: Mapping[str, np.dtype[Any]] = {
    "BOOL": np.dtype("<u1"),
    **{f"FP{bits}": np.dtype(f"<f{bits // 8}") for bits in (16, 32, 64)},
    **{f"INT{bits}": np.dtype(f"<i{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": np.dtype(f"<u{bits // 8}") for bits in (8, 16, 32, 64)},
}
_LENGTH = 4
"""Bytes that say how long a value of BYTES is."""


class NotFinite(ValueError):
    """An infinity; or a NaN where that is not to be read as null."""


def values_of(datatype: str, count: int, data: bytes, *, nan_is_null: bool) -> list[Any]:
    """The `count` values that `data` are, as JSON would have brought them.

    Raises NotFinite, or ValueError if the bytes are not that many values of the datatype; the text
    goes on from the tensor's name.
    """
    if datatype == "BYTES":
        return _texts(count, data)
    kind = _TYPES[datatype]
    if len(data) != count * kind.itemsize:
        wanted = count * kind.itemsize
        raise ValueError(f"must be {wanted} bytes, {count} of {datatype}, not {len(data)}")
    array = np.frombuffer(data, kind)
    if datatype == "BOOL":
        if (array > 1).any():
            raise ValueError("holds a BOOL that is neither 0 nor 1")
        array = array.astype(bool)
    values: list[Any] = array.tolist()
    if kind.kind == "f" and not np.isfinite(array).all():
        if np.isinf(array).any():
            raise NotFinite("holds an infinity")
        if not nan_is_null:
            raise NotFinite("holds NaN")
        for place in np.flatnonzero(np.isnan(array)):
            values[place] = None
    return values


def bytes_of(datatype: str, values: Sequence[Any]) -> bytes:
    """None of them may be null."""
    if datatype == "BYTES":
        texts = [value.encode() for value in values]
        return b"".join([len(text).to_bytes(_LENGTH, "little") + text for text in texts])
    return np.array(values, _TYPES[datatype]).tobytes()


def _texts(count: int, data: bytes) -> list[Any]:
    values: list[Any] = []
    at = 0
    while at < len(data) and len(values) < count:
        start = at + _LENGTH
        end = start + int.from_bytes(data[at:start], "little")
        if end > len(data):
            raise ValueError(f"ends within its value {len(values)}")
        try:
            values.append(str(data[start:end], "utf-8"))
        except UnicodeDecodeError as exc:
            raise ValueError(f"holds what is no UTF-8 in its value {len(values)}") from exc
        at = end
    if len(values) != count or at != len(data):
        raise ValueError(f"must be the bytes of {count} values, and no more")
    return values
