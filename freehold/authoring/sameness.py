"""Whether what a source makes is what the program has: values, classes, functions, byte code."""

import inspect
from collections.abc import Mapping
from enum import Enum
from types import CodeType, FunctionType
from typing import Any

_PLAIN = (bool, int, float, complex, str, bytes, type(None))


def is_same(made: Any, live: Any) -> bool:
    try:
        return _is_same(made, live)
    except RecursionError:
        return False


def same_code(made: CodeType, live: CodeType) -> bool:
    if (made.co_code, made.co_names) != (live.co_code, live.co_names):
        return False
    return len(made.co_consts) == len(live.co_consts) and all(
        same_code(a, b) if isinstance(a, CodeType) and isinstance(b, CodeType) else _is_same(a, b)
        for a, b in zip(made.co_consts, live.co_consts, strict=True)
    )


def functions_in(attribute: Any) -> list[FunctionType]:
    """Those behind a class's attribute."""
    if isinstance(attribute, staticmethod | classmethod):
        attribute = attribute.__func__
    parts = [attribute]
    if isinstance(attribute, property):
        parts = [attribute.fget, attribute.fset, attribute.fdel]
    unwrapped = [inspect.unwrap(one) for one in parts if callable(one)]
    return [one for one in unwrapped if isinstance(one, FunctionType)]


def _is_same(made: Any, live: Any) -> bool:
    """Of values as a program sees them; what cannot be told to be the same is not."""
    if isinstance(live, type):
        return isinstance(made, type) and _is_same_class(made, live)
    if type(made) is not type(live):
        return False
    if isinstance(live, _PLAIN):
        return repr(made) == repr(live)
    if isinstance(live, list | tuple):
        return len(made) == len(live) and all(map(_is_same, made, live))
    if isinstance(live, set | frozenset):
        return bool(made == live)
    if isinstance(live, Mapping):
        return list(made) == list(live) and all(_is_same(made[key], live[key]) for key in live)
    if isinstance(live, FunctionType):
        return _is_same_function(made, live)
    if hasattr(live, "__wrapped__"):
        return _is_same(made.__wrapped__, live.__wrapped__)
    if hasattr(live, "tobytes") and hasattr(live, "dtype"):
        return _is_same_array(made, live)
    shown = repr(live)
    # What shows its address, or a part of itself, does not tell what it is.
    return repr(made) == shown and not any(odd in shown for odd in (" at 0x", "...", "…"))


def _is_same_class(made: type, live: type) -> bool:
    """By its names and plain attributes: its functions were held against the file."""
    plain = (*_PLAIN, list, tuple, set, frozenset, dict)
    pairs = [_attributes(one) for one in (made, live)]
    return made.__qualname__ == live.__qualname__ and all(
        _is_same(pairs[0].get(name), value)
        for name, value in pairs[1].items()
        if type(value) in plain or name not in pairs[0]
    )


def _attributes(owner: type) -> dict[str, Any]:
    if issubclass(owner, Enum):
        return {name: member.value for name, member in owner.__members__.items()}
    return {name: value for name, value in vars(owner).items() if not name.startswith("__")}


def _is_same_function(made: FunctionType, live: FunctionType) -> bool:
    """What it does was held against the file, but for what has no name."""
    if live.__name__ == "<lambda>" and not same_code(made.__code__, live.__code__):
        return False
    around = [
        (
            one.__defaults__,
            one.__kwdefaults__,
            [cell.cell_contents for cell in one.__closure__ or ()],
        )
        for one in (made, live)
    ]
    return made.__qualname__ == live.__qualname__ and _is_same(*around)


def _is_same_array(made: Any, live: Any) -> bool:
    if made.dtype != live.dtype or made.shape != live.shape:
        return False
    if live.dtype == object:
        return _is_same(made.tolist(), live.tolist())
    return bool(made.tobytes() == live.tobytes())
