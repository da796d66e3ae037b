"""Inputs made of others, such that a reader's first look is not always its last.

Bytes changed at random are hardly ever JSON, and never signed.
"""

import json
from collections.abc import Callable
from copy import deepcopy
from random import Random
from typing import Any

LEAVES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 3, 127, 128, 255, 256, 2**31, 2**53, 2**63, 2**64, -(2**63)),
    *(0.5, 1e-320, 3.5e38, 1e300, float("nan"), float("inf"), "", "a", "null", "id", "\ud800"),
    *("score", "version", "BYTES", "FP64", "FP16", "INT8", "UINT64", "BOOL", [], {}, [[]], [1]),
)


def changed_json(data: bytes, chance: Random) -> bytes:
    """A part of it replaced, removed, repeated, renamed, wrapped or put in another's place."""
    value = [json.loads(data)]
    for _ in range(chance.randint(1, 3)):
        _change(value, chance)
    return json.dumps(value[0], ensure_ascii=chance.random() < 0.5).encode(errors="replace")


def _change(value: Any, chance: Random) -> None:
    places = list(_places(value))
    node, key = chance.choice(places)
    match chance.randrange(7):
        case 0 if len(node) > 1 or isinstance(node, dict):
            del node[key]
        case 1 if isinstance(node, list):
            node.insert(key, deepcopy(node[key]))
        case 2 if isinstance(node, dict):
            node[chance.choice(_names(places))] = node.pop(key)
        case 3:
            node[key] = [node[key]]
        case 4:
            other, name = chance.choice(places)
            # Behind a removal, a place may be gone; what holds itself could not be written.
            node[key] = deepcopy(other[name])
        case 5 if type(node[key]) in (int, float):
            node[key] = chance.choice((-1, 1, 2)) * node[key] + chance.choice((-1, 0, 0.5, 1))
        case _:
            node[key] = deepcopy(chance.choice(LEAVES))


def _places(value: Any) -> Any:
    keys = list(value) if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _places(value[key])


def _names(places: list[Any]) -> list[str]:
    return [key for _, key in places if isinstance(key, str)] or ["id"]


def changed_head(data: bytes, chance: Random) -> bytes:
    """Of JSON with bytes behind it: one of them, or both."""
    length, body = int.from_bytes(data[:2], "little"), data[2:]
    head, rest = body[:length], bytearray(body[length:])
    if rest and chance.random() < 0.5:
        rest[chance.randrange(len(rest))] = chance.choice((0, 1, 0x7F, 0x80, 0xC0, 0xFF))
    if not rest or chance.random() < 0.7:
        head = changed_json(head, chance)
    return (len(head) % 2**16).to_bytes(2, "little") + head + rest


def resigned(sign: Callable[[Any], bytes]) -> Callable[[bytes, Random], bytes]:
    """Changed, and then signed once more, where it can be: as by whoever has the key."""

    def change(data: bytes, chance: Random) -> bytes:
        made = changed_json(data, chance)
        try:
            return sign(json.loads(made))
        except (ValueError, KeyError, TypeError, RecursionError):
            return made

    return change
