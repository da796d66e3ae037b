"""Whoever is just being let in by gRPC, or begins a call, while the process is to go."""

import asyncio
import socket
from collections.abc import Iterator
from time import sleep
from typing import Any

import pytest

from freehold.endpoint.endpoint import Endpoint
from freehold.endpoint.grpc.door import Door
from freehold.endpoint.grpc.frames import (
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PREFACE,
    SETTINGS,
    frame,
)
from freehold.endpoint.grpc.headers import block_of
from freehold.endpoint.grpc.server import HEARING, GrpcServer
from freehold.endpoint.process import EndpointThread, wall_clock
from freehold.endpoint.settings import EndpointSettings
from freehold.endpoint.waiting_room import WaitingRoom
from freehold.serving.inference_messages import SERVICE, ModelInferRequest

GREETING = PREFACE + frame(SETTINGS, 0, 0, b"")


def asked_of(method: str) -> bytes:
    return block_of(
        [
            (b":method", b"POST"),
            (b":scheme", b"http"),
            (b":path", f"/{SERVICE}/{method}".encode()),
            (b":authority", b"here"),
            (b"content-type", b"application/grpc"),
            (b"te", b"trailers"),
        ]
    )


def question(name: str) -> bytes:
    """Whole, as it is sent; whose id is `name`."""
    made = ModelInferRequest(model_name="delay", id=name)
    made.inputs.add(name="distance", datatype="FP64", shape=[1]).contents.fp64_contents.append(1.0)
    carrier = made.inputs.add(name="carrier", datatype="BYTES", shape=[1])
    carrier.contents.bytes_contents.append(b"UA")
    body: bytes = made.SerializeToString()
    return b"\0" + len(body).to_bytes(4) + body


@pytest.fixture
def endpoint(site: Any) -> Iterator[EndpointThread]:
    site.model(1)
    site.route((1, 100.0, "champion"))
    settings = EndpointSettings(site.folder, port=0, grpc_port=0)
    with EndpointThread(settings, site.runtime, site.signing) as made:
        yield made


class Frames:
    """What a client sends and hears that minds nothing it is told."""

    def __init__(self, endpoint: EndpointThread) -> None:
        assert endpoint.grpc is not None
        host, _, port = endpoint.grpc.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=60)
        self._heard = b""
        self.socket.sendall(GREETING)

    def __enter__(self) -> "Frames":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def begin(
        self, stream: int, message: bytes, *, whole: bool = True, method: str = "ModelInfer"
    ) -> None:
        self.socket.sendall(frame(HEADERS, END_HEADERS, stream, asked_of(method)))
        self.socket.sendall(frame(DATA, END_STREAM if whole else 0, stream, message))

    def end(self, stream: int, rest: bytes) -> None:
        self.socket.sendall(frame(DATA, END_STREAM, stream, rest))

    def until(self, kind: int, stream: int, flag: int = 0) -> bytes:
        """What is told of that stream, up to a frame of that kind with that flag."""
        told = b""
        while True:
            while len(self._heard) < 9 or len(self._heard) < 9 + int.from_bytes(self._heard[:3]):
                piece = self.socket.recv(65536)
                assert piece, "it ended before"
                self._heard += piece
            size = 9 + int.from_bytes(self._heard[:3])
            one, self._heard = self._heard[:size], self._heard[size:]
            if int.from_bytes(one[5:9]) == stream:
                told += one[9:]
                if one[3] == kind and one[4] & flag == flag:
                    return told


def test_a_call_that_begins_as_it_is_told_to_stop_is_answered(endpoint: EndpointThread) -> None:
    """Its client cannot have heard of it."""
    with Frames(endpoint) as client:
        client.begin(1, question("a"))
        client.until(HEADERS, 1, END_STREAM)
        endpoint.endpoint.application.draining = True
        client.begin(3, question("b"))
        assert b"b/0" in client.until(HEADERS, 3, END_STREAM)


def test_of_who_goes_on_after_it_was_told_only_what_it_had_begun_is_answered(
    endpoint: EndpointThread,
) -> None:
    asked = question("under way")
    with Frames(endpoint) as client:
        client.begin(1, asked[:20], whole=False)
        client.begin(3, question("before"))
        client.until(HEADERS, 3, END_STREAM)
        # What waits until it has stopped is the fixture's.
        endpoint._server.stop()
        client.until(GOAWAY, 0)
        client.begin(5, question("at once"))
        assert b"at once/0" in client.until(HEADERS, 5, END_STREAM)
        sleep(HEARING + 0.5)
        client.begin(7, question("too late"))
        assert b"endpoint.stopping" in client.until(HEADERS, 7, END_STREAM)
        client.begin(9, question("too late"), method="ModelStreamInfer")
        assert b"endpoint.stopping" in client.until(HEADERS, 9, END_STREAM)
        client.end(1, asked[20:])
        assert b"under way/0" in client.until(HEADERS, 1, END_STREAM)


def test_who_is_just_being_let_in_is_waited_for_and_asked_to_go(
    site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.model(1)
    site.route((1, 100.0, "champion"))
    settings = EndpointSettings(site.folder, port=0, grpc_port=0)
    let_in = Door._let_in

    async def play() -> None:
        one = Endpoint(settings, site.runtime, site.signing, wall_clock)
        room = WaitingRoom(settings.admission)
        room.open()
        server = GrpcServer(one, room, "127.0.0.1", 0)
        comes, was_taken, has_left = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def slowly(door: Door, taken: socket.socket) -> None:
            was_taken.set()
            await comes.wait()
            await let_in(door, taken)

        monkeypatch.setattr(Door, "_let_in", slowly)
        await server.start()
        host, _, port = server.address.rpartition(":")
        hears, says = await asyncio.open_connection(host, int(port))
        await was_taken.wait()
        server.leave(has_left.set)
        await asyncio.sleep(1.0)
        assert not has_left.is_set()
        comes.set()
        says.write(GREETING)
        told = await asyncio.wait_for(hears.readuntil(bytes([GOAWAY, 0])), 60)
        assert told and not has_left.is_set()
        says.close()
        await asyncio.wait_for(has_left.wait(), 60)
        await server.stop(5.0)
        one.close()

    asyncio.run(play())
