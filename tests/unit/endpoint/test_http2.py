"""A connection by HTTP/2, without a socket: with another implementation as its client, and with who
breaks the protocol."""

import zlib
from collections.abc import Callable
from typing import Any

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.settings import SettingCodes
from hypothesis import given, settings
from hypothesis import strategies as st

from freehold.domain.errors import FreeholdError
from freehold.endpoint.grpc import connection as module
from freehold.endpoint.grpc.call import Call, Message
from freehold.endpoint.grpc.connection import CONNECTION_WINDOW, STREAM_WINDOW, Connection
from freehold.endpoint.grpc.frames import (
    ACK,
    COMPRESSION_ERROR,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    PREFACE,
    PRIORITY,
    PROTOCOL_ERROR,
    PUSH,
    RESET,
    SETTINGS,
    WINDOW,
    frame,
)
from freehold.endpoint.grpc.headers import Headers, block_of
from freehold.endpoint.refusal import as_error
from freehold.serving.admission import sent_away
from freehold.serving.request import Limits

ASKED = (
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", b"/echo"),
    (b":authority", b"here"),
    (b"content-type", b"application/grpc"),
    (b"te", b"trailers"),
)
BLOCK = block_of(ASKED)


class Transport:
    """Keeps what is written to it."""

    def __init__(self) -> None:
        self.written = b""
        self.is_closed = self.is_aborted = self.is_paused = self.has_said_all = False
        self.waiting = 0
        """Bytes that the system did not take."""

    def get_write_buffer_size(self) -> int:
        return self.waiting

    def get_extra_info(self, name: str) -> Any:
        return ("127.0.0.1", 50_000) if name == "peername" else None

    def write(self, data: bytes) -> None:
        assert not self.is_closed and not self.has_said_all
        self.written += data

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_closed = self.is_aborted = True

    def write_eof(self) -> None:
        self.has_said_all = True

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False

    def take(self) -> bytes:
        told, self.written = self.written, b""
        return told


class Echo:
    """Gives every message back, as one that is the first or one of many; at once or when told."""

    def __init__(self, is_stream: bool) -> None:
        self.is_stream, self.counts = is_stream, True
        self.waits = False
        self.waiting: list[tuple[Call, Message]] = []
        self.most = 0

    def message(self, call: Call, message: Message) -> None:
        if self.waits:
            self.waiting.append((call, message))
        else:
            self._answer(call, message)

    def _answer(self, call: Call, message: Message) -> None:
        try:
            body = call.read(message)
        except FreeholdError as exc:
            call.refuse(exc)
            return
        if self.is_stream:
            call.tell(body)
        else:
            call.answer(body)

    def ended(self, call: Call) -> None:
        if self.is_stream:
            call.close()

    def go_on(self) -> None:
        waiting, self.waiting = self.waiting, []
        for call, message in waiting:
            self._answer(call, message)


class Service:
    """Host of a connection, and keeper of its calls."""

    def __init__(
        self, is_stream: bool = False, limits: Limits | None = None, now: float = 0.0
    ) -> None:
        self.limits = limits or Limits()
        self.now = now
        self.method = Echo(is_stream)
        self.calls: set[Call] = set()
        self.room = 2**30
        self.put_off: list[Callable[[], None]] = []
        self.transport = Transport()
        self.connection = Connection(self)
        self.is_gone = False
        self.errors: list[str] = []
        self.connection.connection_made(self.transport)  # type: ignore[arg-type]

    def opened(self, connection: Connection) -> None:
        """It is the only one."""

    def closed(self, connection: Connection) -> None:
        self.is_gone = True

    def begin(self, connection: Connection, stream: int, headers: Headers) -> Call:
        call = Call(connection, stream, headers, self.method, self)
        self.calls.add(call)
        return call

    def hold(self, call: Call, size: int) -> None:
        assert call in self.calls
        call.held = size

    def require_room(self) -> None:
        if self.held > self.room:
            raise sent_away(len(self.calls))

    @property
    def held(self) -> int:
        return sum(call.held for call in self.calls)

    def later(self, piece: Callable[[], None]) -> None:
        self.put_off.append(piece)

    def turn(self) -> None:
        """A round of the loop."""
        put_off, self.put_off = self.put_off, []
        for piece in put_off:
            piece()

    def counted(self, exc: Exception) -> FreeholdError:
        error = as_error(exc)
        self.errors.append(error.code)
        return error

    def over(self, call: Call) -> None:
        self.calls.remove(call)


def framed(message: bytes, packed: bool = False) -> bytes:
    return bytes((packed,)) + len(message).to_bytes(4) + message


class Client:
    """By another library, which finds fault with whatever breaks the protocol."""

    def __init__(
        self, service: Service, window: int = 65_535, cut: Callable[[], int] | None = None
    ):
        self.service, self._cut = service, cut
        self.h2 = H2Connection(H2Configuration(client_side=True, header_encoding=None))
        self.events: list[Event] = []
        self.h2.initiate_connection()
        self.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: window})
        self.exchange()

    def exchange(self) -> None:
        """Until neither has more to say."""
        while True:
            self.service.turn()
            said, told = self.h2.data_to_send(), self.service.transport.take()
            if not said and not told:
                return
            while said:
                step = len(said) if self._cut is None else self._cut()
                if not self.service.connection.ended:
                    self.service.connection.data_received(said[:step])
                said = said[step:]
            if told:
                self.events += self.h2.receive_data(told)

    def begin(self, *more: tuple[bytes, bytes], ends: bool = False) -> int:
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, [*ASKED, *more], end_stream=ends)
        self.exchange()
        return stream

    def say(self, stream: int, data: bytes, *, ends: bool = False) -> None:
        """As its window allows."""
        while data:
            step = min(
                self.h2.local_flow_control_window(stream),
                self.h2.max_outbound_frame_size,
                len(data),
            )
            assert step > 0, "nothing is granted any more"
            self.h2.send_data(stream, data[:step], end_stream=ends and step == len(data))
            data = data[step:]
            self.exchange()
        if ends and not data:
            self.exchange()

    def ask(self, message: bytes, *more: tuple[bytes, bytes], packed: bool = False) -> int:
        stream = self.begin(*more)
        self.say(stream, framed(message, packed), ends=True)
        return stream

    def take(self) -> None:
        """All that has come, so that more may."""
        while True:
            taken = 0
            for event in self.events:
                if isinstance(event, DataReceived) and event.flow_controlled_length:
                    taken += event.flow_controlled_length
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                    event.flow_controlled_length = 0
            self.exchange()
            if not taken:
                return

    def told(self, stream: int) -> bytes:
        return b"".join(
            event.data
            for event in self.events
            if isinstance(event, DataReceived) and event.stream_id == stream
        )

    def end_of(self, stream: int) -> dict[bytes, bytes]:
        """Trailers, or headers that are all there is."""
        found: dict[bytes, bytes] = {}
        for event in self.events:
            is_told = isinstance(event, ResponseReceived | TrailersReceived)
            if is_told and event.stream_id == stream:
                found |= {bytes(name): bytes(value) for name, value in event.headers}
        return found

    def has_ended(self, stream: int) -> bool:
        return any(
            isinstance(event, StreamEnded) and event.stream_id == stream for event in self.events
        )

    @property
    def codes(self) -> list[int]:
        """Of farewells and of streams that ended so."""
        kinds = ConnectionTerminated | StreamReset
        return [int(one.error_code) for one in self.events if isinstance(one, kinds)]


def greeted(service: Service, *frames: bytes) -> None:
    service.transport.take()
    for data in (PREFACE + frame(SETTINGS, 0, 0, b""), *frames):
        if not service.connection.ended:
            service.connection.data_received(data)


def farewell(written: bytes) -> int | None:
    """The code of a GOAWAY that is the last frame."""
    last, at = None, 0
    while at < len(written):
        size = int.from_bytes(written[at : at + 3])
        last = written[at : at + 9 + size]
        at += 9 + size
    if last is None or last[3] != GOAWAY:
        return None
    return int.from_bytes(last[13:17])


@settings(deadline=None)
@given(
    st.lists(st.binary(max_size=40_000), min_size=1, max_size=6),
    st.booleans(),
    st.integers(0, 100_000),
    st.randoms(use_true_random=False),
    st.booleans(),
)
def test_what_is_said_comes_back(
    messages: list[bytes], is_stream: bool, window: int, chance: Any, waits: bool
) -> None:
    """However it is cut, and however little the client takes at a time."""
    service = Service(is_stream)
    service.method.waits = waits
    client = Client(service, window, lambda: chance.choice([1, 7, 1000, 10**6]))
    if is_stream:
        streams = [client.begin()]
        for number, message in enumerate(messages):
            client.say(streams[0], framed(message), ends=number == len(messages) - 1)
            service.method.go_on()
    else:
        streams = [client.ask(message) for message in messages]
        while service.method.waiting:
            service.method.go_on()
    client.exchange()
    for _ in range(len(messages) + 1):
        service.method.go_on()
        if window < 10:
            for stream in streams:
                if not client.has_ended(stream):
                    client.h2.increment_flow_control_window(10**6, stream)
        client.take()
        client.exchange()
    told = [client.told(stream) for stream in streams]
    expected = [framed(message) for message in messages]
    assert told == ([b"".join(expected)] if is_stream else expected)
    assert all(client.end_of(stream)[b"grpc-status"] == b"0" for stream in streams)
    assert all(client.has_ended(stream) for stream in streams)
    assert client.codes == [] and service.calls == set()


@settings(deadline=None)
@given(st.binary(max_size=300), st.booleans(), st.randoms(use_true_random=False))
def test_nonsense_ends_the_connection_or_is_waited_for(
    data: bytes, is_greeted: bool, chance: Any
) -> None:
    service = Service()
    if is_greeted:
        greeted(service)
    while data and not service.connection.ended:
        step = chance.choice([1, 5, 300])
        service.connection.data_received(data[:step])
        data = data[step:]
    if service.connection.ended:
        assert farewell(service.transport.take())
        assert service.transport.is_closed


_frames = st.lists(
    st.builds(
        frame,
        st.integers(0, 10),
        st.integers(0, 255),
        st.sampled_from([0, 1, 1, 2, 3, 5]),
        st.sampled_from([b"", bytes(4), bytes(8), b"\0\4\0\0\1\0", BLOCK, framed(b"x"), b"\x82"]),
    ),
    max_size=12,
)


@settings(deadline=None)
@given(_frames)
def test_frames_in_any_order_are_answered_or_a_fault(frames: list[bytes]) -> None:
    service = Service()
    greeted(service, *frames)
    if service.connection.ended:
        assert farewell(service.transport.take())
    else:
        # It still answers whoever keeps to the protocol.
        service.connection.connection_lost(None)
    assert service.calls == set() or service.connection.ended


BEGUN = frame(HEADERS, END_HEADERS, 1, BLOCK)


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([frame(DATA, 0, 0, b"x")], PROTOCOL_ERROR),
        ([frame(DATA, 0, 1, b"x")], PROTOCOL_ERROR),
        ([BEGUN, frame(DATA, 0, 3, b"x")], PROTOCOL_ERROR),
        ([BEGUN, frame(DATA, PADDED, 1, b"\5abc")], PROTOCOL_ERROR),
        ([BEGUN, frame(DATA, PADDED, 1, b"")], PROTOCOL_ERROR),
        ([frame(HEADERS, END_HEADERS, 0, BLOCK)], PROTOCOL_ERROR),
        ([frame(HEADERS, END_HEADERS, 2, BLOCK)], PROTOCOL_ERROR),
        ([BEGUN, BEGUN], PROTOCOL_ERROR),
        ([frame(HEADERS, 0, 1, BLOCK), frame(PING, 0, 0, bytes(8))], PROTOCOL_ERROR),
        ([frame(HEADERS, 0, 1, BLOCK), frame(CONTINUATION, 0, 3, b"")], PROTOCOL_ERROR),
        ([frame(CONTINUATION, END_HEADERS, 1, b"")], PROTOCOL_ERROR),
        ([frame(HEADERS, END_HEADERS, 1, b"\xff\xff\xff\xff\xff\xff")], COMPRESSION_ERROR),
        ([frame(HEADERS, END_HEADERS, 1, b"\xfe")], COMPRESSION_ERROR),
        ([frame(HEADERS, END_HEADERS | 0x20, 1, b"\0\0")], FRAME_SIZE_ERROR),
        ([frame(SETTINGS, 0, 1, b"")], PROTOCOL_ERROR),
        ([frame(SETTINGS, 0, 0, b"12345")], FRAME_SIZE_ERROR),
        ([frame(SETTINGS, ACK, 0, bytes(6))], FRAME_SIZE_ERROR),
        ([frame(SETTINGS, 0, 0, b"\0\4\xff\xff\xff\xff")], FLOW_CONTROL_ERROR),
        ([frame(SETTINGS, 0, 0, b"\0\5\0\0\0\1")], PROTOCOL_ERROR),
        ([frame(PING, 0, 1, bytes(8))], PROTOCOL_ERROR),
        ([frame(PING, 0, 0, bytes(7))], FRAME_SIZE_ERROR),
        ([frame(PUSH, END_HEADERS, 1, bytes(4))], PROTOCOL_ERROR),
        ([frame(PRIORITY, 0, 1, bytes(4))], FRAME_SIZE_ERROR),
        ([frame(RESET, 0, 1, bytes(4))], PROTOCOL_ERROR),
        ([BEGUN, frame(RESET, 0, 1, bytes(3))], FRAME_SIZE_ERROR),
        ([frame(WINDOW, 0, 0, bytes(4))], PROTOCOL_ERROR),
        ([frame(WINDOW, 0, 0, bytes(3))], FRAME_SIZE_ERROR),
        ([frame(WINDOW, 0, 3, b"\0\0\0\1")], PROTOCOL_ERROR),
        ([frame(WINDOW, 0, 0, b"\x7f\xff\xff\xff")], FLOW_CONTROL_ERROR),
        ([BEGUN, frame(WINDOW, 0, 1, b"\x7f\xff\xff\xff")], FLOW_CONTROL_ERROR),
        ([frame(GOAWAY, 0, 0, bytes(4))], PROTOCOL_ERROR),
        ([frame(DATA, 0, 1, bytes(16_385))], FRAME_SIZE_ERROR),
        ([frame(HEADERS, END_HEADERS, 1, block_of([(b"x", bytes(16_000))] * 1))], None),
        ([frame(HEADERS, END_HEADERS, 1, block_of([(b"x", b"y")] * 600))], ENHANCE_YOUR_CALM),
        (
            [frame(HEADERS, 0, 1, b"")] + [frame(CONTINUATION, 0, 1, b"")] * 5_000,
            ENHANCE_YOUR_CALM,
        ),
        ([frame(77, 255, 99, b"whatever")], None),
        ([BEGUN, frame(PRIORITY, 0, 1, bytes(5))], None),
    ],
)
def test_what_breaks_the_protocol_has_a_code(frames: list[bytes], code: int | None) -> None:
    service = Service()
    greeted(service, *frames)
    assert farewell(service.transport.take()) == code
    assert service.connection.ended is (code is not None)


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\n\r\n", PREFACE + frame(PING, 0, 0, bytes(8)), PREFACE[:-1] + b"x"]
)
def test_who_does_not_greet_is_sent_away(data: bytes) -> None:
    service = Service()
    service.transport.take()
    service.connection.data_received(data)
    assert farewell(service.transport.take()) == PROTOCOL_ERROR
    assert service.transport.is_closed


def test_more_than_was_granted_is_a_fault() -> None:
    service = Service(is_stream=True)
    service.method.waits = True
    piece = frame(DATA, 0, 1, framed(bytes(16_000)))
    greeted(service, BEGUN, *[piece] * (STREAM_WINDOW // 16_000 + 6))
    assert farewell(service.transport.take()) == FLOW_CONTROL_ERROR


def test_a_stream_that_waits_is_granted_no_more() -> None:
    service = Service(is_stream=True)
    service.method.waits = True
    client = Client(service)
    stream = client.begin()
    sent = 0
    while client.h2.local_flow_control_window(stream) > 2000:
        client.say(stream, framed(bytes(1000)))
        sent += 1
    assert sent * 1005 < 2 * STREAM_WINDOW
    while service.method.waiting:
        service.method.go_on()
        client.take()
    assert client.told(stream) == framed(bytes(1000)) * sent
    assert client.h2.local_flow_control_window(stream) > STREAM_WINDOW // 2


def test_a_message_larger_than_a_window_arrives() -> None:
    client = Client(service := Service())
    message = bytes(range(256)) * 20_000
    stream = client.ask(message)
    client.take()
    assert client.told(stream) == framed(message)
    assert client.h2.outbound_flow_control_window > CONNECTION_WINDOW // 4
    assert service.calls == set()


def test_calls_that_are_given_up_at_once_are_looked_at_for_a_while() -> None:
    service = Service()
    greeted(service)
    for number in range(module.GIVEN_UP_AT_ONCE + 200):
        if service.connection.ended:
            break
        stream = 2 * number + 1
        service.connection.data_received(
            frame(HEADERS, END_HEADERS, stream, BLOCK) + frame(RESET, 0, stream, bytes(4))
        )
    assert number >= module.GIVEN_UP_AT_ONCE
    assert farewell(service.transport.take()) == ENHANCE_YOUR_CALM


def test_one_call_too_many_may_be_tried_again() -> None:
    service = Service()
    calls = [frame(HEADERS, END_HEADERS, 2 * n + 1, BLOCK) for n in range(module.STREAMS + 1)]
    greeted(service, *calls)
    refused = frame(RESET, 0, 2 * module.STREAMS + 1, b"\0\0\0\7")
    assert service.transport.take().endswith(refused)
    assert len(service.calls) == module.STREAMS


def test_a_client_that_does_not_read_is_not_read() -> None:
    service = Service()
    greeted(service)
    service.connection.pause_writing()
    assert service.transport.is_paused
    service.connection.resume_writing()
    assert not service.transport.is_paused


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_packed_message_is_unpacked(coding: str) -> None:
    bits = {"gzip": 31, "deflate": 15}[coding]
    packing = zlib.compressobj(wbits=bits)
    packed = packing.compress(b"message" * 100) + packing.flush()
    client = Client(Service())
    stream = client.ask(packed, (b"grpc-encoding", coding.encode()), packed=True)
    assert client.told(stream) == framed(b"message" * 100)


def code_of(client: Client, stream: int) -> bytes:
    return client.end_of(stream).get(b"freehold-code", b"")


def test_faults_of_messages_end_their_calls_alone() -> None:
    service = Service(limits=Limits(body_bytes=1000))
    client = Client(service)
    bomb = zlib.compress(bytes(10**6))
    faults = [
        (client.begin(ends=True), b"request.malformed"),
        (client.ask(bytes(1001)), b"request.too-large"),
        (client.ask(b"x", packed=True), b"request.malformed"),
        (client.ask(bomb, (b"grpc-encoding", b"deflate"), packed=True), b"request.too-large"),
        (client.ask(bomb[:9], (b"grpc-encoding", b"deflate"), packed=True), b"request.malformed"),
    ]
    cut = client.begin()
    client.say(cut, framed(b"abc")[:-1], ends=True)
    two = client.begin()
    client.say(two, framed(b"abc") * 2, ends=True)
    faults += [(cut, b"request.malformed"), (two, b"request.malformed")]
    assert [code_of(client, stream) for stream, _ in faults] == [code for _, code in faults]
    assert all(client.has_ended(stream) for stream, _ in faults)
    assert client.told(client.ask(b"well")) == framed(b"well")
    assert service.calls == set()


def test_what_is_too_large_is_refused_before_it_arrives() -> None:
    service = Service(limits=Limits(body_bytes=1000))
    client = Client(service)
    stream = client.begin()
    client.say(stream, b"\0" + (10**9).to_bytes(4))
    assert code_of(client, stream) == b"request.too-large"
    assert client.codes == [0]  # that it need not send the rest


def test_a_client_is_asked_to_go_and_loses_nothing() -> None:
    service = Service()
    service.method.waits = True

    def asked(stream: int, message: bytes) -> bytes:
        data = frame(DATA, END_STREAM, stream, framed(message))
        return frame(HEADERS, END_HEADERS, stream, BLOCK) + data

    greeted(service, asked(1, b"first"))
    service.transport.take()
    service.connection.dismiss()
    told = service.transport.take()
    assert told[:9] == frame(GOAWAY, 0, 0, bytes(8))[:9]
    mark = told[-8:]
    # What was on its way when it hears of it.
    service.connection.data_received(asked(3, b"late") + frame(PING, ACK, 0, mark))
    assert not service.transport.has_said_all
    service.method.go_on()
    told = service.transport.take()
    assert framed(b"first") in told and framed(b"late") in told
    assert farewell(told) == 0
    assert service.transport.has_said_all and not service.transport.is_closed


def test_who_is_asked_to_go_and_has_nothing_to_say_goes() -> None:
    service = Service()
    greeted(service)
    service.connection.dismiss()
    assert not service.transport.is_closed
    service.connection.data_received(frame(PING, ACK, 0, service.transport.take()[-8:]))
    assert service.transport.is_closed


class Patience:
    head, body, taking, silence, lost = 10.0, 30.0, 60.0, 60.0, 20.0


@pytest.mark.parametrize(
    ("data", "within", "beyond"),
    [
        (b"", 9.0, 11.0),
        (PREFACE[:5], 9.0, 11.0),
        (PREFACE, 9.0, 11.0),
        (PREFACE + frame(SETTINGS, 0, 0, b"") + frame(HEADERS, 0, 1, BLOCK), 9.0, 11.0),
        (PREFACE + frame(SETTINGS, 0, 0, b"") + BEGUN + frame(DATA, 0, 1, b"abc")[:-1], 29.0, 31.0),
    ],
)
def test_who_is_slow_is_let_go(data: bytes, within: float, beyond: float) -> None:
    service = Service()
    if data:
        service.connection.data_received(data)
    service.connection.look(within, Patience())
    assert not service.transport.is_closed
    service.connection.look(beyond, Patience())
    assert service.transport.is_aborted


def test_who_does_not_answer_when_asked_is_let_go() -> None:
    service = Service()
    greeted(service)
    service.connection.look(61.0, Patience())
    service.connection.look(80.0, Patience())
    assert not service.transport.is_closed
    service.connection.look(82.0, Patience())
    assert service.transport.is_aborted


def test_who_answers_when_asked_stays() -> None:
    client = Client(service := Service())
    for now in range(0, 1000, 5):
        service.now = float(now)
        service.connection.look(service.now, Patience())
        client.exchange()
    assert not service.transport.is_closed
    assert client.told(client.ask(b"well")) == framed(b"well")


def test_who_does_not_take_what_it_was_sent_is_let_go() -> None:
    service = Service()
    greeted(service)
    service.connection.pause_writing()
    service.connection.look(59.0, Patience())
    assert not service.transport.is_closed
    service.connection.look(61.0, Patience())
    assert service.transport.is_aborted


def test_an_answer_that_is_not_taken_is_given_up() -> None:
    """Its client reads, and grants nothing: the others go on."""
    service = Service()
    service.method.waits = True
    client = Client(service, window=10)
    stream = client.ask(bytes(100))
    service.method.go_on()
    client.exchange()
    assert client.told(stream) == framed(bytes(100))[:10]
    service.connection.look(59.0, Patience())
    client.exchange()
    assert client.codes == []
    service.connection.look(61.0, Patience())
    client.exchange()
    assert client.codes == [8]
    other = client.ask(b"well")
    service.method.go_on()
    client.exchange()
    assert client.told(other) == framed(b"well")


def test_what_is_put_into_the_table_again_is_so_each_time() -> None:
    """The same bytes, which move what the table holds: the next name by its number is another."""
    service = Service()
    found: list[Headers] = []
    begin = service.begin

    def noted(connection: Connection, stream: int, headers: Headers) -> Call:
        found.append(headers)
        return begin(connection, stream, headers)

    service.begin = noted  # type: ignore[method-assign]

    def literal(name: bytes, value: bytes) -> bytes:
        return b"\x40" + bytes((len(name),)) + name + bytes((len(value),)) + value

    a, b, c = (literal(name, b"1") for name in (b"a", b"b", b"c"))
    room_for_three, the_third = b"\x3f\x47", b"\xc0"
    blocks = [room_for_three + BLOCK + c, BLOCK + b, BLOCK + a, BLOCK + a, BLOCK + a]
    blocks.append(BLOCK + the_third)
    greeted(
        service,
        *(frame(HEADERS, END_HEADERS, 2 * n + 1, block) for n, block in enumerate(blocks)),
    )
    assert farewell(service.transport.take()) is None
    assert {b"a", b"b", b"c"} & set(found[-1]) == {b"a"}


def test_a_message_without_an_end_is_not_waited_for() -> None:
    service = Service()
    greeted(service, BEGUN, frame(DATA, 0, 1, framed(b"x")))
    (call,) = service.calls
    assert call.waits and call.is_due


def test_a_stream_may_be_silent_but_not_in_the_middle_of_a_message() -> None:
    service = Service(is_stream=True)
    greeted(service, BEGUN, frame(DATA, 0, 1, framed(b"x")))
    (call,) = service.calls
    assert call.waits and not call.is_due
    service.connection.data_received(frame(DATA, 0, 1, framed(b"x")[:-1]))
    assert call.is_due


def test_padding_and_priorities_are_passed_over() -> None:
    service = Service()
    greeted(
        service,
        frame(HEADERS, END_HEADERS | PADDED | 0x20, 1, b"\3" + bytes(5) + BLOCK + bytes(3)),
        frame(DATA, PADDED | END_STREAM, 1, b"\4" + framed(b"x") + bytes(4)),
    )
    assert framed(b"x") in service.transport.take()


def test_a_block_may_come_in_pieces() -> None:
    service = Service()
    pieces = [BLOCK[:10], BLOCK[10:11], b"", BLOCK[11:]]
    greeted(
        service,
        frame(HEADERS, 0, 1, pieces[0]),
        frame(CONTINUATION, 0, 1, pieces[1]),
        frame(CONTINUATION, 0, 1, pieces[2]),
        frame(CONTINUATION, END_HEADERS, 1, pieces[3]),
        frame(DATA, END_STREAM, 1, framed(b"x")),
    )
    assert framed(b"x") in service.transport.take()
