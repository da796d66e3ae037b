"""Input tensors of the Open Inference Protocol, version 2, section "Request Input" of its REST API.

Each is one column of the rows: shape [n] or [n, 1], data flat or nested, null for what is missing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from freehold.domain.errors import Fault

_NONE = type(None)
_NUMBERS: frozenset[type] = frozenset({int, float, _NONE})
_INTEGERS: frozenset[type] = frozenset({int, _NONE})
_TYPES: Mapping[str, frozenset[type]] = {
    "BYTES": frozenset({str, _NONE}),
    "BOOL": frozenset({bool, _NONE}),
    **dict.fromkeys(("FP16", "FP32", "FP64"), _NUMBERS),
    **dict.fromkeys(
        (f"{sign}INT{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)),
        _INTEGERS,
    ),
}


@dataclass(frozen=True, slots=True)
class Tensor:
    name: str
    datatype: str
    values: list[Any]
    """[n]: str, bool, int or float as the datatype says, or None."""

    @property
    def is_text(self) -> bool:
        return self.datatype == "BYTES"


def read_tensor(value: Any, place: int) -> Tensor | Fault:
    """The tensor, or the first thing wrong with it."""
    where = f"inputs[{place}]"
    if type(value) is not dict:
        return Fault("request.malformed", "must be an object", where)
    name, datatype = value.get("name"), value.get("datatype")
    if type(name) is not str or not name:
        return Fault("request.malformed", "'name' must be a string, not empty", where)
    if type(datatype) is not str or datatype not in _TYPES:
        known = ", ".join(sorted(_TYPES))
        return Fault("request.wrong-type", f"'datatype' must be one of {known}", where)
    parameters = value.get("parameters")
    if parameters is not None and (
        type(parameters) is not dict or "binary_data_size" in parameters
    ):
        return Fault("request.binary", "binary data is not offered: send it as JSON", where)
    shape, data = value.get("shape"), value.get("data")
    rows = _rows(shape)
    if rows is None:
        return Fault("request.wrong-shape", f"'{name}' must have the shape [n] or [n, 1]", where)
    if type(data) is not list or len(data) != rows:
        return Fault("request.wrong-shape", f"'{name}' must hold {rows} values", where)
    if len(value["shape"]) == 2 and rows and type(data[0]) is list:
        if any(type(item) is not list or len(item) != 1 for item in data):
            return Fault("request.wrong-shape", f"'{name}' must hold lists of one value", where)
        data = [item[0] for item in data]
    if not _TYPES[datatype].issuperset(map(type, data)):
        return Fault("request.wrong-type", f"'{name}' holds what is no {datatype}", where)
    if "INT" in datatype and not _fits(data, datatype):
        return Fault("request.wrong-type", f"'{name}' holds a number beyond {datatype}", where)
    return Tensor(name, datatype, data)


def _rows(shape: Any) -> int | None:
    if type(shape) is not list or not 1 <= len(shape) <= 2:
        return None
    if any(type(size) is not int for size in shape) or shape[0] < 0:
        return None
    if len(shape) == 2 and shape[1] != 1:
        return None
    return int(shape[0])


def _fits(data: list[Any], datatype: str) -> bool:
    unsigned, bits = datatype.startswith("U"), int(datatype.partition("INT")[2])
    low, high = (0, 2**bits) if unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1))
    return all(value is None or low <= value < high for value in data)
