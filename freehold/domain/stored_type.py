"""The types that pass between steps: how they read, how they meet, who stores them."""

import dataclasses
import types
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

_SCALARS = (bool, int, float, str, date, type(None))
_CONTAINERS = (list, dict, tuple, Mapping, Sequence)


def describe(kind: Any) -> str:
    """A type as its author would write it: `polars.DataFrame`, `list[str]`, `int | None`."""
    kind = bare(kind)
    if kind is Any:
        return "Any"
    if kind is ...:
        return "..."
    if kind is type(None):
        return "None"
    if is_union(kind):
        return " | ".join(describe(member) for member in get_args(kind))
    origin = get_origin(kind)
    if origin is Literal:
        return f"Literal[{', '.join(map(repr, get_args(kind)))}]"
    if origin is not None:
        return f"{describe(origin)}[{', '.join(map(describe, get_args(kind)))}]"
    if isinstance(kind, type):
        top = kind.__module__.partition(".")[0]
        return kind.__qualname__ if top == "builtins" else f"{top}.{kind.__qualname__}"
    return str(kind)


def bare(kind: Any) -> Any:
    """Without `Annotated` and `NewType`; None as its type."""
    if kind is None:
        return type(None)
    while True:
        if get_origin(kind) is Annotated:
            kind = get_args(kind)[0]
        elif hasattr(kind, "__supertype__"):
            kind = kind.__supertype__
        else:
            return kind


def is_union(kind: Any) -> bool:
    return get_origin(kind) in (Union, types.UnionType)


def members(kind: Any) -> tuple[Any, ...]:
    """The alternatives of a union; any other type alone."""
    kind = bare(kind)
    return tuple(map(bare, get_args(kind))) if is_union(kind) else (kind,)


def meets(given: Any, wanted: Any) -> bool:
    """Whether a value of type `given` may go where `wanted` is asked for.

    Equality, subclasses, Any, members of unions, int for float; containers by their items.
    """
    given, wanted = bare(given), bare(wanted)
    if given == wanted or _is_open(given) or _is_open(wanted):
        return True
    if is_union(given):
        return all(meets(member, wanted) for member in get_args(given))
    if is_union(wanted):
        return any(meets(given, member) for member in get_args(wanted))
    if get_origin(given) is Literal:
        return _literal_meets(get_args(given), wanted)
    return _class_meets(given, wanted)


def admits(kind: Any, value: Any) -> bool:
    """Whether a value is of the type, looking into lists, tuples and dictionaries."""
    kind = bare(kind)
    if _is_open(kind):
        return True
    if is_union(kind):
        return any(admits(member, value) for member in get_args(kind))
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return value in arguments
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    owner = origin or kind
    if not isinstance(owner, type):
        return True
    return isinstance(value, owner) and _items_admitted(arguments, value)


def homes(kind: Any) -> tuple[str, ...]:
    """Names under which a codec for the type may be found, best first.

    `builtins` stands for all that is written as a JSON document; any other type goes by the top
    module of its class, or of a class that it inherits from.
    """
    kind = bare(kind)
    owner = get_origin(kind) or kind
    if owner is Literal or not isinstance(owner, type):
        return ("builtins",)
    if issubclass(owner, _SCALARS) or owner in _CONTAINERS or is_document(owner):
        return ("builtins",)
    tops = [parent.__module__.partition(".")[0] for parent in owner.__mro__]
    return tuple(dict.fromkeys(top for top in tops if top not in ("builtins", "typing", "abc")))


def is_document(kind: Any) -> bool:
    """Whether instances are written as JSON by their fields or their own methods."""
    return isinstance(kind, type) and (
        dataclasses.is_dataclass(kind) or (hasattr(kind, "as_json") and hasattr(kind, "from_json"))
    )


def _is_open(kind: Any) -> bool:
    return kind is Any or kind is object or isinstance(kind, TypeVar)


def _literal_meets(values: tuple[Any, ...], wanted: Any) -> bool:
    if get_origin(wanted) is Literal:
        return set(values) <= set(get_args(wanted))
    return all(meets(type(value), wanted) for value in values)


def _class_meets(given: Any, wanted: Any) -> bool:
    given_class, wanted_class = get_origin(given) or given, get_origin(wanted) or wanted
    if given_class is int and wanted_class is float:
        return True
    if not (isinstance(given_class, type) and isinstance(wanted_class, type)):
        return False
    if not issubclass(given_class, wanted_class):
        return False
    given_items, wanted_items = get_args(given), get_args(wanted)
    if not given_items or not wanted_items:
        return True
    if issubclass(given_class, tuple) and wanted_items[-1] is ...:
        return all(meets(item, wanted_items[0]) for item in given_items if item is not ...)
    return len(given_items) == len(wanted_items) and all(map(meets, given_items, wanted_items))


def _items_admitted(arguments: tuple[Any, ...], value: Any) -> bool:
    if not arguments:
        return True
    if isinstance(value, dict) and len(arguments) == 2:
        return all(admits(arguments[1], item) for item in value.values())
    if isinstance(value, tuple) and arguments[-1] is not ...:
        return len(value) == len(arguments) and all(map(admits, arguments, value))
    if isinstance(value, list | tuple):
        return all(admits(arguments[0], item) for item in value)
    return True
