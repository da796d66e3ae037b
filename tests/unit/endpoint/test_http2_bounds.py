"""What a connection by HTTP/2 keeps of a client, and how long: bytes that wait for their turn,
answers that are not taken, and who is slow."""

import errno
import zlib
from time import monotonic

import pytest

from freehold.endpoint.grpc import connection as module
from freehold.endpoint.grpc.call import AT_ONCE, MESSAGE_BYTES
from freehold.endpoint.grpc.frames import (
    ACK,
    CANCEL,
    COMPRESSION_ERROR,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    HEADERS,
    PING,
    PREFACE,
    RESET,
    SETTINGS,
    USUAL_WINDOW,
    WINDOW,
    frame,
)
from freehold.endpoint.grpc.patience import LEAST
from freehold.serving.admission import sent_away
from tests.unit.endpoint.test_http2 import (
    BEGUN,
    BLOCK,
    Client,
    Patience,
    Service,
    code_of,
    farewell,
    framed,
    greeted,
)

PERIOD = Patience.taking


def frames_of(written: bytes) -> list[tuple[int, int, bytes]]:
    """Kind, stream and payload of each."""
    found, at = [], 0
    while at < len(written):
        size = int.from_bytes(written[at : at + 3])
        stream = int.from_bytes(written[at + 5 : at + 9])
        found.append((written[at + 3], stream, written[at + 9 : at + 9 + size]))
        at += 9 + size
    return found


def data_of(service: Service) -> list[tuple[int, int]]:
    """Stream and bytes of each frame that has come since the last look."""
    found = frames_of(service.transport.take())
    return [(stream, len(data)) for kind, stream, data in found if kind == DATA]


def asked(stream: int, message: bytes) -> bytes:
    """A whole call."""
    data = b"".join(
        frame(DATA, 0, stream, framed(message)[at : at + 16_000])
        for at in range(0, len(message) + 5, 16_000)
    )
    return frame(HEADERS, END_HEADERS, stream, BLOCK) + data + frame(DATA, END_STREAM, stream, b"")


def setting(name: int, value: int) -> bytes:
    return name.to_bytes(2) + value.to_bytes(4)


def grant(stream: int, size: int) -> bytes:
    return frame(WINDOW, 0, stream, size.to_bytes(4))


def answering(size: int, count: int = 1, *settings: bytes) -> Service:
    """Of so many calls each has an answer of this many bytes, more than may be sent."""
    service = Service()
    greeted(service, frame(SETTINGS, 0, 0, b"".join(settings)))
    for number in range(count):
        service.connection.data_received(asked(2 * number + 1, bytes(size)))
    return service


# Messages before their turn


def test_messages_that_wait_are_counted_packed_as_they_came() -> None:
    service = Service(is_stream=True)
    service.method.waits = True
    client = Client(service)
    stream = client.begin((b"grpc-encoding", b"deflate"))
    bomb = zlib.compress(bytes(10**6))
    for _ in range(4):
        client.say(stream, framed(bomb, packed=True))
    cost = MESSAGE_BYTES + len(bomb)
    assert len(service.method.waiting) == 1
    assert service.held == 4 * cost, "the one whose turn it is, too"
    service.method.go_on()
    client.exchange()
    assert service.method.waiting == [], "the answer before is not taken"
    assert service.held == 3 * cost + 10**6 + 5
    client.take()
    assert len(service.method.waiting) == 1
    assert service.held == 3 * cost
    while service.method.waiting:
        service.method.go_on()
        client.exchange()
        client.take()
    assert client.told(stream) == framed(bytes(10**6)) * 4
    assert service.held == 0


def test_one_whose_packing_is_broken_ends_its_stream_in_its_turn() -> None:
    service = Service(is_stream=True)
    client = Client(service)
    stream = client.begin((b"grpc-encoding", b"deflate"))
    client.say(stream, framed(b"well") + framed(b"broken", packed=True) + framed(b"late"))
    assert client.told(stream) == framed(b"well")
    assert code_of(client, stream) == b"request.malformed"
    assert service.calls == set()


@pytest.mark.parametrize("sent", [framed(bytes(900))[:-1], framed(bytes(900)) * 2, framed(b"") * 9])
def test_what_does_not_fit_any_more_is_refused(sent: bytes) -> None:
    service = Service(is_stream=True)
    service.method.waits, service.room = True, 800
    client = Client(service)
    stream = client.begin()
    client.say(stream, sent)
    assert code_of(client, stream) == b"endpoint.overloaded"
    assert service.calls == set()


@pytest.mark.parametrize("cut", [1, 10**6], ids=["a frame each", "all in one"])
def test_of_messages_that_are_answered_at_once_others_have_their_turn_before_all_are(
    cut: int,
) -> None:
    service = Service(is_stream=True)
    greeted(service, BEGUN)
    messages = 3 * AT_ONCE + 1
    said = framed(b"x") * messages
    step = min(cut * len(framed(b"x")), len(said))
    frames = [frame(DATA, 0, 1, said[at : at + step]) for at in range(0, len(said), step)]
    service.connection.data_received(b"".join(frames) + frame(DATA, END_STREAM, 1, b""))
    answered = []
    while service.calls:
        answered.append(len(data_of(service)))
        service.turn()
    answered.append(len(data_of(service)))
    assert answered == [AT_ONCE, AT_ONCE, AT_ONCE, 1]


def test_a_message_that_waits_for_its_turn_counts_until_it_is_answered() -> None:
    service = Service()
    service.method.waits = True
    greeted(service, asked(1, bytes(1000)))
    assert service.held == MESSAGE_BYTES + 1000
    service.method.go_on()
    assert service.held == 0 and service.calls == set()


def test_a_message_that_is_let_go_counts_no_more() -> None:
    service = Service()
    service.method.waits = True
    greeted(service, asked(1, bytes(1000)))
    ((call, _),) = service.method.waiting
    call.let_go()
    assert service.held == 0
    call.refuse(sent_away(1))
    assert service.calls == set() and service.errors == ["endpoint.overloaded"]


def test_questions_about_the_endpoint_are_answered_whatever_is_held() -> None:
    service = Service()
    service.method.waits, service.room = True, 1000
    greeted(service, asked(1, bytes(800)))
    service.method.waits = service.method.counts = False
    service.connection.data_received(asked(3, bytes(200)))
    assert framed(bytes(200)) in service.transport.take()
    service.connection.data_received(asked(5, bytes(2000)))
    assert service.errors == ["endpoint.overloaded"], "it is none"


def test_nothing_sent_is_no_progress() -> None:
    service = Service()
    greeted(service, BEGUN)
    (call,) = service.calls
    since = call.since
    service.connection.data_received(frame(DATA, 0, 1, b"") * 3)
    assert call.since == since
    service.connection.data_received(frame(DATA, 0, 1, b"\0"))
    assert since < call.since <= monotonic()


# Answers that are not taken


def test_a_call_is_one_until_its_answer_is_taken() -> None:
    service = answering(100_000)
    (call,) = service.calls
    assert call.ended and service.held >= 100_005 - USUAL_WINDOW
    service.connection.data_received(grant(1, 100_000) + grant(0, 100_000))
    assert service.calls == set()
    assert sum(size for _, size in data_of(service)) == 100_005


@pytest.mark.parametrize("how", ["reset", "gone"])
def test_a_call_that_its_client_leaves_is_over(how: str) -> None:
    service = answering(100_000)
    if how == "reset":
        service.connection.data_received(frame(RESET, 0, 1, bytes(4)))
    else:
        service.connection.connection_lost(None)
    assert service.calls == set()


def test_while_the_socket_is_full_no_answer_is_given_to_it() -> None:
    service = Service()
    service.method.waits = True
    greeted(service, asked(1, bytes(1000)))
    service.transport.take()
    service.connection.pause_writing()
    service.method.go_on()
    assert data_of(service) == [] and service.held == 1005
    service.connection.resume_writing()
    assert data_of(service) == [(1, 1005)] and service.calls == set()
    assert not service.transport.is_paused


def test_a_socket_that_fills_in_the_middle_of_an_answer_holds_the_rest() -> None:
    """Also while a client's frames are read, whatever they grant."""
    service = answering(10**6)
    service.transport.take()
    write = service.transport.write

    def full(data: bytes) -> None:
        write(data)
        if not service.transport.is_paused:
            service.connection.pause_writing()

    service.transport.write = full  # type: ignore[method-assign]
    service.connection.data_received(grant(1, 2**30) + grant(0, 2**30))
    told = sum(size for _, size in data_of(service))
    assert 0 < told < 2**17
    while service.calls:
        service.connection.resume_writing()
        told += sum(size for _, size in data_of(service))
    assert told == 1_000_005 - USUAL_WINDOW


def test_answers_that_wait_for_one_window_go_on_by_turns() -> None:
    service = answering(200_000, 3)
    service.connection.data_received(b"".join(grant(stream, 10**6) for stream in (1, 3, 5)))
    service.transport.take()
    for _ in range(2):
        service.connection.data_received(grant(0, 3 * 16_384))
        assert sorted(data_of(service)) == [(stream, 16_384) for stream in (1, 3, 5)]


def test_of_one_setting_that_stands_twice_the_last_holds() -> None:
    service = answering(100, 1, setting(4, 5), setting(4, 10))
    assert data_of(service) == [(1, 10)]


def test_trailers_tell_of_a_smaller_table_if_they_are_the_first_block_after_it() -> None:
    service = answering(100_000)
    service.transport.take()
    service.connection.data_received(frame(SETTINGS, 0, 0, setting(1, 0)))
    service.connection.data_received(grant(1, 100_000) + grant(0, 100_000))
    kind, _, block = frames_of(service.transport.take())[-1]
    assert kind == HEADERS and block[:1] == b"\x20"


# Who is slow


def take_steadily(service: Service, seconds: int) -> None:
    """The socket is full meanwhile."""
    service.transport.waiting = 2**20
    service.connection.pause_writing()
    for second in range(1, seconds):
        service.now = float(second)
        service.transport.waiting -= 2 * LEAST
        service.connection.look(service.now, Patience())
    service.connection.resume_writing()


def test_the_first_look_gives_up_nothing() -> None:
    service = Service(now=10**6)
    greeted(service, asked(1, bytes(100_000)))
    service.connection.look(10**6 + 0.5, Patience())
    assert (RESET, 1) not in [one[:2] for one in frames_of(service.transport.take())]
    assert service.calls


@pytest.mark.parametrize(("step", "stays"), [(1, False), (LEAST, True)])
@pytest.mark.parametrize("window", [0, 1], ids=["of all", "its own"])
def test_who_takes_little_is_given_up_and_who_takes_steadily_is_not(
    step: int, stays: bool, window: int
) -> None:
    service = answering(10**6)
    other = 1 - window
    service.connection.data_received(grant(other, 2**20))
    for second in range(1, int(4 * PERIOD)):
        service.now = float(second)
        service.connection.look(service.now, Patience())
        if not service.calls:
            break
        service.connection.data_received(grant(window, step))
    assert bool(service.calls) is stays
    resets = [one for one in frames_of(service.transport.take()) if one[0] == RESET]
    assert resets == ([] if stays else [(RESET, 1, CANCEL.to_bytes(4))])


def test_an_answer_that_waits_for_others_is_not_given_up() -> None:
    """A client that takes steadily, of so many that each has little of it."""
    service = answering(10**5, 100)
    streams = range(1, 200, 2)
    service.connection.data_received(b"".join(grant(stream, 2**20) for stream in streams))
    for second in range(1, int(4 * PERIOD)):
        service.now = float(second)
        service.connection.look(service.now, Patience())
        service.connection.data_received(grant(0, 2 * LEAST))
    assert len(service.calls) > 90
    assert RESET not in [one[0] for one in frames_of(service.transport.take())]


def test_who_opens_windows_by_turns_and_takes_nothing_is_given_up() -> None:
    service = answering(100_000, 100, setting(4, 0))
    service.connection.data_received(grant(1, USUAL_WINDOW - 1))
    for look in range(1, int(20 * PERIOD)):
        service.now = look / 2
        service.connection.look(service.now, Patience())
        # That of all is open whenever a period ends, and shut in the middle of it.
        if look % int(2 * PERIOD) == int(PERIOD):
            service.connection.data_received(grant(1, 1))
        elif look % int(2 * PERIOD) == int(1.5 * PERIOD):
            service.connection.data_received(grant(0, 1))
    assert service.calls == set()


def test_while_the_socket_is_full_a_call_is_not_given_up_for_what_is_not_heard() -> None:
    service = answering(10**6)
    service.connection.data_received(grant(0, 2**20))
    take_steadily(service, 100)
    service.now = 100.5
    service.connection.look(service.now, Patience())
    assert service.calls and not service.transport.is_closed


def test_while_the_socket_is_full_nothing_more_is_looked_at() -> None:
    """Whatever has come already: answers to it would have no bound."""
    service = Service()
    greeted(service)
    service.transport.take()
    pings = frame(PING, 0, 0, bytes(8)) * 20_000
    service.connection.pause_writing()
    service.connection.data_received(pings)
    assert service.transport.take() == b""
    service.connection.resume_writing()
    assert len(service.transport.take()) == len(pings)
    write = service.transport.write

    def full(data: bytes) -> None:
        write(data)
        service.connection.pause_writing()

    service.transport.write = full  # type: ignore[method-assign]
    service.connection.data_received(pings)
    first = len(service.transport.take())
    assert 0 < first < 2**17
    service.transport.write = write  # type: ignore[method-assign]
    service.connection.resume_writing()
    assert first + len(service.transport.take()) == len(pings)
    assert not service.transport.is_paused


@pytest.mark.parametrize(("step", "stays"), [(1, False), (LEAST, True)])
@pytest.mark.parametrize("ended", [False, True])
def test_a_socket_that_is_emptied_slowly_is_left_if_it_is_not_emptied_steadily(
    step: int, stays: bool, ended: bool
) -> None:
    service = Service()
    greeted(service)
    service.transport.waiting = 2**20
    service.connection.pause_writing()
    if ended:
        service.connection.leave()
    for second in range(1, int(4 * PERIOD)):
        service.now = float(second)
        service.transport.waiting -= step
        service.connection.look(service.now, Patience())
    assert service.transport.is_aborted is not stays


def test_a_connection_that_ends_before_it_was_full_has_its_time_too() -> None:
    service = Service()
    greeted(service)
    service.connection.pause_writing()
    service.connection.resume_writing()
    service.now, service.transport.waiting = 5 * PERIOD, 10_000
    service.connection.leave()
    service.connection.look(6 * PERIOD - 1, Patience())
    assert not service.transport.is_aborted
    service.connection.look(6 * PERIOD + 1, Patience())
    assert service.transport.is_aborted


def test_who_was_full_is_asked_whether_it_is_there_only_a_while_after_it_reads_again() -> None:
    service = Service()
    greeted(service)
    take_steadily(service, 200)
    service.transport.take()
    service.connection.look(200.0, Patience())
    assert service.transport.take() == b""


def test_who_is_asked_to_go_and_has_a_call_open_is_asked_whether_it_is_there() -> None:
    service = Service()
    service.method.waits = True
    greeted(service, asked(1, b"x"))
    service.connection.dismiss()
    mark = service.transport.take()[-8:]
    service.connection.data_received(frame(PING, ACK, 0, mark))
    service.connection.look(61.0, Patience())
    ((kind, _, asks),) = frames_of(service.transport.take())
    assert kind == PING and asks != mark
    service.connection.look(80.0, Patience())
    assert not service.transport.is_aborted
    service.connection.look(82.0, Patience())
    assert service.transport.is_aborted


def test_who_says_anything_is_there() -> None:
    service = Service()
    greeted(service)
    service.connection.look(61.0, Patience())
    service.now = 70.0
    service.connection.data_received(grant(0, 1))
    service.connection.look(82.0, Patience())
    assert not service.transport.is_aborted


def answered() -> Service:
    """An answer of it may be on its way."""
    service = Service()
    greeted(service, asked(1, b"x"))
    assert service.calls == set()
    return service


def test_who_was_told_that_all_is_said_is_read_on_until_it_goes() -> None:
    """A closed socket would take back what it has not delivered, once anything comes."""
    service = answered()
    service.transport.waiting = 20 * LEAST
    service.connection.pause_writing()
    service.connection.leave()
    assert service.transport.has_said_all and not service.transport.is_paused
    service.connection.resume_writing()
    for second in range(1, 15):
        service.now = float(second)
        service.transport.waiting = max(0, service.transport.waiting - 2 * LEAST)
        service.connection.data_received(grant(0, 1))
        service.connection.look(service.now, Patience())
        assert not service.transport.is_closed
    service.connection.look(service.now + module.GRACE - 1, Patience())
    assert not service.transport.is_closed
    service.connection.look(service.now + module.GRACE + 1, Patience())
    assert service.transport.is_aborted


def test_who_says_something_again_and_again_is_not_read_on_for_ever() -> None:
    service = answered()
    service.connection.leave()
    for second in range(1, int(3 * module.GRACE)):
        service.now = float(second)
        service.connection.data_received(grant(0, 1))
        service.connection.look(service.now, Patience())
        assert not service.transport.is_closed
    service.connection.look(3 * module.GRACE + 1, Patience())
    assert service.transport.is_aborted


def test_who_was_answered_long_ago_is_left_at_once() -> None:
    service = answered()
    service.now = module.GRACE + 1
    service.connection.leave()
    assert service.transport.is_closed and not service.transport.is_aborted


def test_a_socket_whose_client_has_gone_is_left_too() -> None:
    def gone() -> None:
        raise OSError(errno.ENOTCONN, "")

    service = answered()
    service.connection.pause_writing()
    service.transport.write_eof = gone  # type: ignore[method-assign]
    service.connection.leave()
    assert service.connection.ended and not service.transport.is_paused


def test_who_is_asked_to_go_and_does_not_hear_of_it_is_left_after_its_last_answer() -> None:
    service = Service()
    service.method.waits = True
    greeted(service, asked(1, b"x"))
    service.connection.dismiss()
    service.now = 3 * module.GRACE
    service.method.go_on()
    service.transport.waiting = 50_000
    service.connection.look(service.now, Patience())
    assert service.transport.has_said_all and not service.transport.is_closed


def test_headers_that_do_not_end_have_the_time_of_the_first_piece() -> None:
    service = Service()
    service.connection.data_received(PREFACE + frame(SETTINGS, 0, 0, b""))
    service.now = 100.0
    piece = frame(CONTINUATION, 0, 1, b"")
    service.connection.data_received(frame(HEADERS, 0, 1, b""))
    service.connection.look(109.0, Patience())
    for second in range(1, 10):
        service.now = 100.0 + second
        # A whole frame and a piece of the next.
        service.connection.data_received(piece[5:] + piece[:5] if second > 1 else piece[:5])
        service.connection.look(service.now, Patience())
    assert not service.transport.is_closed
    service.connection.look(111.0, Patience())
    assert service.transport.is_aborted


# Headers that are kept


def test_a_block_that_changes_the_size_of_the_table_does_so_each_time() -> None:
    def literal(name: bytes) -> bytes:
        return b"\x40" + bytes((len(name),)) + name + b"\1" + b"1"

    room_for_three, room_again, the_fourth = b"\x3f\x47", b"\x3f\xe1\x1f", b"\xc1"
    blocks = [
        room_for_three + BLOCK,
        room_again + BLOCK,
        room_for_three + BLOCK,
        BLOCK + b"".join(map(literal, (b"a", b"b", b"c", b"d"))),
        BLOCK + the_fourth,
    ]
    service = Service()
    greeted(
        service,
        *(frame(HEADERS, END_HEADERS, 2 * n + 1, block) for n, block in enumerate(blocks)),
    )
    assert farewell(service.transport.take()) == COMPRESSION_ERROR


def test_what_was_kept_while_the_table_had_no_room_is_read_anew_once_it_has() -> None:
    put_in = BLOCK + b"\x40\1x\1" + b"1"
    none, room, the_first = b"\x20", b"\x3f\xe1\x1f", b"\xbe"
    blocks = [none + BLOCK, put_in, room + BLOCK, put_in, BLOCK + the_first]
    service = Service()
    greeted(
        service,
        *(frame(HEADERS, END_HEADERS, 2 * n + 1, block) for n, block in enumerate(blocks)),
    )
    assert farewell(service.transport.take()) is None
    assert len(service.calls) == len(blocks)


def test_large_blocks_are_not_kept() -> None:
    service = Service()
    greeted(service)
    reader = service.connection._reader
    for number in range(50):
        reader.read(BLOCK + b"\0\1x\x7f\xe1\x07" + bytes((number,)) * 1120)
        reader.read(BLOCK + b"".join(b"\0\2" + bytes((number, n)) + b"\0" for n in range(40)))
    assert reader._known == {}
    reader.read(BLOCK)
    assert list(reader._known) == [BLOCK]
