"""Requests of the Open Inference Protocol, version 2, REST, section "Inference", with the binary
tensor data extension.

A tensor of the shape [n, k] that comes alone, or with `id`, is all columns of the model, in its
order. A NaN among binary data is null if the request says `"missing": "null"`.
"""

from collections.abc import Callable, Sequence
from typing import Any

from freehold.domain.errors import Fault
from freehold.serving.document import read_json
from freehold.serving.request import (
    ID,
    OUTPUTS,
    InferenceRequest,
    Limits,
    invalid,
    made_request,
    raise_any,
    read_parameters,
)
from freehold.serving.tensor import MatrixTensor, NumberMatrix, Tensor, read_tensor

EXTENSIONS = ("binary_tensor_data",)
HEADER_LENGTH = "Inference-Header-Content-Length"
_ALL, _NONE = frozenset(OUTPUTS), frozenset[str]()


def read_request(
    body: bytes,
    limits: Limits,
    order: Callable[[], Sequence[str]] = tuple,
    header_length: int | None = None,
) -> InferenceRequest:
    """`order`: gives the model's columns in their order. `header_length`: how many bytes of the
    body are JSON, if not all of them.

    Raises RequestInvalid: `request.malformed`, `request.wrong-shape`, `request.wrong-type`,
    `request.not-finite`, `request.binary`, `request.duplicate`, `request.too-many-rows`,
    `request.unknown-output`, `request.unsupported`.
    """
    if header_length is None:
        value = read_json(body)
    elif header_length <= len(body):
        value = read_json(body[:header_length])
    else:
        what = f"{HEADER_LENGTH} is {header_length}, and the body has {len(body)} bytes"
        raise invalid("request.binary", what)
    if type(value) is not dict:
        raise invalid("request.malformed", "the body must be an object")
    name = value.get("id", "")
    if name is None:
        name = ""
    if type(name) is not str:
        raise invalid("request.malformed", "'id' must be a string")
    said = read_parameters(value.get("parameters"))
    inputs = _inputs(value.get("inputs"), limits)
    data = _binary_data(inputs, None if header_length is None else body[header_length:])
    whole = _whole(inputs, order) if data is None and len(inputs) == 1 else None
    tensors = whole or _tensors(inputs, data, said.missing_is_null, order)
    outputs, binary = _outputs(value.get("outputs"), said.binary_data_output)
    return made_request(tensors, limits, said=said, name=name, outputs=outputs, binary=binary)


def _inputs(inputs: Any, limits: Limits) -> list[Any]:
    if type(inputs) is not list or not inputs:
        raise invalid("request.malformed", "'inputs' must be a list of tensors, not empty")
    if len(inputs) > limits.tensors:
        raise invalid("request.malformed", f"'inputs' has more than {limits.tensors} tensors")
    return inputs


def _binary_data(inputs: list[Any], rest: bytes | None) -> list[bytes | None] | None:
    """What lies behind the JSON, for each tensor that says so; None if there is no such place.

    Raises RequestInvalid `request.binary` unless the tensors share it to the last byte.
    """
    if rest is None:
        return None
    sizes = [_binary_size(item, place) for place, item in enumerate(inputs)]
    total = sum(size or 0 for size in sizes)
    if total != len(rest):
        what = f"the inputs say that {total} bytes of binary data come, and {len(rest)} came"
        raise invalid("request.binary", what)
    data: list[bytes | None] = []
    at = 0
    for size in sizes:
        data.append(None if size is None else rest[at : at + size])
        at += size or 0
    return data


def _binary_size(item: Any, place: int) -> int | None:
    parameters = item.get("parameters") if type(item) is dict else None
    if type(parameters) is not dict or "binary_data_size" not in parameters:
        return None
    size = parameters["binary_data_size"]
    if type(size) is not int or size < 0:
        what = f"inputs[{place}]: 'binary_data_size' must be a number of bytes"
        raise invalid("request.binary", what)
    return size


def _whole(inputs: list[Any], order: Callable[[], Sequence[str]]) -> NumberMatrix | None:
    """All columns at once, as most ask; None if it is anything else, or has a fault."""
    tensor = read_tensor(inputs[0], 0)
    if type(tensor) is MatrixTensor and tensor.datatype != "BYTES" and tensor.name != ID:
        return _numbers(tensor, None, order())
    return None


def _tensors(
    inputs: list[Any],
    data: list[bytes | None] | None,
    nan_is_null: bool,
    order: Callable[[], Sequence[str]],
) -> dict[str, Tensor] | NumberMatrix:
    faults: list[Fault] = []
    tensors: dict[str, Tensor] = {}
    matrices: dict[int, MatrixTensor] = {}
    for place, item in enumerate(inputs):
        if data is None:
            tensor = read_tensor(item, place)
        else:
            tensor = read_tensor(item, place, data[place], nan_is_null=nan_is_null)
        if isinstance(tensor, Fault):
            faults.append(tensor)
        elif isinstance(tensor, MatrixTensor):
            matrices[place] = tensor
        elif tensor.name in tensors:
            what = f"'{tensor.name}' stands twice"
            faults.append(Fault("request.duplicate", what, f"inputs[{place}]"))
        else:
            tensors[tensor.name] = tensor
    is_alone = len(inputs) == 1 + (ID in tensors)
    if len(matrices) == 1 and is_alone and not faults:
        (matrix,) = matrices.values()
        if matrix.datatype != "BYTES" and matrix.name != ID:
            return _numbers(matrix, tensors.get(ID), order())
    for place, matrix in matrices.items():
        spread = _spread(matrix, is_alone, order(), f"inputs[{place}]")
        if isinstance(spread, Fault):
            faults.append(spread)
        else:
            tensors.update(spread)
    sizes = {len(tensor.values) for tensor in tensors.values()}
    if len(sizes) > 1:
        faults.append(_uneven(sizes))
    raise_any(faults)
    return tensors


def _numbers(matrix: MatrixTensor, ids: Tensor | None, order: Sequence[str]) -> NumberMatrix:
    """Raises RequestInvalid `request.wrong-shape`."""
    if matrix.width != len(order):
        raise_any([_other_width(matrix, order, "inputs[0]")])
    made = NumberMatrix.of(tuple(order), matrix, ids)
    if ids is not None and len(ids.values) != len(made.numbers):
        raise_any([_uneven({len(ids.values), len(made.numbers)})])
    return made


def _other_width(matrix: MatrixTensor, order: Sequence[str], where: str) -> Fault:
    told = f"{len(order)}: {', '.join(order)}"
    what = f"'{matrix.name}' has {matrix.width} columns, and the model takes {told:.200}"
    return Fault("request.wrong-shape", what, where)


def _uneven(sizes: set[int]) -> Fault:
    what = f"the inputs have {' and '.join(map(str, sorted(sizes)))} rows"
    return Fault("request.wrong-shape", what, "inputs")


def _spread(
    matrix: MatrixTensor, is_alone: bool, order: Sequence[str], where: str
) -> dict[str, Tensor] | Fault:
    """A tensor for each column."""
    name, width = matrix.name, matrix.width
    if not is_alone or name == ID:
        what = f"'{name}' has {width} columns: it cannot come beside others, or be the id"
        return Fault("request.wrong-shape", what, where)
    if width != len(order):
        return _other_width(matrix, order, where)
    return {
        column: Tensor(column, matrix.datatype, matrix.values[place::width])
        for place, column in enumerate(order)
    }


def _outputs(outputs: Any, are_binary: bool) -> tuple[tuple[str, ...], frozenset[str]]:
    """Their names, and those of them that are to come as bytes."""
    if not outputs and (outputs is None or type(outputs) is list):
        return OUTPUTS, _ALL if are_binary else _NONE
    if type(outputs) is not list or any(type(item) is not dict for item in outputs):
        raise invalid("request.malformed", "'outputs' must be a list of objects")
    binary: dict[str, bool] = {}
    for place, item in enumerate(outputs):
        name, where = item.get("name"), f"outputs[{place}]"
        if type(name) is not str or name not in OUTPUTS:
            what = f"{where}: there is no output {name!r:.60}; there are {', '.join(OUTPUTS)}"
            raise invalid("request.unknown-output", what)
        binary[name] = _is_binary(item.get("parameters"), f"{where}.parameters", are_binary)
    return tuple(binary), frozenset(name for name in binary if binary[name])


def _is_binary(parameters: Any, where: str, otherwise: bool) -> bool:
    if parameters is None:
        return otherwise
    if type(parameters) is not dict:
        raise invalid("request.malformed", f"'{where}' must be an object")
    for unknown in ("classification", "shared_memory_region"):
        if unknown in parameters:
            raise invalid("request.unsupported", f"'{where}.{unknown}' is not offered")
    binary = parameters.get("binary_data", otherwise)
    if type(binary) is not bool:
        raise invalid("request.malformed", f"'{where}.binary_data' must be true or false")
    return binary
