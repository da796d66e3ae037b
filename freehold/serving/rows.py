"""The rows of a request as a model takes them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from freehold.domain.columns import Columns, Matrix
from freehold.domain.errors import Fault
from freehold.serving.prediction_log import Kinds
from freehold.serving.request import InferenceRequest, invalid, raise_any

COLUMN_MISSING = "request.column-missing"


def absent(request: InferenceRequest, columns: Columns) -> tuple[str, ...]:
    """Columns that the model needs and the request neither has nor declares to be null."""
    if request.missing_is_null:
        return ()
    return tuple(name for name in columns.names if name not in request.tensors)


def check_columns(request: InferenceRequest, columns: Columns, kinds: Kinds) -> None:
    """That the columns of one model are there, and that all which some model takes, of `kinds`,
    are of their kind: the log keeps those too, whoever answers.

    Raises RequestInvalid: `request.wrong-type`, `request.column-missing`, with all faults. The
    error's own code is the latter only if nothing sent is of a wrong type.
    """
    faults = []
    for name, tensor in request.tensors.items():
        kind = kinds.get(name)
        if kind is not None and tensor.is_text != (kind == "category"):
            wanted = "BYTES" if kind == "category" else "a number"
            what = f"must be {wanted}, not {tensor.datatype}"
            faults.append(Fault("request.wrong-type", what, name))
    faults += [
        Fault(
            COLUMN_MISSING,
            "is missing",
            name,
            hint='send it, or say "parameters": {"missing": "null"}',
        )
        for name in absent(request, columns)
    ]
    raise_any(faults)


def lists_of(
    request: InferenceRequest, names: Sequence[str], rows: Sequence[int] | None
) -> dict[str, Sequence[Any]]:
    """The named columns' values of some rows (None: of all), as sent; null where not sent."""
    count = request.rows if rows is None else len(rows)
    lists: dict[str, Sequence[Any]] = {}
    for name in names:
        tensor = request.tensors.get(name)
        if tensor is None:
            lists[name] = [None] * count
        elif rows is None:
            lists[name] = tensor.values
        else:
            values = tensor.values
            lists[name] = [values[row] for row in rows]
    return lists


def matrix_of(columns: Columns, lists: Mapping[str, Sequence[Any]]) -> Matrix:
    """float32 [rows, columns]. Raises RequestInvalid `request.number-too-large`."""
    matrix = columns.matrix_of(lists)
    infinite = np.isinf(matrix)
    if infinite.any():
        name = columns.names[int(infinite.any(axis=0).argmax())]
        raise invalid("request.number-too-large", f"{name}: a number is beyond the range of FP32")
    return matrix
