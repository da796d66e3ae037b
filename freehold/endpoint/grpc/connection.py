"""One client's connection: HTTP/2 (RFC 9113) without encryption, as gRPC speaks it.

Laws
- Whoever is slow costs a small object and no more: what does not become whole, an answer that is
  not taken, and a silence in which nobody is there any more end the connection, or the call.
- What is kept of a client has a bound, whatever it sends and however it cuts it: of a frame, of a
  block of headers, of calls at a time, of messages before their turn; of calls that it gives up as
  soon as it began them, no more than some a second are looked at.
- What breaks the protocol ends the connection with the code that says why. A fault of one call is
  that call's, and the others go on.
- A client is asked to go by GOAWAY and a PING. What it began before it answered the PING is looked
  at; afterwards it begins nothing here, so that the end loses nothing.
"""

import asyncio
import os
from contextlib import suppress
from math import inf
from time import monotonic
from typing import Any, Protocol, cast

from freehold.endpoint.grpc.frames import (
    ACK,
    CANCEL,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    EVERY_STREAM,
    FIRST_WINDOW,
    FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR,
    GOAWAY,
    HEAD,
    HEADERS,
    MOST_STREAMS,
    MOST_WINDOW,
    NO_ERROR,
    PING,
    PREFACE,
    PRIORITISED,
    PRIORITY,
    PROTOCOL_ERROR,
    PUSH,
    REFUSED_STREAM,
    RESET,
    SETTINGS,
    USUAL_FRAME,
    USUAL_WINDOW,
    WINDOW,
    Fault,
    frame,
    goaway,
    reset,
    settings,
    settings_in,
    unpadded,
    window,
)
from freehold.endpoint.grpc.headers import LIST_BYTES, HeaderReader, Headers
from freehold.endpoint.grpc.patience import Pace, Patience
from freehold.endpoint.grpc.sending import Sending, Stream
from freehold.serving.admission import Bucket

STREAMS = 128
"""Calls at a time of one connection; its client keeps the others waiting."""
STREAM_WINDOW = 256 * 2**10
"""Bytes of a call that may come before some of them are looked at."""
CONNECTION_WINDOW = 4 * 2**20
"""The same, of all its calls."""
GIVEN_UP, GIVEN_UP_AT_ONCE = 200, 2_000
"""Calls that a client may give up in a second, and after a while in which it gave up none."""
AT_ONCE = 64 * 2**10
"""Bytes that are gathered before they are given to the socket."""
GRACE = 10.0
"""Seconds for which a client is waited for that was asked to go, or told that all was said."""


class Host(Protocol):
    """What a connection needs of the server that accepted it."""

    now: float
    """Seconds of the monotonic clock, as of the last look."""

    def opened(self, connection: "Connection") -> None: ...

    def closed(self, connection: "Connection") -> None: ...

    def begin(self, connection: "Connection", stream: int, headers: Headers) -> Stream | None:
        """A call; None if it was answered at once."""


class Connection(asyncio.Protocol):
    def __init__(self, host: Host) -> None:
        self._host = host
        self._buffer = b""
        """What is not a whole frame."""
        self._reader = HeaderReader()
        self._is_greeted = self._has_settings = False
        self._block: list[bytes] = []
        self._block_of, self._block_flags, self._block_size = 0, 0, 0
        """Of a block of headers that goes on: its stream, 0 if there is none."""
        self._streams: dict[int, Stream] = {}
        self._last = 0
        """The highest stream that a client began."""
        self._unread = 0
        """Bytes that came since a window for more was last given."""
        self.sending = Sending(self.write, self._streams, self._done, host.now)
        self._out: list[bytes] | None = None
        """What is to be written at the end of a reading; None outside of one."""
        self._gathered = self._given = 0
        """Bytes of it; that the socket was given."""
        self._given_up = Bucket(GIVEN_UP, GIVEN_UP_AT_ONCE, host.now)
        self._mark, self._farewell = b"", b""
        """Of the PING that asks whether the client is there; of the one that asks it to go."""
        self._asked = 0.0
        self._dismissed: float | None = None
        self._has_heard = False
        """Whether it knows that it is to go."""
        self._is_paused = False
        self._pace: Pace | None = None
        """Of the socket, while it is full or what is left is to go out."""
        self._heard = self._partial = self._block_since = host.now
        """When something last came; since when a frame is not whole; a block."""
        self._left = self._answered = -inf
        """When it was left; when it was last answered."""
        self.ended = False
        self.peer = ""

    # What the loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(Any, transport)  # uvloop's is none by its class
        found = transport.get_extra_info("peername")
        self.peer = str(found[0]) if found else ""
        told = ((MOST_STREAMS, STREAMS), (FIRST_WINDOW, STREAM_WINDOW), (6, LIST_BYTES))
        self._give(settings(told) + window(0, CONNECTION_WINDOW - USUAL_WINDOW))
        self._host.opened(self)

    def connection_lost(self, _exc: Exception | None) -> None:
        self.ended = True
        for stream in tuple(self._streams.values()):
            stream.drop()
        self._streams.clear()
        self._host.closed(self)

    def data_received(self, data: bytes) -> None:
        self._heard = self._host.now
        if self.ended:
            return
        self._mark = b""  # it is there
        had = bool(self._buffer)
        self._buffer = self._buffer + data if had else data
        if not self.sending.is_held:
            self._read(had)

    def _read(self, had: bool) -> None:
        """What has come. `had`: whether it begins with a piece of a frame that came before."""
        buffer = self._buffer
        self._out, self._gathered = [], 0
        try:
            at = self._frames(buffer)
            self.sending.go_on()
        except Fault as fault:
            self._fail(fault)
            return
        self._buffer = buffer[at:]
        if self._buffer and (at or not had):
            self._partial = self._host.now
        if self._unread >= CONNECTION_WINDOW // 2:
            self._out.append(window(0, self._unread))
            self._unread = 0
        out, self._out = self._out, None
        if out:
            self._give(b"".join(out))
        self._leave_if_done()

    def pause_writing(self) -> None:
        """No more is read of who does not read, and no more of an answer goes out."""
        self.sending.is_held = self._is_paused = True
        self._pace = Pace(self._host.now, self._taken)
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self.sending.is_held = False
        # Nothing was read meanwhile.
        self._heard = self._partial = self._block_since = self._asked = self._host.now
        if self.ended:
            return
        self._pace = None
        self.sending.go_on()
        if self._buffer and not (self.sending.is_held or self.ended):
            self._read(True)
        if not (self.sending.is_held or self.ended):
            self._read_on()

    def _read_on(self) -> None:
        if self._is_paused:
            self._is_paused = False
            self._transport.resume_reading()

    # Frames

    def _frames(self, buffer: bytes) -> int:
        """Returns how many bytes were whole frames."""
        at = 0
        if not self._is_greeted:
            if not PREFACE.startswith(buffer[: len(PREFACE)]):
                raise Fault(PROTOCOL_ERROR, "this is not HTTP/2")
            if len(buffer) < len(PREFACE):
                return 0
            self._is_greeted, at = True, len(PREFACE)
        while len(buffer) - at >= HEAD and not self.sending.is_held:
            size = int.from_bytes(buffer[at : at + 3])
            if size > USUAL_FRAME:
                raise Fault(FRAME_SIZE_ERROR, f"a frame of {size} bytes")
            end = at + HEAD + size
            if end > len(buffer):
                break
            kind, flags = buffer[at + 3], buffer[at + 4]
            stream = int.from_bytes(buffer[at + 5 : at + HEAD]) & EVERY_STREAM
            payload = buffer[at + HEAD : end]
            at = end
            if self._block_of and (kind != CONTINUATION or stream != self._block_of):
                raise Fault(PROTOCOL_ERROR, "something comes between two pieces of headers")
            if kind == DATA:
                self._data(stream, flags, payload)
            elif kind == HEADERS:
                self._headers(stream, flags, payload)
            else:
                self._other(kind, stream, flags, payload)
            if self.ended:
                break
        return at

    def _data(self, stream: int, flags: int, payload: bytes) -> None:
        self._require_settings()
        if not stream & 1 or stream > self._last:
            raise Fault(PROTOCOL_ERROR, f"data of the stream {stream}, which was not begun")
        size = len(payload)
        self._unread += size
        if self._unread > CONNECTION_WINDOW:
            raise Fault(FLOW_CONTROL_ERROR, "more than was granted")
        found = self._streams.get(stream)
        if found is None:
            return  # it was answered before it was whole
        if found.is_whole:
            raise Fault(PROTOCOL_ERROR, f"the stream {stream} goes on behind its end")
        found.receive_window -= size
        if found.receive_window < 0:
            raise Fault(FLOW_CONTROL_ERROR, f"more than was granted to the stream {stream}")
        found.take(unpadded(flags, payload))
        if flags & END_STREAM:
            found.is_whole = True
            found.end()
        else:
            self.grant(stream, found)

    def _headers(self, stream: int, flags: int, payload: bytes) -> None:
        self._require_settings()
        payload = unpadded(flags, payload)
        if flags & PRIORITISED:
            if len(payload) < 5:
                raise Fault(FRAME_SIZE_ERROR, "a priority is five bytes")
            payload = payload[5:]
        if flags & END_HEADERS:
            self._whole_block(stream, flags, payload)
        else:
            self._block, self._block_size = [payload], len(payload)
            self._block_of, self._block_flags = stream, flags
            self._block_since = self._host.now
            if not stream:
                raise Fault(PROTOCOL_ERROR, "headers of no stream")

    def _continuation(self, flags: int, payload: bytes) -> None:
        if not self._block_of:
            raise Fault(PROTOCOL_ERROR, "headers go on that did not begin")
        self._block.append(payload)
        # A frame of nothing counts too: of those there might be any number.
        self._block_size += len(payload) + HEAD
        if self._block_size > LIST_BYTES:
            raise Fault(ENHANCE_YOUR_CALM, f"headers of more than {LIST_BYTES} bytes")
        if flags & END_HEADERS:
            stream, self._block_of = self._block_of, 0
            block, self._block = b"".join(self._block), []
            self._whole_block(stream, self._block_flags, block)

    def _whole_block(self, stream: int, flags: int, block: bytes) -> None:
        headers = self._reader.read(block)
        found = self._streams.get(stream)
        if found is not None:
            if found.is_whole or not flags & END_STREAM:
                raise Fault(PROTOCOL_ERROR, f"headers in the middle of the stream {stream}")
            found.is_whole = True
            found.end()
            return
        if not stream & 1:
            raise Fault(PROTOCOL_ERROR, f"a client begins no stream {stream}")
        if stream <= self._last:
            return  # the end of one that was answered before it was whole
        self._last = stream
        if len(self._streams) >= STREAMS:
            self.write(reset(stream, REFUSED_STREAM))
            return
        begun = self._host.begin(self, stream, headers)
        if begun is None:
            if not flags & END_STREAM:
                self.write(reset(stream, NO_ERROR))
            return
        begun.send_window, begun.receive_window = self.sending.first_window, STREAM_WINDOW
        self._streams[stream] = begun
        if flags & END_STREAM:
            begun.is_whole = True
            begun.end()

    def _other(self, kind: int, stream: int, flags: int, payload: bytes) -> None:
        if kind == SETTINGS:
            self._settings(stream, flags, payload)
            return
        self._require_settings()
        if kind == CONTINUATION:
            self._continuation(flags, payload)
        elif kind == WINDOW:
            self._window(stream, payload)
        elif kind == PING:
            self._ping(stream, flags, payload)
        elif kind == RESET:
            self._reset(stream, payload)
        elif kind == PUSH:
            raise Fault(PROTOCOL_ERROR, "a client pushes nothing")
        elif kind == PRIORITY and len(payload) != 5:
            raise Fault(FRAME_SIZE_ERROR, "a priority is five bytes")
        elif kind == GOAWAY and (stream or len(payload) < 8):
            raise Fault(PROTOCOL_ERROR, "a farewell that is none")

    def _settings(self, stream: int, flags: int, payload: bytes) -> None:
        if stream:
            raise Fault(PROTOCOL_ERROR, "settings of a stream")
        if flags & ACK:
            if payload:
                raise Fault(FRAME_SIZE_ERROR, "settings that are taken hold none")
            self._require_settings()
            return
        self._has_settings = True
        self.sending.agree(settings_in(payload))
        self.write(frame(SETTINGS, ACK, 0, b""))

    def _window(self, stream: int, payload: bytes) -> None:
        if len(payload) != 4:
            raise Fault(FRAME_SIZE_ERROR, "a window is four bytes")
        step = int.from_bytes(payload) & MOST_WINDOW
        if not step:
            raise Fault(PROTOCOL_ERROR, "a window that does not open")
        if not stream:
            self.sending.widen(None, step)
        elif stream in self._streams:
            self.sending.widen(self._streams[stream], step)
        elif not stream & 1 or stream > self._last:
            raise Fault(PROTOCOL_ERROR, f"a window of the stream {stream}, which was not begun")

    def _ping(self, stream: int, flags: int, payload: bytes) -> None:
        if stream:
            raise Fault(PROTOCOL_ERROR, "a question about a stream")
        if len(payload) != 8:
            raise Fault(FRAME_SIZE_ERROR, "a question is eight bytes")
        if not flags & ACK:
            self.write(frame(PING, ACK, 0, payload))
        elif payload == self._farewell:
            self._has_heard = True

    def _reset(self, stream: int, payload: bytes) -> None:
        if len(payload) != 4:
            raise Fault(FRAME_SIZE_ERROR, "a code is four bytes")
        if not stream & 1 or stream > self._last:
            raise Fault(PROTOCOL_ERROR, f"the stream {stream} ends, which was not begun")
        if self._given_up.take(monotonic()):
            raise Fault(ENHANCE_YOUR_CALM, "calls begin and are given up too often")
        self.sending.drop(stream)
        found = self._streams.pop(stream, None)
        if found is not None:
            found.drop()

    def _require_settings(self) -> None:
        if not self._has_settings:
            raise Fault(PROTOCOL_ERROR, "a client begins with its settings")

    def _fail(self, fault: Fault) -> None:
        told, self._out = b"".join(self._out or ()), None
        self._give(told + goaway(self._last, fault.code, str(fault)))
        self._end()
        self._transport.close()

    # What calls and the server call

    def grant(self, stream: int, one: Stream) -> None:
        """More, if it has room for it."""
        step = min(STREAM_WINDOW, one.wanted) - one.receive_window
        if step >= STREAM_WINDOW // 2 and not one.is_whole:
            one.receive_window += step
            self.write(window(stream, step))

    def write(self, data: bytes) -> None:
        if self._out is None:
            if not self.ended:
                self._give(data)
            return
        self._out.append(data)
        self._gathered += len(data)
        if self._gathered >= AT_ONCE:
            out, self._out, self._gathered = b"".join(self._out), [], 0
            self._give(out)

    def _give(self, data: bytes) -> None:
        self._given += len(data)
        self._transport.write(data)

    @property
    def _taken(self) -> int:
        """Bytes that the system took."""
        return self._given - int(self._transport.get_write_buffer_size())

    def _done(self, stream: int) -> None:
        one = self._streams.pop(stream, None)
        if one is None:
            return
        one.done()
        self._answered = self._host.now
        if not one.is_whole:
            # It need not send the rest.
            self.write(reset(stream, NO_ERROR))
        if self._out is None:
            self._leave_if_done()

    def dismiss(self) -> None:
        """It is to begin nothing more here, and to go once it was answered."""
        if self._dismissed is None and not self.ended:
            self._dismissed, self._farewell = self._host.now, os.urandom(8)
            self.write(goaway(EVERY_STREAM, NO_ERROR) + frame(PING, 0, 0, self._farewell))

    def _leave_if_done(self) -> None:
        if self._has_heard:
            self.leave()

    def leave(self) -> None:
        """Now, unless something is to be answered. While an answer may be on its way, what its
        client says is passed over: a closed socket would take back what it has not delivered."""
        if self._streams or self.ended:
            return
        self.write(goaway(self._last, NO_ERROR))
        self._end()
        if self._host.now - self._answered > GRACE:
            self._transport.close()
            return
        self._heard = self._left = self._host.now
        with suppress(OSError):  # it has gone, which the loop is about to see
            self._transport.write_eof()
        self._read_on()

    def _end(self) -> None:
        """What is written still goes out."""
        self.ended = True
        if self._pace is None:
            self._pace = Pace(self._host.now, self._taken)

    def abort(self) -> None:
        self.ended = True
        self._transport.abort()

    def _takes_nothing(self, now: float, period: float) -> bool:
        """Of what was written for it, or all of it long ago and says nothing."""
        if self._pace is not None and self._pace.is_least(now, self._taken, period):
            return True
        is_long = now - self._heard > GRACE or now - self._left > 3 * GRACE
        return self.ended and self._taken == self._given and is_long

    def look(self, now: float, patience: "Patience") -> None:
        """Ends what has taken longer than it may."""
        for stream in self.sending.late(now, patience.taking):
            self.write(reset(stream, CANCEL))
            self.sending.drop(stream)
            self._streams.pop(stream).drop()
        if self.ended or self.sending.is_held:
            if self._takes_nothing(now, patience.taking):
                self.abort()
        elif (
            (not self._has_settings and now - self._partial > patience.head)
            or (self._block_of and now - self._block_since > patience.head)
            or (self._buffer and now - self._partial > patience.body)
            or (self._mark and now - self._asked > patience.lost)
        ):
            self.abort()
        elif self._dismissed is not None and not self._streams:
            if now - self._dismissed > GRACE:
                self.leave()
        elif not self._mark and now - self._heard > patience.silence:
            self._mark, self._asked = os.urandom(8), now
            self.write(frame(PING, 0, 0, self._mark))
