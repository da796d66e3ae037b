"""Frames of HTTP/2 (RFC 9113, sections 4 and 6), as they are written and as they are told apart."""

from collections.abc import Iterable

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEAD = 9
"""Bytes before each frame's own: its length (3), kind, flags, and stream (4)."""
DATA, HEADERS, PRIORITY, RESET, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, PRIORITISED = 0x1, 0x1, 0x4, 0x8, 0x20
(
    NO_ERROR,
    PROTOCOL_ERROR,
    INTERNAL_ERROR,
    FLOW_CONTROL_ERROR,
    SETTINGS_TIMEOUT,
    STREAM_CLOSED,
    FRAME_SIZE_ERROR,
    REFUSED_STREAM,
    CANCEL,
    COMPRESSION_ERROR,
    CONNECT_ERROR,
    ENHANCE_YOUR_CALM,
) = range(12)
TABLE_SIZE, ENABLE_PUSH, MOST_STREAMS, FIRST_WINDOW, MOST_FRAME = range(1, 6)
"""Names of settings."""
EVERY_STREAM = MOST_WINDOW = 2**31 - 1
USUAL_WINDOW, USUAL_FRAME, USUAL_TABLE = 65_535, 16_384, 4_096
"""Before a side says otherwise."""


class Fault(Exception):
    """Of the other side. The connection ends with this code."""

    def __init__(self, code: int, what: str) -> None:
        super().__init__(what)
        self.code = code


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return b"%b%c%c%b%b" % (
        len(payload).to_bytes(3),
        kind,
        flags,
        stream.to_bytes(4),
        payload,
    )


def settings(values: Iterable[tuple[int, int]]) -> bytes:
    told = b"".join(name.to_bytes(2) + value.to_bytes(4) for name, value in values)
    return frame(SETTINGS, 0, 0, told)


def settings_in(payload: bytes) -> list[tuple[int, int]]:
    """Raises Fault."""
    if len(payload) % 6:
        raise Fault(FRAME_SIZE_ERROR, "settings are six bytes each")
    return [
        (int.from_bytes(payload[at : at + 2]), int.from_bytes(payload[at + 2 : at + 6]))
        for at in range(0, len(payload), 6)
    ]


def window(stream: int, step: int) -> bytes:
    return frame(WINDOW, 0, stream, step.to_bytes(4))


def reset(stream: int, code: int) -> bytes:
    return frame(RESET, 0, stream, code.to_bytes(4))


def goaway(last: int, code: int, why: str = "") -> bytes:
    """`last`: the last stream that is looked at."""
    return frame(GOAWAY, 0, 0, last.to_bytes(4) + code.to_bytes(4) + why.encode())


def unpadded(flags: int, payload: bytes) -> bytes:
    """Raises Fault."""
    if not flags & PADDED:
        return payload
    if not payload or payload[0] >= len(payload):
        raise Fault(PROTOCOL_ERROR, "there is more padding than frame")
    return payload[1 : len(payload) - payload[0]]
