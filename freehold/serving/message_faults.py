"""Which field of a protobuf message is to blame that the parser, which names none, has refused.

Wire format: protobuf's "Encoding" document. Read once more, and slowly, only once it was refused.
"""

from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from freehold.domain.errors import Fault, RequestInvalid

_VARINT, _EIGHT, _BYTES, _GROUP, _GROUP_END, _FOUR = range(6)
_FIXED = {
    FieldDescriptor.TYPE_DOUBLE: 8,
    FieldDescriptor.TYPE_FLOAT: 4,
}
"""Bytes of one value, of the types here that have as many always."""
_APART = frozenset(
    {FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES, FieldDescriptor.TYPE_MESSAGE}
)
"""Types of which each value has a field of its own; others are packed into one."""
_ENOUGH = 50_000
"""Fields that are looked at: a message of millions must not hold up the others' answers."""


class _Broken(Exception):
    """Where and why the reading ends."""


def malformed(message: Any, data: bytes) -> RequestInvalid:
    """`message`: class that `data` were taken for and are not. `request.malformed`, with the
    field's path, as far as it is found.
    """
    looked = iter(range(_ENOUGH))
    try:
        _walk(data, message.DESCRIPTOR, "", looked)
        fault = Fault("request.malformed", "is no protobuf message of this kind", "the message")
    except _Broken as exc:
        where, what = exc.args
        fault = Fault("request.malformed", what, where or "the message")
    return RequestInvalid(str(fault), code=fault.code, faults=(fault,))


def _walk(data: bytes, descriptor: Any, path: str, looked: Iterator[int]) -> None:
    """Raises _Broken."""
    at, seen = 0, dict[int, int]()
    while at < len(data) and next(looked, None) is not None:
        tag, at = _varint(data, at, path)
        number, wire = tag >> 3, tag & 7
        field = descriptor.fields_by_number.get(number)
        where = _place(field, number, path, seen)
        if wire == _VARINT:
            _, at = _varint(data, at, where)
        elif wire in (_EIGHT, _FOUR):
            at += 8 if wire == _EIGHT else 4
            if at > len(data):
                raise _Broken(where, "ends within its value")
        elif wire == _BYTES:
            size, at = _varint(data, at, where)
            if size > len(data) - at:
                what = f"says that {size} bytes come, and {len(data) - at} are left"
                raise _Broken(where, what)
            if field is not None:
                _check(data[at : at + size], field, where, looked)
            at += size
        elif wire == _GROUP:
            raise _Broken(where, "is a group, which no field of these messages is")
        else:
            raise _Broken(where, f"has the wire type {wire}, which begins no value")


def _place(field: Any, number: int, path: str, seen: dict[int, int]) -> str:
    name = f"field {number}" if field is None else field.name
    if field is not None and field.is_repeated and field.type in _APART:
        place = seen[number] = seen.get(number, -1) + 1
        name += f"[{place}]"
    return f"{path}.{name}" if path else name


def _check(value: bytes, field: Any, where: str, looked: Iterator[int]) -> None:
    """Of a field that came as bytes. Raises _Broken."""
    if field.type == FieldDescriptor.TYPE_MESSAGE:
        _walk(value, field.message_type, where, looked)
    elif field.type == FieldDescriptor.TYPE_STRING:
        try:
            value.decode()
        except UnicodeDecodeError as exc:
            raise _Broken(where, "is no UTF-8") from exc
    elif field.type in _APART or not field.is_repeated:
        return
    elif field.type in _FIXED:
        if len(value) % _FIXED[field.type]:
            what = f"holds {len(value)} bytes, and each value has {_FIXED[field.type]}"
            raise _Broken(where, what)
    else:
        at = 0
        while at < len(value) and next(looked, None) is not None:
            _, at = _varint(value, at, where)


def _varint(data: bytes, at: int, where: str) -> tuple[int, int]:
    """The number, and where it ends. Raises _Broken."""
    number = 0
    for place in range(10):
        if at + place >= len(data):
            raise _Broken(where, "ends within a number")
        byte = data[at + place]
        number |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return number, at + place + 1
    raise _Broken(where, "holds a number of more than 64 bits")
