"""As much of HTTP/2 (RFC 9113) as it takes to ask a client to go: pure."""

HEAD = 9
"""Bytes before each frame's own: its length (3), kind, flags, and stream (4)."""
HEADERS, PUSH, PING, GOAWAY, CONTINUATION = 1, 5, 6, 7, 9
ACK, END_HEADERS = 0x1, 0x4
EVERY_STREAM = 2**31 - 1


class Frames:
    """Where another frame has room among those that one side sends."""

    def __init__(self) -> None:
        self._head = b""
        self._left = 0
        """Bytes until the frame's end."""
        self._is_open = False
        """Whether a block of headers goes on in the next frame: nothing may come between."""
        self.has_room = False

    def take(self, data: bytes) -> int:
        """The next piece of what is sent. Returns behind how many of its bytes there is room first;
        0: nowhere."""
        at, room = 0, 0
        while at < len(data):
            if self._left:
                step = min(self._left, len(data) - at)
                self._left -= step
                at += step
            else:
                step = HEAD - len(self._head)
                self._head += data[at : at + step]
                at += step
                if len(self._head) < HEAD:
                    self.has_room = False
                    return room
                kind, flags = self._head[3], self._head[4]
                self._left = int.from_bytes(self._head[:3])
                self._is_open = kind in (HEADERS, PUSH, CONTINUATION) and not flags & END_HEADERS
                self._head = b""
            self.has_room = not self._left and not self._is_open
            if self.has_room and not room:
                room = at
        return room


class Echo:
    """Looks for the answer to a PING among what comes back.

    The mark is random, so that nothing else that is sent has it: no frames need be told apart.
    """

    def __init__(self, mark: bytes) -> None:
        self._sought = _frame(PING, ACK, mark)
        self._end = b""
        self.heard = False

    def take(self, data: bytes) -> None:
        if not self.heard:
            seen = self._end + data
            self.heard = self._sought in seen
            self._end = seen[1 - len(self._sought) :]


def farewell(mark: bytes) -> bytes:
    """That the client is to begin nothing more here, and a PING of these 8 bytes: whatever it sent
    before its answer is still looked at."""
    goaway = EVERY_STREAM.to_bytes(4) + bytes(4)
    return _frame(GOAWAY, 0, goaway) + _frame(PING, 0, mark)


def _frame(kind: int, flags: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3) + bytes((kind, flags)) + bytes(4) + payload
