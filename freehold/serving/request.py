"""What a prediction request says: Open Inference Protocol, version 2, REST, section "Inference".

The special BYTES tensor `id` names the rows: it is what keeps a row on its variant, and the name
under which its label is joined later. The request parameter `"missing": "null"` lets columns be
absent, as if null had been sent; `"asked_at"`, in microseconds since 1970 UTC, says when the
question arose, where that was before now: in a replay, or when a queue was drained late.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from freehold.domain.errors import Fault, RequestInvalid
from freehold.serving.tensor import Tensor, read_tensor

ID = "id"
_FAR = 2**53
"""Beyond it, not every integer survives a JSON reader; the year is 2255."""
CLOCK_TOLERANCE = 5 * 60 * 1_000_000
"""Microseconds by which a client's clock may be ahead of the endpoint's."""
OUTPUTS = ("score", "version", "prediction_id")


@dataclass(frozen=True)
class Limits:
    body_bytes: int = 8 * 2**20
    rows: int = 10_000
    tensors: int = 1_000
    body_seconds: float = 30.0
    """For the whole body to arrive."""


@dataclass(frozen=True, slots=True)
class InferenceRequest:
    id: str
    """As sent; empty if none was."""
    rows: int
    ids: Sequence[str] | None
    """[rows], distinct; None if no tensor `id` was sent."""
    tensors: Mapping[str, Tensor]
    """By name, `id` left out; each of `rows` values."""
    missing_is_null: bool
    asked_at: int | None
    """Microseconds since 1970 UTC, if it was said; `asked_at()` has the last word."""
    outputs: tuple[str, ...]
    """Those asked for."""

    def prediction_ids(self, request_id: str) -> Sequence[str]:
        """[rows]: the rows' own, or `request_id/row`."""
        if self.ids is not None:
            return self.ids
        return [f"{request_id}/{row}" for row in range(self.rows)]


def read_request(body: bytes, limits: Limits) -> InferenceRequest:
    """Raises RequestInvalid: `request.malformed`, `request.wrong-shape`, `request.wrong-type`,
    `request.binary`, `request.duplicate`, `request.too-many-rows`, `request.unknown-output`.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        raise invalid("request.malformed", "the body is not JSON", str(exc)) from exc
    if type(value) is not dict:
        raise invalid("request.malformed", "the body must be an object")
    name = value.get("id", "")
    if type(name) is not str:
        raise invalid("request.malformed", "'id' must be a string")
    tensors = _tensors(value.get("inputs"), limits)
    rows = len(next(iter(tensors.values())).values)
    parameters = _parameters(value.get("parameters"))
    ids = tensors.pop(ID, None)
    return InferenceRequest(
        id=name,
        rows=rows,
        ids=None if ids is None else _ids(ids),
        tensors=tensors,
        missing_is_null=_missing_is_null(parameters),
        asked_at=_asked_at(parameters),
        outputs=_outputs(value.get("outputs")),
    )


def _tensors(inputs: Any, limits: Limits) -> dict[str, Tensor]:
    if type(inputs) is not list or not inputs:
        raise invalid("request.malformed", "'inputs' must be a list of tensors, not empty")
    if len(inputs) > limits.tensors:
        raise invalid("request.malformed", f"there are more than {limits.tensors} inputs")
    faults: list[Fault] = []
    tensors: dict[str, Tensor] = {}
    for place, item in enumerate(inputs):
        tensor = read_tensor(item, place)
        if isinstance(tensor, Fault):
            faults.append(tensor)
        elif tensor.name in tensors:
            what = f"'{tensor.name}' stands twice"
            faults.append(Fault("request.duplicate", what, f"inputs[{place}]"))
        else:
            tensors[tensor.name] = tensor
    sizes = {len(tensor.values) for tensor in tensors.values()}
    if len(sizes) > 1:
        what = f"the inputs have {' and '.join(map(str, sorted(sizes)))} rows"
        faults.append(Fault("request.wrong-shape", what, "inputs"))
    if faults:
        raise RequestInvalid("; ".join(map(str, faults[:5])), code=faults[0].code, faults=faults)
    (rows,) = sizes
    if rows == 0:
        raise invalid("request.wrong-shape", "there are no rows")
    if rows > limits.rows:
        raise invalid("request.too-many-rows", f"{rows} rows are more than {limits.rows}")
    return tensors


def _ids(tensor: Tensor) -> list[str]:
    if not tensor.is_text or not all(tensor.values):
        raise invalid("request.wrong-type", "'id' must hold BYTES, none of them null or empty")
    if len(set(tensor.values)) < len(tensor.values):
        raise invalid("request.duplicate", "an id stands twice")
    return tensor.values


def _parameters(parameters: Any) -> dict[str, Any]:
    if parameters is None:
        return {}
    if type(parameters) is not dict:
        raise invalid("request.malformed", "'parameters' must be an object")
    if parameters.get("binary_data_output"):
        raise invalid("request.binary", "binary data is not offered")
    return parameters


def _asked_at(parameters: dict[str, Any]) -> int | None:
    asked_at = parameters.get("asked_at")
    if asked_at is not None and (type(asked_at) is not int or not 0 <= asked_at < _FAR):
        raise invalid("request.malformed", "'asked_at' must be microseconds since 1970 UTC")
    return asked_at


def asked_at(request: InferenceRequest, arrived: int) -> int:
    """When the question arose: when it arrived, unless the request says that it was earlier.

    Both in microseconds since 1970 UTC. Whoever puts rows in the order of their questions must
    not meet one that lies before its time. Raises RequestInvalid `request.asked-at-in-future`
    beyond CLOCK_TOLERANCE.
    """
    if request.asked_at is None:
        return arrived
    if request.asked_at > arrived + CLOCK_TOLERANCE:
        raise invalid(
            "request.asked-at-in-future",
            f"'asked_at' is {(request.asked_at - arrived) // 1_000_000} s after the arrival",
            "a question cannot have arisen later than it was asked;"
            f" clocks may differ by {CLOCK_TOLERANCE // 1_000_000} s",
        )
    return request.asked_at


def _missing_is_null(parameters: dict[str, Any]) -> bool:
    missing = parameters.get("missing")
    if missing not in (None, "null"):
        raise invalid("request.malformed", "the parameter 'missing' can only be \"null\"")
    return missing == "null"


def _outputs(outputs: Any) -> tuple[str, ...]:
    if outputs is None:
        return OUTPUTS
    if type(outputs) is not list or any(type(item) is not dict for item in outputs):
        raise invalid("request.malformed", "'outputs' must be a list of objects")
    names = [item.get("name") for item in outputs]
    for name in names:
        if type(name) is not str or name not in OUTPUTS:
            what = f"there is no output {name!r:.60}; there are {', '.join(OUTPUTS)}"
            raise invalid("request.unknown-output", what)
    if any(_is_binary(item.get("parameters")) for item in outputs):
        raise invalid("request.binary", "binary data is not offered")
    return tuple(dict.fromkeys(names)) or OUTPUTS


def _is_binary(parameters: Any) -> bool:
    return parameters is not None and (
        type(parameters) is not dict or bool(parameters.get("binary_data"))
    )


def invalid(code: str, what: str, why: str = "") -> RequestInvalid:
    return RequestInvalid(what, why=why, code=code)
