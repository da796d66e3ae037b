"""What goes out of a connection by HTTP/2: answers, as far as its client's windows let them."""

from collections.abc import Callable
from typing import Protocol

from freehold.endpoint.grpc.frames import (
    DATA,
    END_HEADERS,
    END_STREAM,
    FLOW_CONTROL_ERROR,
    HEADERS,
    MOST_WINDOW,
    USUAL_FRAME,
    USUAL_TABLE,
    USUAL_WINDOW,
    Fault,
    frame,
)
from freehold.endpoint.grpc.headers import OK, SMALLER_TABLE


class Unsent:
    """What a client does not take yet."""

    __slots__ = ("body", "since", "trailers")

    def __init__(self, body: bytes, trailers: bytes | None, since: float) -> None:
        """`trailers`: a block; None if more is to come. `since`: seconds of the monotonic clock."""
        self.body, self.trailers, self.since = body, trailers, since


class Stream(Protocol):
    """What a connection needs of a call."""

    send_window: int
    receive_window: int
    """Bytes that may still come before more are granted."""
    is_whole: bool
    """Whether its client says no more."""
    unsent: Unsent | None

    def take(self, payload: bytes) -> None:
        """The next bytes."""

    def end(self) -> None:
        """No more will come."""

    def drop(self) -> None:
        """Nobody waits for an answer any more."""

    def sent(self) -> None:
        """All that was not taken at first is."""

    @property
    def wanted(self) -> int:
        """Bytes that may come beside those that came."""


class Sending:
    def __init__(
        self,
        write: Callable[[bytes], None],
        streams: dict[int, Stream],
        done: Callable[[int], None],
    ) -> None:
        """`streams`: those that are open. `done`: told of one to which all was sent."""
        self._write, self._streams, self._done = write, streams, done
        self._window = USUAL_WINDOW
        self.first_window, self.most_frame = USUAL_WINDOW, USUAL_FRAME
        """Of each stream at first; of each frame."""
        self._prefix = b""
        self._blocked: dict[int, Stream] = {}
        self.now = 0.0
        """Seconds of the monotonic clock, as of the last look."""

    # What the client says of itself

    def widen(self, one: Stream | None, step: int) -> None:
        """A stream's window, or that of all of them. Raises Fault."""
        if one is None:
            self._window += step
        else:
            one.send_window += step
        if (self._window if one is None else one.send_window) > MOST_WINDOW:
            raise Fault(FLOW_CONTROL_ERROR, "a window that is too large")

    def widen_first(self, size: int) -> None:
        """That of each stream at first, of those that are open too. Raises Fault."""
        if size > MOST_WINDOW:
            raise Fault(FLOW_CONTROL_ERROR, "a window that is too large")
        step, self.first_window = size - self.first_window, size
        for one in self._streams.values():
            self.widen(one, step)

    def forget(self, table: int) -> None:
        """Its table of names has this size; here nothing is put into it."""
        if table < USUAL_TABLE:
            self._prefix = SMALLER_TABLE

    def go_on(self) -> None:
        for stream, one in list(self._blocked.items()):
            self._send(stream, one)
            if one.unsent is None:
                one.sent()

    def drop(self, stream: int) -> None:
        self._blocked.pop(stream, None)

    def late(self, before: float) -> list[int]:
        """Streams whose client takes nothing since then."""
        found = self._blocked.items()
        return [stream for stream, one in found if one.unsent and one.unsent.since < before]

    # What calls say

    def head(self, stream: int, block: bytes, *, is_last: bool = False) -> None:
        """The headers of an answer; `block` beside the status of HTTP."""
        flags = END_HEADERS | (END_STREAM if is_last else 0)
        self._write(frame(HEADERS, flags, stream, self._prefixed(OK + block)))
        if is_last:
            self._done(stream)

    def whole(self, stream: int, head: bytes, body: bytes, trailers: bytes) -> None:
        """An answer as one."""
        one = self._streams.get(stream)
        if one is None:
            return
        size = len(body)
        if size > one.send_window or size > self._window or size > self.most_frame:
            self.head(stream, head)
            self.send(stream, body, trailers)
            return
        self._window -= size
        self._write(
            frame(HEADERS, END_HEADERS, stream, self._prefixed(OK + head))
            + frame(DATA, 0, stream, body)
            + frame(HEADERS, END_HEADERS | END_STREAM, stream, trailers)
        )
        self._done(stream)

    def send(self, stream: int, body: bytes, trailers: bytes | None) -> None:
        """More of an answer whose head was sent; `trailers` end it."""
        one = self._streams.get(stream)
        if one is None:
            return
        if one.unsent is None:
            one.unsent = Unsent(body, trailers, self.now)
        else:
            one.unsent.body += body
            one.unsent.trailers = trailers
        self._send(stream, one)

    def _send(self, stream: int, one: Stream) -> None:
        unsent = one.unsent
        if unsent is None:
            return
        at, body = 0, unsent.body
        while at < len(body):
            step = min(len(body) - at, one.send_window, self._window, self.most_frame)
            if step <= 0:
                if at:
                    unsent.body, unsent.since = body[at:], self.now
                self._blocked[stream] = one
                return
            one.send_window -= step
            self._window -= step
            self._write(frame(DATA, 0, stream, body[at : at + step]))
            at += step
        self._blocked.pop(stream, None)
        one.unsent = None
        if unsent.trailers is not None:
            self._write(frame(HEADERS, END_HEADERS | END_STREAM, stream, unsent.trailers))
            self._done(stream)

    def _prefixed(self, block: bytes) -> bytes:
        prefix, self._prefix = self._prefix, b""
        return prefix + block
