"""The rows of a request as a model takes them."""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np

from freehold.domain.columns import Columns, Matrix
from freehold.domain.errors import Fault
from freehold.serving.prediction_log import Inputs, Kinds
from freehold.serving.request import InferenceRequest, invalid, raise_any
from freehold.serving.tensor import NumberMatrix, fit_float32

COLUMN_MISSING = "request.column-missing"


def absent(request: InferenceRequest, columns: Columns) -> tuple[str, ...]:
    """Columns that the model needs and the request neither has nor declares to be null."""
    return () if request.missing_is_null else _not_sent(request, columns)


def _not_sent(request: InferenceRequest, columns: Columns) -> tuple[str, ...]:
    return tuple(name for name in columns.names if name not in request.tensors)


def check_columns(request: InferenceRequest, columns: Columns, kinds: Kinds) -> None:
    """That the columns of one model are there, and that all which some model takes, of `kinds`,
    are of their kind: the log keeps those too, whoever answers.

    Raises RequestInvalid: `request.wrong-type`, `request.column-missing`,
    `request.column-unknown`, with all faults. The error's own code is one of the latter only if
    nothing sent is of a wrong type.
    """
    tensors = request.tensors
    if type(tensors) is NumberMatrix and are_all(tensors, columns):
        return
    faults = []
    for name, tensor in tensors.items():
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
    if request.missing_is_null:
        faults += _misspelt(request, columns, kinds)
    raise_any(faults)


def _misspelt(request: InferenceRequest, columns: Columns, kinds: Kinds) -> Iterator[Fault]:
    """What no model has, while a column is taken for null: that would be the same for a wrong name
    as for none. Where all are there, more of them do no harm."""
    missing = _not_sent(request, columns)
    for name in request.tensors if missing else ():
        if name not in kinds:
            near = get_close_matches(name, missing, n=1)
            hint = f"is it '{near[0]}'?" if near else f"not sent: {', '.join(missing[:5])}"
            yield Fault(
                "request.column-unknown", "no model here has such a column", name, hint=hint
            )


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


def matrix_of(request: InferenceRequest, columns: Columns, rows: Sequence[int] | None) -> Matrix:
    """float32 [rows, columns] of some rows (None: of all). Raises RequestInvalid
    `request.number-too-large`.
    """
    tensors = request.tensors
    if type(tensors) is NumberMatrix and are_all(tensors, columns):
        numbers = tensors.numbers if rows is None else tensors.numbers[rows]
        if fit_float32(numbers.ravel()):
            return numbers.astype(np.float32)
        with np.errstate(over="ignore"):
            matrix = numbers.astype(np.float32)
    else:
        matrix = columns.matrix_of(lists_of(request, columns.names, rows))
    infinite = np.isinf(matrix)
    if infinite.any():
        name = columns.names[int(infinite.any(axis=0).argmax())]
        raise invalid("request.number-too-large", f"{name}: a number is beyond the range of FP32")
    return matrix


def are_all(tensors: NumberMatrix, columns: Columns) -> bool:
    """Whether these are the model's columns, in its order, and it takes numbers only."""
    return columns.are_numbers and tensors.names == columns.names


def logged_inputs(request: InferenceRequest, kinds: Kinds, rows: Sequence[int] | None) -> Inputs:
    """What the log keeps of some rows (None: of all): the columns of `kinds`, as sent."""
    tensors = request.tensors
    if type(tensors) is NumberMatrix:
        return tensors if rows is None else tensors.take(rows)
    return lists_of(request, tuple(kinds), rows)
