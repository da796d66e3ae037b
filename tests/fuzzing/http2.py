"""The reader of a connection by HTTP/2: bytes in, messages of calls out.

Laws, besides those of every reader
- Wherever the bytes are cut on their way, the messages are the same, or the first of them, where
  the connection ended early.
- What goes out is whole frames; of a call at most one end, and nothing behind it; nothing once the
  connection has ended, which it says by a GOAWAY.
- What is kept of calls that are not whole has a bound, however they are sent.
"""

from collections.abc import Callable, Iterator

from freehold.domain.errors import FreeholdError
from freehold.endpoint.grpc import frames
from freehold.endpoint.grpc.call import MESSAGE_BYTES, Call
from freehold.endpoint.grpc.call import Message as Whole
from freehold.endpoint.grpc.connection import Connection
from freehold.endpoint.grpc.frames import PREFACE, frame
from freehold.endpoint.grpc.headers import Headers, block_of
from freehold.endpoint.refusal import as_error
from freehold.serving.request import Limits

from .connections import Wire
from .law import Broken, Reading, Target, refusal

LIMITS = Limits(body_bytes=1000)
Message = tuple[int, bytes]
"""Of a stream."""


class Method:
    """Gives each message back; a call whose path ends so may send several."""

    counts = True

    def __init__(self, host: "Host", is_stream: bool) -> None:
        self._host, self.is_stream = host, is_stream

    def message(self, call: Call, message: Whole) -> None:
        try:
            body = call.read(message)
        except FreeholdError as exc:
            call.refuse(exc)
            return
        if len(body) > LIMITS.body_bytes:
            raise Broken("a message is larger than it may be")
        self._host.messages.append(body)
        if self.is_stream:
            call.tell(body)
        else:
            call.answer(body)

    def ended(self, call: Call) -> None:
        if self.is_stream:
            call.close()


class Host:
    now = 0.0
    limits = LIMITS

    def __init__(self, sent: bytes) -> None:
        self.sent = sent
        self.messages: list[bytes] = []
        self.calls: set[Call] = set()
        self.put_off: list[Callable[[], None]] = []
        self._one, self._many = Method(self, False), Method(self, True)

    def opened(self, connection: Connection) -> None: ...

    def closed(self, connection: Connection) -> None: ...

    def begin(self, connection: Connection, stream: int, headers: Headers) -> Call | None:
        method = self._many if headers.get(b":path", b"").endswith(b"s") else self._one
        try:
            call = Call(connection, stream, headers, method, self)
        except FreeholdError as exc:
            refusal(exc, self.sent)
            connection.sending.head(stream, block_of([(b"grpc-status", b"3")]), is_last=True)
            return None
        self.calls.add(call)
        return call

    def hold(self, call: Call, size: int) -> None:
        if call not in self.calls:
            raise Broken("a call holds bytes after its end")
        if size > 2 * LIMITS.body_bytes + MESSAGE_BYTES * len(self.sent):
            raise Broken(f"{size} bytes of a call are held")
        call.held = size

    def require_room(self) -> None: ...

    def later(self, piece: Callable[[], None]) -> None:
        self.put_off.append(piece)

    def turn(self) -> None:
        """Rounds of the loop, until nothing is left to do."""
        while self.put_off:
            self.put_off.pop()()

    def counted(self, exc: Exception) -> FreeholdError:
        if not isinstance(exc, FreeholdError):
            raise Broken(f"{type(exc).__name__} ends a call, which is no error of ours") from exc
        refusal(exc, self.sent)
        return as_error(exc)

    def over(self, call: Call) -> None:
        if call not in self.calls:
            raise Broken("a call ends twice")
        self.calls.discard(call)


def conversation(sent: bytes, pieces: Iterator[bytes]) -> tuple[Host, Wire]:
    host, wire = Host(sent), Wire()
    connection = Connection(host)
    connection.connection_made(wire)
    for piece in pieces:
        if connection.ended:
            break
        connection.data_received(piece)
        host.turn()
    last = _checked(b"".join(wire.written))
    if connection.ended and last != frames.GOAWAY:
        raise Broken("it ends without a word")
    if not connection.ended:
        connection.connection_lost(None)
    elif wire.is_open:
        raise Broken("it has ended, and its connection has not")
    return host, wire


def _checked(written: bytes) -> int:
    """Kind of the last frame."""
    at, kind, ended = 0, -1, set[int]()
    while at < len(written):
        size, kind, flags = int.from_bytes(written[at : at + 3]), written[at + 3], written[at + 4]
        stream = int.from_bytes(written[at + 5 : at + 9])
        at += frames.HEAD + size
        if kind in (frames.DATA, frames.HEADERS):
            if stream in ended:
                raise Broken(f"the stream {stream} goes on behind its end")
            if flags & frames.END_STREAM:
                ended.add(stream)
    if at != len(written):
        raise Broken("a frame that is not whole goes out")
    return kind


def http2(data: bytes) -> Reading:
    """The first byte says how large the pieces are that the others come in, and whether a client's
    greeting goes before them."""
    first = max(data[:1], default=0)
    size, sent = first % 64 + 1, data[1:]
    if first < 192:
        sent = PREFACE + frame(frames.SETTINGS, 0, 0, b"") + sent
    cut = [sent[at : at + size] for at in range(0, len(sent), size)]
    whole, wire = conversation(sent, iter([sent]))
    parts, _ = conversation(sent, iter(cut))
    if whole.messages != parts.messages:
        raise Broken("cut otherwise, the same bytes are other messages")
    held = sum(len(message) for message in parts.messages)
    return Reading((whole.messages, b"".join(wire.written)), held)


def _asked(path: bytes = b"/one", *more: tuple[bytes, bytes]) -> bytes:
    kind = (b"content-type", b"application/grpc")
    return block_of([(b":method", b"POST"), (b":path", path), kind, *more])


def _framed(message: bytes, packed: int = 0) -> bytes:
    return bytes((packed,)) + len(message).to_bytes(4) + message


_BEGUN = frame(frames.HEADERS, frames.END_HEADERS, 1, _asked())
_MANY = frame(frames.HEADERS, frames.END_HEADERS, 3, _asked(b"/ones"))
_PACKED = _asked(b"/one", (b"grpc-encoding", b"deflate"), (b"grpc-timeout", b"10S"))
_INDEXED = b"\x40\x05:path\x04/one\x83\x86"
HTTP2_SEEDS = tuple(
    bytes([size]) + sent
    for size, sent in (
        (63, _BEGUN + frame(frames.DATA, frames.END_STREAM, 1, _framed(b"x"))),
        (3, _MANY + frame(frames.DATA, 0, 3, _framed(b"x") * 9) + frame(frames.DATA, 1, 3, b"")),
        (9, _BEGUN + frame(frames.DATA, 8, 1, b"\2" + _framed(b"ab") + b"\0\0")),
        (63, _BEGUN + frame(frames.RESET, 0, 1, bytes(4)) + frame(frames.PING, 0, 0, bytes(8))),
        (
            5,
            frame(frames.HEADERS, 0, 1, _asked()[:9])
            + frame(frames.CONTINUATION, 4, 1, _asked()[9:])
            + frame(frames.DATA, 1, 1, _framed(b"x")),
        ),
        (63, frame(frames.SETTINGS, 0, 0, b"\0\4\0\0\0\2\0\5\0\0\x40\0") + _BEGUN),
        (
            63,
            frame(frames.SETTINGS, 0, 0, b"\0\4\0\0\0\2")
            + _BEGUN
            + frame(frames.DATA, 1, 1, _framed(b"abc"))
            + frame(frames.WINDOW, 0, 1, b"\0\0\0\x09"),
        ),
        (
            63,
            frame(frames.HEADERS, 4, 1, _PACKED)
            + frame(frames.DATA, 1, 1, _framed(b"x\x9cK\x04\0\0b\0b", 1)),
        ),
        (63, frame(frames.HEADERS, 4, 1, _INDEXED) + frame(frames.HEADERS, 5, 3, b"\xbe\x83")),
        (63, frame(frames.GOAWAY, 0, 0, bytes(8)) + frame(frames.PRIORITY, 0, 1, bytes(5))),
        (255, PREFACE + frame(frames.SETTINGS, 0, 0, b"") + _BEGUN),
    )
)
HTTP2 = {
    "http2": Target(
        "what comes over a connection by HTTP/2",
        http2,
        HTTP2_SEEDS,
        words=(
            *(_BEGUN, _MANY, _framed(b"x"), b"\0\0\0\4\0\0\0\0\0", b"\0\0\4\3\0\0\0\0\1"),
            *(b"\0\0\4\x08\0\0\0\0\0", b"grpc-encoding", b"gzip", b"grpc-timeout", b"\x3f\xe1\x1f"),
        ),
        # What is packed.
        size_each=1000,
    )
}
