"""What holds of every reader, whatever the bytes.

Laws
- It gives a value, or raises an error of ours that is the sender's fault: a 4xx of a request, one
  of the codes that its docstring names of a document. Nothing else is raised, ever.
- The error can be told: its answer is JSON, and no longer than a multiple of what was sent.
- The value is no larger than what was sent could hold.
- The same bytes read twice give the same.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, NamedTuple

import orjson

from freehold.domain.errors import FreeholdError
from freehold.endpoint.refusal import answer_of, status_of

TOLD, TOLD_EACH = 4096, 16
"""Bytes that an error's answer may have, and those for each byte that was sent: a name is told in
the error and in its fault, and a control character of it takes six."""


class Reading(NamedTuple):
    """What a reader made of some bytes."""

    told: Any
    """All of it, comparable."""
    size: int = 0
    """Values that are held: rows by columns, entries or bytes, as the target has them."""


@dataclass(frozen=True)
class Target:
    about: str
    read: Callable[[bytes], Reading]
    seeds: tuple[bytes, ...]
    """Inputs from which others are made: most of them valid."""
    words: tuple[bytes, ...] = ()
    """That inputs of this kind are made of."""
    codes: frozenset[str] | None = None
    """Of the errors that it may raise; None for a reader of requests."""
    size_each: int = 1
    """How many values a byte may become."""
    of_counts: int = 1
    """One of so many inputs is tried that others get: for a reader that asks another process."""
    change: Callable[[bytes, Random], bytes] | None = None
    """Makes another input of one, that is nearly of its kind; None leaves it to bytes. Raises
    ValueError for what is not of its kind."""


class Broken(AssertionError):
    """A law does not hold."""


def check(target: Target, data: bytes) -> bool:
    """Whether the bytes were taken. Raises Broken."""
    first = _outcome(target, data)
    if _outcome(target, data) != first:
        raise Broken("the same bytes read twice give two things")
    return isinstance(first, Reading)


def _outcome(target: Target, data: bytes) -> Any:
    try:
        reading = target.read(data)
    except FreeholdError as exc:
        return refusal(exc, data, target.codes)
    except Broken:
        raise
    except BaseException as exc:
        raise Broken(f"{type(exc).__name__} is raised, which is no error of ours") from exc
    if reading.size > target.size_each * len(data):
        what = f"{len(data)} bytes became {reading.size} values"
        raise Broken(f"{what}, and {target.size_each} for each are as many as they can hold")
    return reading


def refusal(error: FreeholdError, data: bytes, codes: frozenset[str] | None = None) -> Any:
    """All that the error says. Raises Broken unless it is the sender's fault, and can be told."""
    if codes is not None and error.code not in codes:
        raise Broken(f"the reader's docstring names no error {error.code}") from error
    if codes is None and not 400 <= status_of(error) < 500:
        raise Broken(f"it is answered with {status_of(error)}") from error
    try:
        body = answer_of(error).body
    except Exception as exc:
        raise Broken("the error cannot be told") from exc
    if len(body) > TOLD + TOLD_EACH * len(data):
        raise Broken(f"{len(body)} bytes tell of an error in {len(data)}") from error
    told = orjson.loads(body)
    if not told["code"] or not told["error"]:
        raise Broken("the error has no code, or says nothing") from error
    return type(error).__name__, error.code, error.what, error.why, error.hint, error.faults
