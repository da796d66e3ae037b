"""What goes out of a connection by HTTP/2: answers, as far as its client's windows let them."""

from collections.abc import Callable, Iterable
from typing import Protocol

from freehold.endpoint.grpc.frames import (
    DATA,
    END_HEADERS,
    END_STREAM,
    FIRST_WINDOW,
    FLOW_CONTROL_ERROR,
    HEADERS,
    MOST_FRAME,
    MOST_WINDOW,
    PROTOCOL_ERROR,
    TABLE_SIZE,
    USUAL_FRAME,
    USUAL_TABLE,
    USUAL_WINDOW,
    Fault,
    frame,
)
from freehold.endpoint.grpc.headers import OK, SMALLER_TABLE
from freehold.endpoint.grpc.patience import Pace


class Unsent:
    """What a client does not take yet."""

    __slots__ = ("at", "begun", "body", "pace", "trailers")

    def __init__(self, body: bytes, trailers: bytes | None, now: float) -> None:
        """`trailers`: a block; None if more is to come. `now`: seconds of the monotonic clock."""
        self.body, self.trailers = body, trailers
        self.begun, self.pace = now, Pace(now)
        self.at = 0
        """Bytes of the body that are on their way."""

    def add(self, body: bytes, trailers: bytes | None) -> None:
        self.body += body
        self.trailers = trailers


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

    def done(self) -> None:
        """All is sent."""

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
        now: float,
    ) -> None:
        """`streams`: those that are open. `done`: told of one to which all was sent. `now`: seconds
        of the monotonic clock."""
        self._write, self._streams, self._done = write, streams, done
        self._window = USUAL_WINDOW
        self.first_window, self.most_frame = USUAL_WINDOW, USUAL_FRAME
        """Of each stream at first; of each frame."""
        self._prefix = b""
        self._blocked: dict[int, Stream] = {}
        """By turns: who had one is the last."""
        self.is_held = False
        """Whether the socket takes no more for now."""
        self._taken, self._pace = 0, Pace(now)
        """Bytes of all streams that their client had room for."""
        self.now = now
        """As of the last look."""

    # What the client says of itself

    def widen(self, one: Stream | None, step: int) -> None:
        """A stream's window, or that of all of them. Raises Fault."""
        if one is None:
            self._window += step
        else:
            one.send_window += step
        if (self._window if one is None else one.send_window) > MOST_WINDOW:
            raise Fault(FLOW_CONTROL_ERROR, "a window that is too large")

    def agree(self, settings: Iterable[tuple[int, int]]) -> None:
        """Of one that stands there again, the last holds. Raises Fault."""
        said = dict(settings)
        most = said.get(MOST_FRAME, self.most_frame)
        if not USUAL_FRAME <= most < 2**24:
            raise Fault(PROTOCOL_ERROR, "no size of a frame")
        self.most_frame = most
        if said.get(TABLE_SIZE, USUAL_TABLE) < USUAL_TABLE:
            # Nothing is put into the client's table here.
            self._prefix = SMALLER_TABLE
        if FIRST_WINDOW in said:
            self._widen_all(said[FIRST_WINDOW])

    def _widen_all(self, size: int) -> None:
        """Streams have this window at first, and those that are open have had it."""
        if size > MOST_WINDOW:
            raise Fault(FLOW_CONTROL_ERROR, "a window that is too large")
        step, self.first_window = size - self.first_window, size
        for one in self._streams.values():
            self.widen(one, step)

    def go_on(self) -> None:
        """As far as there is room: of each that is blocked a frame, then of each another."""
        without = 0
        while without < len(self._blocked) and self._window > 0 and not self.is_held:
            stream = next(iter(self._blocked))
            one = self._blocked.pop(stream)
            if not self._frame(stream, one):
                without += 1
            else:
                without = 0
            if one.unsent is not None:
                self._blocked[stream] = one
            else:
                one.sent()

    def drop(self, stream: int) -> None:
        self._blocked.pop(stream, None)

    def late(self, now: float, period: float) -> list[int]:
        """Streams of which less than LEAST was taken in a period, in seconds: for want of their own
        windows, or of that of all."""
        step, self.now = now - self.now, now
        if self.is_held:
            # Nor is it heard what its client grants.
            self._pace.pass_over(step)
            for one in self._blocked.values():
                _unsent_of(one).pace.pass_over(step)
            return []
        if not self._blocked:
            self._pace = Pace(now, self._taken)
            return []
        before = self._pace.since
        if self._pace.is_least(now, self._taken, period):
            # Whatever the windows are by now.
            return [k for k, one in self._blocked.items() if _unsent_of(one).begun <= before]
        found = []
        for stream, one in self._blocked.items():
            unsent = _unsent_of(one)
            if self._window <= 0 or one.send_window > 0:
                unsent.pace.pass_over(step)  # it waits for others
            elif unsent.pace.is_least(now, unsent.at, period):
                found.append(stream)
        return found

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
        room = min(one.send_window, self._window, self.most_frame)
        if size > room or self.is_held:
            self.head(stream, head)
            self.send(stream, body, trailers)
            return
        one.send_window -= size
        self._window -= size
        self._taken += size
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
        if one.unsent is not None:
            one.unsent.add(body, trailers)
            return
        one.unsent = Unsent(body, trailers, self.now)
        while one.unsent is not None:
            if not self._frame(stream, one):
                self._blocked[stream] = one
                return

    def _frame(self, stream: int, one: Stream) -> bool:
        """The next of what is not sent, if there is room for some of it."""
        unsent = _unsent_of(one)
        at, end = unsent.at, len(unsent.body)
        if at < end:
            step = min(end - at, one.send_window, self._window, self.most_frame)
            if step <= 0 or self.is_held:
                return False
            one.send_window -= step
            self._window -= step
            self._taken += step
            unsent.at = at + step
            self._write(frame(DATA, 0, stream, unsent.body[at : at + step]))
        if unsent.at == end:
            one.unsent = None
            if unsent.trailers is not None:
                flags = END_HEADERS | END_STREAM
                self._write(frame(HEADERS, flags, stream, self._prefixed(unsent.trailers)))
                self._done(stream)
        return True

    def _prefixed(self, block: bytes) -> bytes:
        prefix, self._prefix = self._prefix, b""
        return prefix + block


def _unsent_of(one: Stream) -> Unsent:
    """Of a stream that has something."""
    assert one.unsent is not None
    return one.unsent
