"""Canonical JSON, RFC 8785: one value, one sequence of bytes.

A fast encoder gives the same bytes for values made of strings, integers, ordinary fractions,
booleans, null, lists and objects whose keys are ASCII; anything else goes the slow, general way.
"""

from functools import lru_cache
from hashlib import sha256
from typing import Any

import orjson
import rfc8785

SAFE_INTEGER = 2**53 - 1
"""The largest that every reader of JSON takes exactly: no canonical form has a larger one."""


def canonical(value: Any) -> bytes:
    """RFC 8785 bytes of a JSON value.

    Raises ValueError on NaN, infinity, integers beyond 2**53 - 1, lone surrogates, and on
    anything that is not JSON.
    """
    if _is_plain(value):
        try:
            return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
        except TypeError:
            return rfc8785.dumps(value)  # which says what is wrong, or can do it
    return rfc8785.dumps(value)


@lru_cache(4096, typed=True)
def canonical_name(text: str) -> bytes:
    """`canonical` for strings that come again and again: types, writers, actors."""
    if type(text) is not str:
        raise ValueError(f"a name is a string, not {text!r}")
    return canonical(text)


def digest_of(value: Any) -> str:
    """`sha256:` and the hexadecimal digest of the canonical bytes."""
    return "sha256:" + sha256(canonical(value)).hexdigest()


def _is_plain(value: Any) -> bool:
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return True
    if kind is int:
        return bool(-SAFE_INTEGER <= value <= SAFE_INTEGER)
    if kind is float:
        # Here the shortest decimal is written alike by every JSON encoder; the general way
        # knows where ECMAScript changes to exponents and that 1.0 is written 1.
        return bool(1e-4 <= abs(value) < 1e15 and not value.is_integer())
    if kind is dict:
        for key, item in value.items():
            if type(key) is not str or not key.isascii():
                return False
            if type(item) is not str and not _is_plain(item):
                return False
        return True
    if kind is list or kind is tuple:
        return all(map(_is_plain, value))
    return False
