"""Typed values as JSON and back, led by their annotations.

None, booleans, numbers, text, lists, dictionaries with text keys, dates, times, dataclasses, and
classes that have `as_json()` and `from_json()`. What an annotation does not say is lost: under
`Any`, a date comes back as text and a tuple as a list; under `str | date`, as text too.
"""

import dataclasses
import math
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Literal, get_args, get_origin, get_type_hints

from freehold.domain.stored_type import admits, bare, describe, is_document, is_union


def plain(value: Any) -> Any:
    """JSON of a value. Raises TypeError naming the part that cannot be written."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise TypeError(f"{value} has no place in JSON; use None")
        return value
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return _plain_mapping(value)
    if hasattr(value, "as_json"):
        return value.as_json()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {field.name: plain(getattr(value, field.name)) for field in fields}
    raise TypeError(f"a value of type {describe(type(value))} cannot be written as JSON")


def typed(kind: Any, value: Any) -> Any:
    """The value that `plain` was given. Raises ValueError if the JSON is not of that type."""
    kind = bare(kind)
    if kind is Any or kind is object:
        return value
    if is_union(kind):
        return _typed_union(kind, value)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return _matching(kind, value)
    owner = origin or kind
    if not isinstance(owner, type):
        return value
    if issubclass(owner, date):
        return _moment(owner, value)
    if is_document(owner):
        return _document(owner, value)
    if owner is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if owner is tuple:
        return _typed_tuple(arguments, value)
    if isinstance(value, list) and arguments:
        return [typed(arguments[0], item) for item in value]
    if isinstance(value, dict) and len(arguments) == 2:
        return {key: typed(arguments[1], item) for key, item in value.items()}
    return _matching(kind, value)


def _plain_mapping(value: Mapping[Any, Any]) -> dict[str, Any]:
    for key in value:
        if not isinstance(key, str):
            raise TypeError(f"the key {key!r} of a dictionary is not text")
    return {key: plain(item) for key, item in value.items()}


def _matching(kind: Any, value: Any) -> Any:
    if not admits(kind, value):
        raise ValueError(f"{value!r} is not of type {describe(kind)}")
    return value


def _typed_union(kind: Any, value: Any) -> Any:
    members = get_args(kind)
    for member in sorted(members, key=lambda member: not admits(member, value)):
        try:
            return typed(member, value)
        except ValueError:
            continue
    raise ValueError(f"{value!r} is not of type {describe(kind)}")


def _typed_tuple(arguments: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise ValueError(f"{value!r} is not a list")
    if not arguments:
        return tuple(value)
    if len(arguments) == 2 and arguments[1] is ...:
        return tuple(typed(arguments[0], item) for item in value)
    if len(arguments) != len(value):
        raise ValueError(f"{len(value)} items, not {len(arguments)}")
    return tuple(map(typed, arguments, value))


def _moment(owner: type[date], value: Any) -> date:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not a date as text")
    if issubclass(owner, datetime) != (len(value) > len("2026-11-21")):
        raise ValueError(f"{value!r} is not a {describe(owner)}")
    return owner.fromisoformat(value)


def _document(owner: type, value: Any) -> Any:
    if not isinstance(value, dict) and not hasattr(owner, "from_json"):
        raise ValueError(f"{value!r} is not an object with the fields of {describe(owner)}")
    if hasattr(owner, "from_json"):
        return owner.from_json(value)
    hints = get_type_hints(owner)
    unknown = sorted(set(value) - set(hints))
    if unknown:
        raise ValueError(f"{describe(owner)} has no field {unknown[0]!r}")
    try:
        return owner(**{name: typed(hints[name], item) for name, item in value.items()})
    except TypeError as exc:
        raise ValueError(str(exc)) from exc
