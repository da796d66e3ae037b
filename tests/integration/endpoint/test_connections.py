"""HTTP as it comes over a wire: in order, behind each other, slowly, cut, smuggled, too much."""

import asyncio
import json
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from freehold.endpoint.connection import HEAD_BYTES, Connection
from freehold.endpoint.process import EndpointThread, wall_clock
from freehold.endpoint.settings import EndpointSettings
from freehold.serving.admission import AdmissionSettings
from freehold.serving.request import Limits

LIVE = b"GET /v2/health/live HTTP/1.1\r\nhost: here\r\n\r\n"
LAST = b"GET /v2/health/live HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n"
HIDDEN = b"GET /openapi.json HTTP/1.1\r\nhost: here\r\n\r\n"


def infer(value: Any, **headers: str) -> bytes:
    body = json.dumps(value).encode()
    lines = [f"{name.replace('_', '-')}: {told}\r\n".encode() for name, told in headers.items()]
    head = b"POST /v2/models/delay/infer HTTP/1.1\r\nhost: here\r\n" + b"".join(lines)
    return head + b"content-length: %d\r\n\r\n" % len(body) + body


@contextmanager
def serving(site: Any, **settings: Any) -> Iterator[EndpointThread]:
    site.model(1)
    site.route((1, 100.0, "champion"))
    whole = EndpointSettings(site.folder, port=0, **settings)
    with EndpointThread(whole, site.runtime, site.signing, wall_clock) as endpoint:
        yield endpoint


@pytest.fixture
def endpoint(site: Any) -> Iterator[EndpointThread]:
    with serving(site) as started:
        yield started


def connected(endpoint: EndpointThread) -> socket.socket:
    found = re.fullmatch(r"http://(.*):(\d+)", endpoint.url)
    assert found is not None
    return socket.create_connection((found[1], int(found[2])), timeout=30)


def until_closed(client: socket.socket) -> bytes:
    received = b""
    while chunk := client.recv(1 << 16):
        received += chunk
    return received


def said(endpoint: EndpointThread, *parts: bytes) -> bytes:
    """All that is answered to the parts, each sent alone, until the connection ends."""
    with connected(endpoint) as client:
        for part in parts:
            client.sendall(part)
        return until_closed(client)


def statuses(answer: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+) ", answer)]


def test_requests_behind_each_other_are_answered_in_order(
    endpoint: EndpointThread, request_of: Any
) -> None:
    asked = b"".join(infer(request_of(n, id=f"r{n}")) for n in range(40))
    answer = said(endpoint, asked + LAST)
    assert statuses(answer) == [200] * 41
    assert re.findall(rb'"id":"r(\d+)"', answer) == [b"%d" % n for n in range(40)]


def test_a_request_may_come_byte_by_byte(endpoint: EndpointThread, request_of: Any) -> None:
    asked = infer(request_of(3), connection="close")
    assert statuses(said(endpoint, *(asked[at : at + 1] for at in range(len(asked))))) == [200]


def test_who_stops_sending_still_gets_the_answers(
    endpoint: EndpointThread, request_of: Any
) -> None:
    with connected(endpoint) as client:
        client.sendall(infer(request_of(1)) + infer(request_of(2)))
        client.shutdown(socket.SHUT_WR)
        assert statuses(until_closed(client)) == [200, 200]


def test_a_body_may_wait_until_it_is_asked_for(endpoint: EndpointThread, request_of: Any) -> None:
    head, _, body = infer(request_of(1), expect="100-continue", connection="close").partition(
        b"\r\n\r\n"
    )
    with connected(endpoint) as client:
        client.sendall(head + b"\r\n\r\n")
        assert client.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(body)
        assert statuses(until_closed(client)) == [200]


def test_an_older_client_is_told_whether_the_connection_stays(endpoint: EndpointThread) -> None:
    old = LIVE.replace(b"HTTP/1.1", b"HTTP/1.0")
    assert b"connection: close" in said(endpoint, old)
    stays = old.replace(b"host: here", b"host: here\r\nconnection: keep-alive")
    answer = said(endpoint, stays, old)
    assert statuses(answer) == [200, 200]
    assert answer.count(b"connection: keep-alive") == 1


def test_a_head_alone_has_no_body(endpoint: EndpointThread) -> None:
    answer = said(endpoint, LAST.replace(b"GET", b"HEAD"))
    assert statuses(answer) == [405]
    assert answer.endswith(b"\r\n\r\n")


def test_what_it_would_be_upgraded_to_is_not_spoken(endpoint: EndpointThread) -> None:
    upgrade = b"host: here\r\nconnection: upgrade\r\nupgrade: h2c"
    assert statuses(said(endpoint, LIVE.replace(b"host: here", upgrade) + HIDDEN)) == [200]


POST = b"POST /v2/models/delay/infer HTTP/1.1\r\nhost: here\r\n"


@pytest.mark.parametrize(
    "shape",
    [
        b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n",
        b"content-length: 0\r\ncontent-length: 5\r\n\r\n",
        b"content-length: 0, 5\r\n\r\n",
        b"content-length: +5\r\n\r\nhello",
        b"content-length: -1\r\n\r\n",
        b"content-length: 5x\r\n\r\nhello",
        b"content-length: 99999999999999999999999\r\n\r\n",
        b"content-length : 5\r\n\r\nhello",
        b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"transfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        b"transfer-encoding: chunked\r\n\r\n5;\x00\r\nhello\r\n0\r\n\r\n",
        b"transfer-encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n",
        b"transfer-encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
        b"x: a\r\n folded: b\r\ncontent-length: 0\r\nfoo\r\n\r\n",
        b"x: a\x00b\r\n\r\n",
        b"\x00x: a\r\n\r\n",
    ],
)
def test_what_others_might_read_otherwise_ends_the_connection(
    endpoint: EndpointThread, shape: bytes
) -> None:
    answer = said(endpoint, POST + shape + HIDDEN)
    assert len(statuses(answer)) == 1, "what was hidden behind it was answered"
    assert statuses(answer)[0] in (400, 413, 415)
    assert b"openapi" not in answer


@pytest.mark.parametrize(
    "start", [b"\x16\x03\x01\x02\x00", b"HELO\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"]
)
def test_what_is_no_http_is_told_so(endpoint: EndpointThread, start: bytes) -> None:
    assert statuses(said(endpoint, start)) == [400]


def test_a_head_has_an_end(endpoint: EndpointThread) -> None:
    many = b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * (HEAD_BYTES // 6 + 1)
    answer = said(endpoint, many)
    assert statuses(answer) == [431]
    assert b"request.head-too-large" in answer


def test_a_body_that_is_cut_is_no_request(site: Any, request_of: Any) -> None:
    with serving(site) as endpoint:
        with connected(endpoint) as client:
            client.sendall(infer(request_of(1))[:-3])
        assert statuses(said(endpoint, infer(request_of(2), connection="close"))) == [200]
        assert endpoint.stop().written == 1


def test_who_is_slow_is_told_and_let_go(site: Any, request_of: Any) -> None:
    times = AdmissionSettings(head_seconds=0.2, idle_seconds=0.2)
    with serving(site, admission=times, limits=Limits(body_seconds=0.2)) as endpoint:
        assert b"the head did not arrive" in said(endpoint, LIVE[:20])
        assert b"the body did not arrive" in said(endpoint, infer(request_of(1))[:-3])
        assert said(endpoint) == b""
        assert statuses(said(endpoint, LIVE)) == [200]


@pytest.mark.parametrize("clients", [300, pytest.param(1000, marks=pytest.mark.long)])
def test_a_crowd_that_sends_a_byte_at_a_time_disturbs_nobody(
    endpoint: EndpointThread, request_of: Any, clients: int
) -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    asked = infer(request_of(1), connection="close")
    before = resident()
    crowd = [connected(endpoint) for _ in range(clients)]
    for at in range(5):
        for client in crowd:
            client.sendall(asked[at : at + 1])
        assert statuses(said(endpoint, asked)) == [200]
    assert resident() - before < clients * 64 * 2**10
    for client in crowd:
        client.close()
    assert statuses(said(endpoint, asked)) == [200]


def test_no_more_connections_than_may_be_open(site: Any) -> None:
    with serving(site, admission=AdmissionSettings(connections=3)) as endpoint:
        open_ones = [connected(endpoint) for _ in range(3)]
        for client in open_ones:
            client.sendall(LIVE)
            assert statuses(client.recv(1000)) == [200]
        answer = said(endpoint)
        assert statuses(answer) == [429]
        assert b"retry-after: 1" in answer
        for client in open_ones:
            client.close()


def test_bodies_that_are_not_whole_hold_no_more_than_they_may(site: Any, request_of: Any) -> None:
    with serving(site, admission=AdmissionSettings(held_bytes=3_000_000)) as endpoint:
        head = POST + b"content-length: 4000000\r\n\r\n"
        clients = [connected(endpoint) for _ in range(4)]
        ended = 0
        for client in clients:
            client.sendall(head)
            try:
                client.sendall(b" " * 1_000_000)
            except ConnectionError:
                ended += 1
        client = clients[-1]
        client.settimeout(30)
        try:
            ended += statuses(client.recv(1000)) == [429]
        except ConnectionError:
            ended += 1
        assert ended
        assert statuses(said(endpoint, infer(request_of(1), connection="close"))) == [200]
        for client in clients:
            client.close()


def in_turn(client: Any, wires: list[Any], asked: list[bytes]) -> list[int]:
    """Each on a connection of its own, all before the first is answered: in which order they are,
    by their place."""
    order: list[int] = []

    async def run() -> None:
        for place, (wire, data) in enumerate(zip(wires, asked, strict=True)):
            wire.on_written = lambda place=place: order.append(place)
            connection = Connection(client.server)
            connection.connection_made(wire)
            connection.data_received(data)
        while len(order) < len(asked):
            await asyncio.sleep(0.001)

    asyncio.run(run())
    return order


def test_the_highest_class_comes_first_and_the_lowest_is_sent_away(
    site: Any, client_of: Callable[..., Any], wire_of: Any, request_of: Any
) -> None:
    site.model(1)
    site.route((1, 100.0, "champion"))
    client = client_of(admission=AdmissionSettings(waiting=4))
    classes = ["low", "low", "normal", "low", "high", "normal", "high"]
    asked = [infer(request_of(n), freehold_priority=name) for n, name in enumerate(classes)]
    wires = [wire_of() for _ in classes]
    order = in_turn(client, wires, asked)
    found = [statuses(wire.written)[0] for wire in wires]
    # Four may wait: each of a higher class takes the place of the youngest of the lowest.
    assert found == [429, 429, 200, 429, 200, 200, 200]
    assert order[-4:] == [4, 6, 2, 5]
    assert b"retry-after: 1" in wires[0].written


def test_a_question_about_the_endpoint_waits_for_nobody(
    site: Any, client_of: Callable[..., Any], wire_of: Any, request_of: Any
) -> None:
    site.model(1)
    site.route((1, 100.0, "champion"))
    client = client_of()
    asked = [infer(request_of(1)), infer(request_of(2)), LIVE]
    wires = [wire_of() for _ in asked]
    assert in_turn(client, wires, asked) == [2, 0, 1]


def test_what_comes_too_late_is_not_scored(
    site: Any, client_of: Callable[..., Any], wire_of: Any, request_of: Any
) -> None:
    site.model(1)
    site.route((1, 100.0, "champion"))
    client = client_of()
    asked = [
        infer(request_of(1), freehold_deadline_ms="0"),
        infer(request_of(2), freehold_deadline_ms="60000"),
        infer(request_of(3), freehold_deadline_ms="soon"),
    ]
    wires = [wire_of() for _ in asked]
    in_turn(client, wires, asked)
    assert [statuses(wire.written)[0] for wire in wires] == [504, 200, 400]
    assert b"request.deadline" in wires[0].written


def test_a_caller_has_its_share(
    site: Any, client_of: Callable[..., Any], wire_of: Any, request_of: Any
) -> None:
    site.model(1)
    site.route((1, 100.0, "champion"))
    client = client_of(admission=AdmissionSettings(per_caller=2.0))
    callers = ["a", "a", "a", "b"]
    asked = [infer(request_of(1), freehold_caller=name) for name in callers]
    wires = [wire_of() for _ in asked]
    in_turn(client, wires, asked)
    assert [statuses(wire.written)[0] for wire in wires] == [200, 200, 429, 200]
    assert b"request.too-often" in wires[2].written


def test_a_model_elsewhere_that_hangs_holds_nobody_else_up(
    site: Any, held: Any, request_of: Any
) -> None:
    site.runtime = held
    with (
        serving(site, batch_delay=0) as endpoint,
        connected(endpoint) as client,
        connected(endpoint) as other,
    ):
        client.sendall(infer(request_of(1), connection="close"))
        assert held.begun.wait(60)
        other.sendall(LIVE)
        assert statuses(other.recv(1000)) == [200]
        held.let.set()
        assert statuses(until_closed(client)) == [200]


TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (TRACE, "4bf92f3577b34da6a3ce929d0e0e4736"),
        (TRACE.upper(), None),
        ("ff" + TRACE[2:], None),
        (TRACE.replace("4bf92f3577b34da6a3ce929d0e0e4736", "0" * 32), None),
        (TRACE[:-3], None),
        ("", None),
    ],
)
def test_the_log_says_of_which_trace_a_row_is(
    site: Any, client: Any, request_of: Any, given: str, kept: str | None
) -> None:
    assert client.infer(request_of(1), headers={"traceparent": given}).status == 200
    client.ask("POST", "/freehold/log/flush")
    log = pl.read_parquet(site.folder / "log" / "*.parquet")
    assert log["trace"].to_list() == [kept]
