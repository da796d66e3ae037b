"""What a connection keeps of bytes that never end, and what it makes of fields in odd places."""

from collections.abc import Callable
from typing import Any

import pytest
from fuzzing.connections import CHUNKED, GET, POST, Host, Wire, connection, conversation

from freehold.endpoint.connection import HEAD_BYTES, Connection
from freehold.endpoint.message import Asking
from freehold.serving.request import Limits

PIECE = 4096
WAITS = b"POST /v2/models/delay/infer HTTP/1.1\r\nhost: here\r\ncontent-length: 2\r\n\r\n[]"


class Busy(Host):
    """Answers nobody."""

    def __init__(self) -> None:
        super().__init__(b"")
        self.limits = Limits(body_bytes=10_000_000)
        self.held: list[int] = []

    def hold(self, connection: Connection, size: int) -> None:
        super().hold(connection, size)
        self.held.append(size)


def opened() -> tuple[Busy, Wire, Connection]:
    host, wire = Busy(), Wire()
    made = Connection(host)
    made.connection_made(wire)
    return host, wire, made


def fields(piece: int) -> bytes:
    return b"".join(b"x-%d-%d: y\r\n" % (piece, one) for one in range(PIECE // 12))


def letters(_piece: int) -> bytes:
    return b"a" * PIECE


@pytest.mark.parametrize(
    ("start", "more"),
    [
        (b"GET /", letters),
        (GET[:-2], fields),
        (GET[:-2] + b"x: ", letters),
        (WAITS + b"GET /", letters),
        (WAITS + GET[:-2], fields),
        (WAITS + GET[:-2] + b"x: ", letters),
        (POST + CHUNKED + b"1;a=", letters),
        (POST + CHUNKED + b"1\r\n1\r\n0\r\n", fields),
        (POST + CHUNKED + b"1\r\n1\r\n0\r\nx: ", letters),
        (b"\r\n", lambda _: b"\r\n" * (PIECE // 2)),
    ],
)
def test_what_never_ends_is_ended(start: bytes, more: Callable[[int], bytes]) -> None:
    _, wire, made = opened()
    made.data_received(start)
    sent = 0
    while wire.is_open and sent < 4 * HEAD_BYTES:
        piece = more(sent)
        sent += len(piece)
        made.data_received(piece)
    assert not wire.is_open and sent <= HEAD_BYTES + PIECE
    if not start.startswith(WAITS):
        assert wire.written[-1].startswith(b"HTTP/1.1 431 ")


def test_a_body_behind_a_request_that_waits_counts_as_held() -> None:
    host, _, made = opened()
    made.data_received(WAITS + POST + b"content-length: 5000\r\n\r\n" + b" " * 3000)
    made.data_received(b" " * 1000)
    made.data_received(b" " * 1000)
    assert host.held == [3000, 4000, 0]


def test_a_body_in_the_smallest_pieces_is_a_body() -> None:
    asked: list[Asking] = []
    host, wire, made = opened()
    host.enter = lambda _connection, asking: asked.append(asking)  # type: ignore[method-assign]
    made.data_received(POST + CHUNKED)
    for _ in range(HEAD_BYTES // 4):
        made.data_received(b"1;a=b\r\n1\r\n")
    made.data_received(b"0\r\n\r\n")
    assert wire.is_open and asked[0].body == b"1" * (HEAD_BYTES // 4)


@pytest.mark.parametrize(
    "behind", [b"Content-Encoding: br", b"Freehold-Priority: high", b"Content-Type: text/csv"]
)
def test_a_field_behind_the_body_says_nothing_about_it(behind: bytes) -> None:
    """RFC 9110, section 6.5.1: whoever looked at the head alone must have seen the same."""
    sent = POST + CHUNKED + b"2\r\n[]\r\n0\r\n" + behind + b"\r\n\r\n" + GET
    host, wire = conversation(sent, iter([sent]))
    assert wire.written[0].startswith(b"HTTP/1.1 200 ")
    (_, _, headers, body), (method, *_) = host.asked
    assert (headers, body, method) == (((b"content-type", b"application/json"),), b"[]", "GET")


@pytest.mark.parametrize("size", range(1, 40))
def test_cut_anywhere_it_is_the_same(size: int) -> None:
    sent = POST + CHUNKED + b"3\r\n[1]\r\n0\r\nx: y\r\n\r\n" + GET + WAITS
    reading: Any = connection(bytes([size - 1]) + sent)
    assert [len(asked) for asked in reading.told[:2]] == [3, 3]
