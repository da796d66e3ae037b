"""Input tensors of the Open Inference Protocol, version 2, section "Request Input" of its REST API.

Each is one column of the rows: shape [n] or [n, 1], data flat or nested, null for what is missing.
A tensor of the shape [n, k] is k columns, without their names. The data may be bytes instead, see
`binary_tensor`.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite, isnan
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from freehold.domain.errors import Fault
from freehold.serving.binary_tensor import NotFinite, values_of

NOT_FINITE = "request.not-finite"
_LARGEST = float(np.finfo(np.float32).max)
_FEW = 64
"""Of so many numbers a list is looked through before an array's function has begun."""
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
DATATYPES = tuple(_TYPES)
_NAN_HINT = 'a missing number may be NaN if the request says "parameters": {"missing": "null"}'


class Tensor(NamedTuple):
    name: str
    datatype: str
    values: list[Any]
    """[n]: str, bool, int or float as the datatype says, or None."""

    @property
    def is_text(self) -> bool:
        return self.datatype == "BYTES"


class MatrixTensor(NamedTuple):
    """Columns without names."""

    name: str
    datatype: str
    values: list[Any]
    """[n * width], row by row."""
    width: int


def fit_float32(flat: NDArray[np.float64]) -> bool:
    """Whether none of these numbers, [n], is missing, infinite or beyond what FP32 holds."""
    if len(flat) <= _FEW:
        values = flat.tolist()
        # The sum tells of NaN, with which a comparison means nothing.
        return isfinite(sum(values)) and max(values) <= _LARGEST and min(values) >= -_LARGEST
    return bool(np.maximum.reduce(flat) <= _LARGEST and np.minimum.reduce(flat) >= -_LARGEST)


class NumberMatrix(Mapping[str, Tensor]):
    """Numbers that came as one tensor, as the columns that they are taken for: as a mapping, each
    by its name. A missing one is NaN here, and null in its column's tensor."""

    __slots__ = ("datatype", "ids", "names", "numbers")

    def __init__(
        self,
        names: tuple[str, ...],
        datatype: str,
        numbers: NDArray[np.float64],
        ids: Tensor | None = None,
    ) -> None:
        """`numbers`: [rows, columns]."""
        self.names, self.datatype, self.numbers, self.ids = names, datatype, numbers, ids

    @classmethod
    def of(cls, names: tuple[str, ...], tensor: MatrixTensor, ids: Tensor | None) -> Self:
        numbers = np.array(tensor.values, dtype=np.float64).reshape(-1, tensor.width)
        return cls(names, tensor.datatype, numbers, ids)

    def take(self, rows: Sequence[int]) -> "NumberMatrix":
        """Of these rows, without ids."""
        return NumberMatrix(self.names, self.datatype, self.numbers[rows])

    def __getitem__(self, name: str) -> Tensor:
        try:
            column = self.numbers[:, self.names.index(name)]
        except ValueError:
            raise KeyError(name) from None
        values = [None if isnan(value) else value for value in column.tolist()]
        return Tensor(name, self.datatype, values)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


def read_tensor(
    value: Any, place: int, raw: bytes | None = None, *, nan_is_null: bool = False
) -> Tensor | MatrixTensor | Fault:
    """The tensor, or the first thing wrong with it. `raw`: what came for it after the JSON."""
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
    if parameters is not None:
        fault = _parameters_fault(parameters, name, where, raw)
        if fault is not None:
            return fault
    shape: Any = value.get("shape")
    rows, data = _rows(shape), value.get("data")
    if rows is None:
        what = f"'{name}' must have the shape [n] or [n, 1], or [n, k] for all columns at once"
        return Fault("request.wrong-shape", what, where)
    is_nested = len(shape) == 2
    width = shape[1] if is_nested else 1
    if raw is not None:
        data = _of_bytes(value, raw, rows * width, where, nan_is_null)
        if isinstance(data, Fault):
            return data
    else:
        if is_nested and type(data) is list and data and type(data[0]) is list:
            if any(type(item) is not list or len(item) != width for item in data):
                told = "one value" if width == 1 else f"{width} values"
                return Fault("request.wrong-shape", f"'{name}' must hold lists of {told}", where)
            data = [item for row in data for item in row]
        if type(data) is not list or len(data) != rows * width:
            return Fault("request.wrong-shape", f"'{name}' must hold {rows * width} values", where)
        if not _TYPES[datatype].issuperset(map(type, data)):
            return Fault("request.wrong-type", f"'{name}' holds what is no {datatype}", where)
        if "INT" in datatype and not _fits(data, datatype):
            return Fault("request.wrong-type", f"'{name}' holds a number beyond {datatype}", where)
    if width == 1:
        return Tensor(name, datatype, data)
    return MatrixTensor(name, datatype, data, width)


def _of_bytes(
    value: dict[str, Any], raw: bytes, count: int, where: str, nan_is_null: bool
) -> list[Any] | Fault:
    name = value["name"]
    if "data" in value:
        what = f"'{name}' has 'data' and binary data: send one of them"
        return Fault("request.binary", what, where)
    try:
        return values_of(value["datatype"], count, raw, nan_is_null=nan_is_null)
    except NotFinite as exc:
        return Fault(NOT_FINITE, f"'{name}' {exc}", where, _NAN_HINT)
    except ValueError as exc:
        return Fault("request.binary", f"'{name}' {exc}", where)


def _parameters_fault(parameters: Any, name: str, where: str, raw: bytes | None) -> Fault | None:
    if type(parameters) is not dict:
        return Fault("request.malformed", f"'parameters' of '{name}' must be an object", where)
    if "shared_memory_region" in parameters:
        what = f"'{name}' cannot be read from shared memory: send its data"
        return Fault("request.unsupported", what, where)
    if "binary_data_size" in parameters and raw is None:
        what = f"binary data of '{name}' are said to come, but not where they begin"
        hint = "send the header Inference-Header-Content-Length: how many bytes are JSON"
        return Fault("request.binary", what, where, hint)
    return None


def _rows(shape: Any) -> int | None:
    if type(shape) is not list or not 1 <= len(shape) <= 2:
        return None
    if any(type(size) is not int for size in shape) or shape[0] < 0:
        return None
    if len(shape) == 2 and shape[1] < 1:
        return None
    return int(shape[0])


def _fits(data: list[Any], datatype: str) -> bool:
    unsigned, bits = datatype.startswith("U"), int(datatype.partition("INT")[2])
    low, high = (0, 2**bits) if unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1))
    return all(value is None or low <= value < high for value in data)
