"""What a prediction request says, by whatever protocol it came.

The special column `id` names the rows: it is what keeps a row on its variant, and the name under
which its label is joined later. The request parameter `"missing": "null"` lets columns be absent,
as if null had been sent; `"asked_at"`, in microseconds since 1970 UTC, says when the question
arose, where that was before now: in a replay, or when a queue was drained late.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from freehold.domain.errors import Fault, RequestInvalid
from freehold.serving.tensor import NumberMatrix, Tensor

ID = "id"
ID_LENGTH = 256
"""Characters of a request's own id: each of its rows is named by it, and by its number."""
_FAR = 2**53
"""Beyond it, not every integer survives a JSON reader; the year is 2255."""
CLOCK_TOLERANCE = 5 * 60 * 1_000_000
"""Microseconds by which a client's clock may be ahead of the endpoint's."""
OUTPUTS = ("score", "version", "prediction_id")
_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Limits:
    body_bytes: int = 8 * 2**20
    """Of a body as it is sent, and once unpacked."""
    rows: int = 10_000
    tensors: int = 1_000
    body_seconds: float = 30.0
    """For the whole body to arrive."""


class InferenceRequest(NamedTuple):
    id: str
    """As sent, of no more than ID_LENGTH; empty if none was."""
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
    binary: frozenset[str]
    """Those of the outputs that are to come as bytes."""

    def prediction_ids(self, request_id: str) -> Sequence[str]:
        """[rows]: the rows' own, or `request_id/row`."""
        if self.ids is not None:
            return self.ids
        return [f"{request_id}/{row}" for row in range(self.rows)]


class Parameters(NamedTuple):
    """Of a whole request; those that are not known are let pass."""

    missing_is_null: bool = False
    asked_at: int | None = None
    binary_data_output: bool = False


SAID_NOTHING = Parameters()


def read_parameters(parameters: Any, name: str = "parameters") -> Parameters:
    """Raises RequestInvalid `request.malformed`."""
    if parameters is None:
        return SAID_NOTHING
    if type(parameters) is not dict:
        raise invalid("request.malformed", f"'{name}' must be an object")
    missing = parameters.get("missing")
    if missing not in (None, "null"):
        raise invalid("request.malformed", f"'{name}.missing' can only be \"null\"")
    asked_at = parameters.get("asked_at")
    if asked_at is not None and (type(asked_at) is not int or not 0 <= asked_at < _FAR):
        raise invalid("request.malformed", f"'{name}.asked_at' must be microseconds since 1970 UTC")
    binary = parameters.get("binary_data_output", False)
    if type(binary) is not bool:
        raise invalid("request.malformed", f"'{name}.binary_data_output' must be true or false")
    return Parameters(missing == "null", asked_at, binary)


def made_request(
    tensors: dict[str, Tensor] | NumberMatrix,
    limits: Limits,
    *,
    said: Parameters = SAID_NOTHING,
    name: str = "",
    outputs: tuple[str, ...] = OUTPUTS,
    binary: frozenset[str] = _NONE,
) -> InferenceRequest:
    """`tensors`: one at least, each a column of as many rows; `id` is taken out of them.

    Raises RequestInvalid: `request.wrong-shape`, `request.too-many-rows`, `request.wrong-type`,
    `request.duplicate`, `request.malformed`.
    """
    if len(name) > ID_LENGTH:
        raise invalid("request.malformed", f"'id' has more than {ID_LENGTH} characters")
    if isinstance(tensors, NumberMatrix):
        rows, ids = len(tensors.numbers), tensors.ids
    else:
        rows = len(next(iter(tensors.values())).values)
        ids = tensors.pop(ID, None)
    check_rows(rows, limits)
    return InferenceRequest(
        id=name,
        rows=rows,
        ids=None if ids is None else _ids(ids),
        tensors=tensors,
        missing_is_null=said.missing_is_null,
        asked_at=said.asked_at,
        outputs=outputs,
        binary=binary,
    )


def check_rows(rows: int, limits: Limits, where: str = "inputs") -> None:
    """`where`: the field that holds them. Raises RequestInvalid: `request.wrong-shape`,
    `request.too-many-rows`."""
    if rows == 0:
        raise invalid("request.wrong-shape", f"'{where}' has no rows")
    if rows > limits.rows:
        raise invalid(
            "request.too-many-rows", f"'{where}' has {rows} rows, more than {limits.rows}"
        )


def _ids(tensor: Tensor) -> list[str]:
    if not tensor.is_text or not all(tensor.values):
        raise invalid("request.wrong-type", "'id' must hold BYTES, none of them null or empty")
    if len(set(tensor.values)) < len(tensor.values):
        raise invalid("request.duplicate", "'id' holds a value that stands twice")
    return tensor.values


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


def invalid(code: str, what: str, why: str = "") -> RequestInvalid:
    return RequestInvalid(what, why=why, code=code)


def raise_any(faults: Sequence[Fault]) -> None:
    """Raises RequestInvalid with all of them, if there are any, and the first one's code."""
    if faults:
        what = "; ".join(map(str, faults[:5]))
        raise RequestInvalid(what, code=faults[0].code, faults=faults)
