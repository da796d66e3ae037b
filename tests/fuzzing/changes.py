"""Inputs made of others, such that a reader's first look is not always its last.

Bytes changed at random are hardly ever JSON, and never signed.
"""

import json
import warnings
from collections.abc import Callable
from copy import deepcopy
from io import BytesIO
from random import Random
from typing import Any
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZIP_LZMA, ZIP_STORED, ZipFile, ZipInfo

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


def changed_parquet(data: bytes, chance: Random) -> bytes:
    """Some bytes of what it says of itself, or of its pages, with its ends as they are."""
    size = int.from_bytes(data[-8:-4], "little")
    foot = len(data) - 8 - size
    if foot <= 4 or not size:
        raise ValueError("no Parquet")
    made = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 4))):
        span = (foot, len(data) - 8) if chance.random() < 0.7 else (4, foot)
        at = chance.randrange(*span)
        made[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, made[at] ^ 1, chance.randrange(256)))
    return bytes(made)


NAMES = (
    "../up",
    "/root",
    "a/../b",
    "MLmodel",
    "mlmodel",
    "MLmodel/x",
    "a\\b",
    "",
    "a/",
    "é",
    "a\0b",
)
METHODS = (ZIP_STORED, ZIP_STORED, ZIP_STORED, ZIP_DEFLATED, ZIP_BZIP2, ZIP_LZMA)


def changed_archive(data: bytes, chance: Random) -> bytes:
    """Of a ZIP: a file more, renamed or twice, packed otherwise, with what should not be there."""
    try:
        with ZipFile(BytesIO(data)) as archive:
            files = [(one.filename, archive.read(one)) for one in archive.infolist()]
    except Exception as exc:
        raise ValueError("no archive") from exc
    files.insert(chance.randint(0, len(files)), (chance.choice(NAMES), chance.randbytes(5)))
    if chance.random() < 0.5:
        del files[chance.randrange(len(files))]
    if chance.random() < 0.5:
        files.sort()
    written = BytesIO()
    with warnings.catch_warnings(), ZipFile(written, "w") as archive:
        warnings.simplefilter("ignore")
        for name, content in files:
            entry = ZipInfo(name, (1980, 1, 1, 0, 0, chance.choice((0, 0, 2))))
            entry.create_system, entry.external_attr = 3, chance.choice((0o100644, 0o120777)) << 16
            entry.compress_type = chance.choice(METHODS)
            entry.extra = chance.choice((b"", b"", b"\x01\x00\x08\x00" + b"\xff" * 8))
            archive.writestr(entry, content)
        archive.comment = chance.choice((b"", b"", b"said"))
    made = bytearray(written.getvalue())
    if chance.random() < 0.3:
        made[chance.randrange(len(made))] = chance.choice((0, 1, 0xFF))
    return bytes(made)


def resigned(sign: Callable[[Any], bytes]) -> Callable[[bytes, Random], bytes]:
    """Changed, and then signed once more, where it can be: as by whoever has the key."""

    def change(data: bytes, chance: Random) -> bytes:
        made = changed_json(data, chance)
        try:
            return sign(json.loads(made))
        except (ValueError, KeyError, TypeError, RecursionError):
            return made

    return change
