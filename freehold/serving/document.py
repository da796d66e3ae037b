"""A body that is JSON, and, where it is not quite, which of its fields is to blame.

JSON has no NaN and no infinity (RFC 8259, section 6), but Python's own writer has, and so have the
clients that use it.
"""

import json
import math
import sys
from collections.abc import Iterator
from typing import Any

import orjson

from freehold.domain.errors import Fault, RequestInvalid

NOT_FINITE = "request.not-finite"
_LARGEST = int(sys.float_info.max)


def read_json(body: bytes | memoryview) -> Any:
    """Raises RequestInvalid: `request.malformed`, `request.not-finite` with the field's path."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        for path, value in _not_finite(_lenient(bytes(body), {})):
            raise _fault(path, value, "null stands for a missing number") from exc
        raise _malformed(exc) from exc


def read_json_with_nan(body: bytes) -> Any:
    """The same, but NaN is null, as it is to pandas. Raises RequestInvalid as `read_json` does."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        value = _lenient(body, {"NaN": None})
        for path, number in _not_finite(value):
            raise _fault(path, number) from exc
        if value is None:
            raise _malformed(exc) from exc
        try:
            # What the other reader lets pass besides (half of a surrogate pair, an endless
            # integer) ends here.
            return orjson.loads(orjson.dumps(value))
        except (TypeError, ValueError) as other:
            raise _malformed(other) from exc


def _lenient(body: bytes, constants: dict[str, Any]) -> Any:
    """None if it is no JSON for Python's own reader either."""
    try:
        return json.loads(
            body.decode(), parse_constant=lambda name: constants.get(name, float(name))
        )
    except (ValueError, RecursionError):
        return None


def _not_finite(value: Any) -> Iterator[tuple[str, float]]:
    """Path and value of each number that is none, a tensor's name beside the path.

    Keeps no more than the way to where it is: a body may have millions of values.
    """
    levels: list[Iterator[tuple[str, Any]]] = [iter([("", value)])]
    path: list[str] = []
    while levels:
        key, one = next(levels[-1], (None, None))
        if key is None:
            levels.pop()
            path = path[:-1]
        elif type(one) is dict:
            path.append(f"{key} ({one['name']!r:.60})" if "name" in one else key)
            levels.append((f".{_sayable(inner)}", child) for inner, child in one.items())
        elif type(one) is list:
            path.append(key)
            levels.append((f"[{place}]", child) for place, child in enumerate(one))
        elif (type(one) is float and not math.isfinite(one)) or (
            type(one) is int and abs(one) > _LARGEST
        ):
            yield "".join([*path, key]).lstrip("."), one


def _sayable(name: str) -> str:
    """Half of a surrogate pair, which Python's own reader lets pass, is in no answer."""
    return name[:60].encode(errors="backslashreplace").decode()


def _fault(path: str, value: float, hint: str = "") -> RequestInvalid:
    what = f"holds {value}" if isinstance(value, float) else "holds a number beyond FP64"
    fault = Fault(NOT_FINITE, what, path, hint)
    return RequestInvalid(str(fault), code=NOT_FINITE, hint=hint, faults=(fault,))


def _malformed(exc: Exception) -> RequestInvalid:
    return RequestInvalid("the body is not JSON", why=str(exc), code="request.malformed")
