"""What may be handed to the library: JSON values of a bounded depth and size."""

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from math import isfinite
from typing import Any

from freehold.adapters.rego.tokens import KEYWORDS

DEEPEST = 40
MOST_VALUES = 100_000
_EXACT = 2**53
_NAME = re.compile(r"[a-z][a-z0-9_]*")


def written(value: Any) -> str:
    """JSON text of `value`. Raises ValueError saying what in it is not plain JSON."""
    _count(value, 0, "")
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    text.encode()
    return text


def data_text(data: Mapping[str, Any]) -> str:
    """One JSON object of the documents by name, no number in it with an exponent. Raises ValueError
    saying what in them is not plain JSON, or stands where no name is."""
    for name, document in data.items():
        if not _name(name) or name == "freehold":
            raise ValueError(f"{name!r} cannot name a document")
        if not isinstance(document, Mapping):
            raise ValueError(f"{name} is no object")
        for key, value in document.items():
            if not _name(key):
                raise ValueError(f"{name} has the key {key!r}, which is no name")
            written(value)  # It says what is not plain JSON.
    return _without_exponents(dict(data))


def _without_exponents(value: Any) -> str:
    if isinstance(value, float):
        digits = format(Decimal(repr(value)), "f")
        # Without a point, the library would take a large one for an integer, and keep all digits.
        return digits if "." in digits else f"{digits}.0"
    if isinstance(value, Mapping):
        members = (f"{written(key)}: {_without_exponents(one)}" for key, one in value.items())
        return f"{{{', '.join(members)}}}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_without_exponents, value))}]"
    return written(value)


def _name(text: Any) -> bool:
    return isinstance(text, str) and bool(_NAME.fullmatch(text)) and text not in KEYWORDS


def _count(value: Any, depth: int, where: str) -> int:
    if depth > DEEPEST:
        raise ValueError(f"{where[:60]} is more than {DEEPEST} levels deep")
    kind = type(value)
    if kind is str:
        if "\0" in value:
            raise ValueError(f"{where} holds a zero byte")
        return 1
    if kind is dict:
        _check_keys(value, where)
        total = 1 + sum(_count(one, depth + 1, f"{where}.{key}") for key, one in value.items())
    elif kind in (list, tuple):
        total = 1 + sum(_count(one, depth + 1, f"{where}[]") for one in value)
    elif value is None or kind is bool:
        return 1
    else:
        _check_number(value, where)
        return 1
    if total > MOST_VALUES:
        raise ValueError(f"{where} holds more than {MOST_VALUES} values")
    return total


def _check_keys(value: dict[Any, Any], where: str) -> None:
    for key in value:
        if type(key) is not str or "\0" in key:
            raise ValueError(f"{where} has the key {key!r}")


def _check_number(value: Any, where: str) -> None:
    if type(value) is int:
        if not -_EXACT < value < _EXACT:
            raise ValueError(f"{where} is an integer beyond 2**53")
    elif type(value) is not float or not isfinite(value):
        raise ValueError(f"{where} is {value!r}")
