"""A call by gRPC: messages in, messages out, and a status at the end (gRPC over HTTP/2).

It holds one message that is not whole, and of a stream those that wait for their turn, packed as
they came: no more is granted to it meanwhile than makes these whole. What it holds is counted, and
so is an answer until its client has taken it: the call is one of those under way as long.
"""

from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import NamedTuple, Protocol

from freehold.domain.errors import FreeholdError
from freehold.endpoint.grpc.connection import STREAM_WINDOW, Connection
from freehold.endpoint.grpc.headers import Headers, block_of
from freehold.endpoint.grpc.sending import Unsent
from freehold.endpoint.grpc.status import Status, ending, ending_of
from freehold.endpoint.message import WINDOWS, too_large, unpack
from freehold.serving.request import Limits, invalid

HEAD = 5
"""Bytes before each message: whether it is packed, and its length (4)."""
AHEAD = 4
"""Messages of a stream that may wait for their turn before no more is granted to it."""
MESSAGE_BYTES = 128
"""What a message that waits costs beside its own bytes."""
SMALL = 1024
"""Bytes that a question about the endpoint itself may hold whatever else is held."""
AT_ONCE = 16
"""Messages of a stream that are looked at before others of the loop have their turn: of those that
are refused at once none waits."""
KIND = b"application/grpc"
ANSWER = block_of([(b"content-type", KIND), (b"grpc-accept-encoding", b"identity,deflate,gzip")])
WELL = block_of(ending(Status.OK))
_SECONDS = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}


class Message(NamedTuple):
    """As it came."""

    packed: int
    body: bytes

    @property
    def cost(self) -> int:
        """Bytes that it holds."""
        return MESSAGE_BYTES + len(self.body)


class Method(Protocol):
    """What a call is for. Of each call, on the one loop."""

    is_stream: bool
    """Whether a client may send several messages."""
    counts: bool
    """Whether the endpoint is at work as long as it is open."""

    def message(self, call: "Call", message: Message) -> None:
        """The next; of a stream, once the one before was answered."""

    def ended(self, call: "Call") -> None:
        """Its client says no more, and all that it said was answered."""


class Keeper(Protocol):
    """What a call needs of the service."""

    limits: Limits

    def hold(self, call: "Call", size: int) -> None:
        """It holds so many bytes."""

    def require_room(self) -> None:
        """Raises FreeholdError where all calls hold too much."""

    def later(self, piece: Callable[[], None]) -> None:
        """In the next round of the loop."""

    def counted(self, exc: Exception) -> FreeholdError:
        """What its caller is told."""

    def over(self, call: "Call") -> None:
        """It is answered, and its answer is taken; or nobody waits for one."""


class Call:
    __slots__ = (
        "_begun",
        "_connection",
        "_due",
        "_has_told",
        "_held",
        "_in_turn",
        "_is_answering",
        "_is_going",
        "_is_over",
        "_is_put_off",
        "_keeper",
        "_messages",
        "_method",
        "_packing",
        "_queued",
        "_sending",
        "_stream",
        "_turns",
        "ended",
        "headers",
        "held",
        "is_whole",
        "on_end",
        "receive_window",
        "send_window",
        "since",
        "unsent",
    )

    def __init__(
        self,
        connection: Connection,
        stream: int,
        headers: Headers,
        method: Method,
        keeper: Keeper,
    ) -> None:
        """Raises RequestInvalid `request.malformed`, `request.content-type`."""
        self._connection, self._stream, self._method = connection, stream, method
        self._sending = connection.sending
        self._keeper, self.headers = keeper, headers
        self._due = _due(headers.get(b"grpc-timeout"))
        self._packing = _packing(headers.get(b"grpc-encoding", b"identity"))
        self._held = bytearray()
        self._messages: deque[Message] = deque()
        self._queued = self._in_turn = 0
        """Bytes that these hold; that the one holds whose turn it is."""
        self._turns = 0
        """Messages that were looked at since others had their turn."""
        self._is_answering = self._is_going = self._begun = self._has_told = False
        self._is_put_off = self._is_over = False
        self.held = 0
        """Bytes, as the service counts them."""
        self.since = monotonic()
        """When it began to wait for its client."""
        self.ended = self.is_whole = False
        self.unsent: Unsent | None = None
        self.send_window = self.receive_window = 0
        self.on_end: Callable[[], object] | None = None
        """Told once, when nothing more is to be said, whatever the reason."""

    @property
    def peer(self) -> str:
        return self._connection.peer

    @property
    def is_late(self) -> bool:
        return self._due is not None and monotonic() >= self._due

    @property
    def waits(self) -> bool:
        """For its client to say something, or that it said all."""
        if self.ended or self._is_answering or self.is_whole:
            return False
        return not (self._method.is_stream and self._messages)

    @property
    def is_due(self) -> bool:
        """Whether what it waits for is not to be waited for at will: a stream may be silent."""
        return self.waits and bool(not self._method.is_stream or self._held)

    @property
    def is_stream(self) -> bool:
        return self._method.is_stream

    @property
    def counts(self) -> bool:
        return self._method.counts

    # What the connection calls

    @property
    def wanted(self) -> int:
        if len(self._messages) >= AHEAD or self.ended:
            return 0
        if len(self._held) < HEAD:
            return STREAM_WINDOW
        return max(STREAM_WINDOW, HEAD + int.from_bytes(self._held[1:HEAD]) - len(self._held))

    def take(self, payload: bytes) -> None:
        if self.ended:
            return
        try:
            self._take(payload)
        except Exception as exc:  # noqa: BLE001 (the boundary: a bug of ours answers too)
            self.refuse(exc)

    def end(self) -> None:
        if self.ended:
            return
        if self._held:
            self.refuse(invalid("request.malformed", "the message is cut off"))
        elif not self._method.is_stream and not self._begun:
            self.refuse(invalid("request.malformed", "there is no message"))
        else:
            self._go_on()

    def done(self) -> None:
        if not self._is_over:
            self._is_over = True
            self._keeper.over(self)

    def drop(self) -> None:
        self._conclude()
        self.done()

    # What the service calls

    def read(self, message: Message) -> bytes:
        """Unpacked. Raises RequestInvalid: `request.malformed`, `request.too-large`."""
        if not message.packed:
            return message.body
        return unpack(message.body, self._packing, self._keeper.limits)

    def let_go(self) -> None:
        """The message that is looked at is kept no more."""
        self._in_turn = 0
        self._count()

    def answer(self, message: bytes) -> None:
        """The only one, and its end."""
        if not self.ended:
            framed = _framed(message)
            self._conclude()
            self._sending.whole(self._stream, ANSWER, framed, WELL)
            self._count()

    def tell(self, message: bytes) -> None:
        """One of several. The next message takes its turn once this one is on its way."""
        if self.ended:
            return
        self._say(_framed(message), None)
        self.go_on()

    def go_on(self) -> None:
        """With the next message."""
        self._is_answering, self._in_turn = False, 0
        self.since = monotonic()
        self._go_on()
        if not self.ended and not self.is_whole:
            self._connection.grant(self._stream, self)

    def close(self) -> None:
        """All was told."""
        if not self.ended:
            self._finish(ending(Status.OK))

    def refuse(self, exc: Exception) -> None:
        """It ends so; nothing, if it has."""
        if not self.ended:
            self._finish(ending_of(self._keeper.counted(exc)))

    def fail(self, status: Status, text: str) -> None:
        """The same, with what only gRPC has a word for."""
        if not self.ended:
            self._finish(ending(status, text))

    # Its own

    def _take(self, payload: bytes) -> None:
        data: bytes | bytearray = payload
        if self._held:
            self._held += payload
            data = self._held
        at, limit = 0, self._keeper.limits.body_bytes
        while len(data) - at >= HEAD:
            size = int.from_bytes(data[at + 1 : at + HEAD])
            if size > limit:
                raise too_large(self._keeper.limits)
            end = at + HEAD + size
            if end > len(data):
                break
            self._message(data[at], bytes(data[at + HEAD : end]))
            at = end
        if data is self._held:
            del self._held[:at]
        elif at < len(data):
            self._held += data[at:]
        if at or (payload and len(self._held) == len(payload)):
            self.since = monotonic()  # another begins
        self._count()
        if (self._held or self._messages) and (self._method.counts or self.held > SMALL):
            self._keeper.require_room()
        self._go_on()

    def _message(self, packed: int, body: bytes) -> None:
        if self._begun and not self._method.is_stream:
            raise invalid("request.malformed", "there is more than one message")
        self._begun = True
        if packed > 1 or (packed and not self._packing):
            raise invalid("request.malformed", "the message is packed, and nothing says how")
        message = Message(packed, body)
        self._messages.append(message)
        self._queued += message.cost

    def _go_on(self) -> None:
        if self._is_going or self._is_put_off:
            return  # it does, once what is done now has returned
        self._is_going = True
        try:
            # Answers that its client does not take are not added to.
            while not (self.ended or self._is_answering or self.unsent):
                if self._messages and (self._method.is_stream or self.is_whole):
                    if self._turns == AT_ONCE:
                        self._is_put_off = True
                        self._keeper.later(self._again)
                        return
                    self._turns += 1
                    message = self._messages.popleft()
                    self._is_answering, self._in_turn = True, message.cost
                    self._queued -= self._in_turn
                    self._method.message(self, message)
                elif self.is_whole and not self._messages:
                    self._is_answering = True
                    self._method.ended(self)
                else:
                    return
        finally:
            self._is_going = False
            self._count()

    def _again(self) -> None:
        self._is_put_off, self._turns = False, 0
        self._go_on()

    def _count(self) -> None:
        if self._is_over:
            return
        size = len(self._held) + self._queued + self._in_turn
        if self.unsent is not None:
            size += len(self.unsent.body)
        if size != self.held:
            self._keeper.hold(self, size)

    def sent(self) -> None:
        """Its client has taken what it did not at first."""
        self._count()
        if not self._is_answering:
            self._go_on()

    def _say(self, body: bytes, trailers: bytes | None) -> None:
        if not self._has_told:
            self._has_told = True
            self._sending.head(self._stream, ANSWER)
        self._sending.send(self._stream, body, trailers)
        self._count()

    def _finish(self, trailers: list[tuple[bytes, bytes]]) -> None:
        self._conclude()
        if self._has_told:
            self._sending.send(self._stream, b"", block_of(trailers))
        else:
            block = ANSWER + block_of(trailers)
            self._sending.head(self._stream, block, is_last=True)
        self._count()

    def _conclude(self) -> None:
        if self.ended:
            return
        self.ended = True
        self._messages.clear()
        self._held.clear()
        self._queued = self._in_turn = 0
        if self.on_end is not None:
            told, self.on_end = self.on_end, None
            told()


def _framed(message: bytes) -> bytes:
    return b"\0" + len(message).to_bytes(4) + message


def _due(told: bytes | None) -> float | None:
    """Seconds of the monotonic clock. Raises RequestInvalid."""
    if told is None:
        return None
    number, unit = told[:-1], told[-1:]
    if not number.isdigit() or len(number) > 8 or unit not in _SECONDS:
        raise invalid("request.malformed", f"the timeout cannot be read: {told!r:.40}")
    return monotonic() + int(number) * _SECONDS[unit]


def _packing(coding: bytes) -> int:
    """How zlib names it; 0 for none. Raises RequestInvalid."""
    if coding == b"identity":
        return 0
    if coding.decode("latin-1") not in WINDOWS:
        what = f"messages are packed by gzip or deflate, not {coding!r:.40}"
        raise invalid("request.content-type", what)
    return WINDOWS[coding.decode("latin-1")]
