"""What passes gRPC's callers on, over real sockets, with a library of the test's own behind it."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from freehold.endpoint.grpc import relay as module
from freehold.endpoint.grpc.frames import HEAD
from freehold.endpoint.grpc.relay import Relay
from freehold.endpoint.listening import bound

SETTINGS = bytes.fromhex("000000 04 00 00000000")
GOAWAY, PING = 7, 6
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def data(payload: bytes) -> bytes:
    return len(payload).to_bytes(3) + bytes(6) + payload


async def frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Kind and payload."""
    head = await reader.readexactly(HEAD)
    return head[3], await reader.readexactly(int.from_bytes(head[:3]))


class Library:
    """Sends its settings, then what the test has it do."""

    def __init__(self, behaves: Callable[..., Coroutine[Any, Any, None]]) -> None:
        self._behaves = behaves
        self.listening = bound("127.0.0.1", 0)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(SETTINGS)
            await self._behaves(reader, writer)
        finally:
            writer.close()


async def echoes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until the client says no more; then its last word."""
    while piece := await reader.read(65536):
        writer.write(data(piece))
        await writer.drain()
    writer.write(data(b"last"))


class Scene:
    def __init__(self, relay: Relay, place: tuple[str, int]) -> None:
        self.relay, self._place = relay, place

    async def connect(self) -> Streams:
        """The library's settings have been read."""
        reader, writer = await asyncio.open_connection(*self._place)
        assert await frame(reader) == (4, b"")
        return reader, writer


@asynccontextmanager
async def scene(behaves: Callable[..., Coroutine[Any, Any, None]]) -> AsyncIterator[Scene]:
    library = Library(behaves)
    server = await asyncio.start_server(library, sock=library.listening)
    with bound("127.0.0.1", 0) as listener:
        relay = Relay(listener, *library.listening.getsockname()[:2])
        yield Scene(relay, listener.getsockname()[:2])
        relay.close()
        await eventually(lambda: relay.connections == 0)
    server.close()


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.005)


def played(play: Callable[[Scene], Coroutine[Any, Any, None]], behaves: Any = echoes) -> None:
    async def whole() -> None:
        async with asyncio.timeout(60), scene(behaves) as made:
            await play(made)

    asyncio.run(whole())


def test_bytes_pass_both_ways_and_a_last_word_after_the_clients_end() -> None:
    async def play(made: Scene) -> None:
        reader, writer = await made.connect()
        writer.write(b"question")
        assert await frame(reader) == (0, b"question")
        writer.write_eof()
        assert await frame(reader) == (0, b"last")
        assert await reader.read() == b""
        writer.close()
        await eventually(lambda: made.relay.connections == 0)

    played(play)


def test_who_is_asked_to_go_is_answered_until_it_does() -> None:
    async def play(made: Scene) -> None:
        reader, writer = await made.connect()
        left: list[bool] = []
        made.relay.leave(lambda: left.append(True))
        kind, payload = await frame(reader)
        assert (kind, payload) == (GOAWAY, bytes.fromhex("7fffffff00000000"))
        kind, mark = await frame(reader)
        assert kind == PING and len(mark) == 8
        writer.write(b"still")
        assert await frame(reader) == (0, b"still")
        assert left == []
        writer.close()
        await eventually(lambda: left == [True])

    played(play)


def test_a_farewell_waits_for_the_end_of_a_frame() -> None:
    halves: list[asyncio.Event] = []

    async def halting(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        whole = data(b"a" * 40)
        writer.write(whole[:20])
        await halves[0].wait()
        writer.write(whole[20:] + data(b"b"))
        await halves[1].wait()

    async def play(made: Scene) -> None:
        halves.extend((asyncio.Event(), asyncio.Event()))
        reader, writer = await made.connect()
        begun = await reader.readexactly(20)
        made.relay.leave()
        halves[0].set()
        rest = await reader.readexactly(HEAD + 20)
        assert begun + rest == data(b"a" * 40)
        assert [(await frame(reader))[0] for _ in range(2)] == [GOAWAY, PING]
        assert await frame(reader) == (0, b"b")
        halves[1].set()
        writer.close()

    played(play, halting)


def test_who_comes_while_it_leaves_waits_until_it_stays() -> None:
    async def play(made: Scene) -> None:
        made.relay.leave()
        coming = asyncio.create_task(made.connect())
        _, pending = await asyncio.wait((coming,), timeout=0.2)
        assert pending and made.relay.connections == 0
        made.relay.stay()
        _, writer = await coming
        assert made.relay.connections == 1
        writer.close()

    played(play)


def test_nobody_is_told_that_all_have_left_once_it_stays() -> None:
    async def play(made: Scene) -> None:
        _, writer = await made.connect()
        left: list[bool] = []
        made.relay.leave(lambda: left.append(True))
        made.relay.stay()
        writer.close()
        await eventually(lambda: made.relay.connections == 0)
        assert left == []
        made.relay.leave(lambda: left.append(True))
        assert left == [True]

    played(play)


def test_who_does_not_go_is_ended_unless_something_is_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One never answers the PING; one does, and stays."""

    async def play(made: Scene) -> None:
        (_, deafs), (idle, idles) = await made.connect(), await made.connect()
        made.relay.leave()
        assert (await frame(idle))[0] == GOAWAY
        _, mark = await frame(idle)
        idles.write((8).to_bytes(3) + bytes((PING, 1)) + bytes(4) + mark)
        # What the library of this test says to it.
        await frame(idle)
        made.relay.look(False)
        assert made.relay.connections == 2
        monkeypatch.setattr(module, "LINGER", 0.0)
        made.relay.look(True)
        await asyncio.sleep(0.05)
        assert made.relay.connections == 2
        made.relay.look(False)
        await eventually(lambda: made.relay.connections == 1)
        monkeypatch.setattr(module, "GRACE", 0.0)
        made.relay.look(False)
        await eventually(lambda: made.relay.connections == 0)
        for writer in (deafs, idles):
            writer.close()

    played(play)


def test_no_more_is_read_than_the_client_takes() -> None:
    sent = 0

    async def counted(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        while True:
            writer.write(data(bytes(16384)))
            await writer.drain()
            sent += 16384

    async def play(made: Scene) -> None:
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.connect(made._place)
            before = -1
            while before != sent:
                before = sent
                await asyncio.sleep(0.3)
            # What the sockets' own buffers and two transports hold, on either side.
            assert 0 < sent < 32 * 2**20
            slow.close()
        await eventually(lambda: made.relay.connections == 0)

    played(play, counted)


def test_who_comes_when_no_file_can_be_opened_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE", 0.01)

    async def play(made: Scene) -> None:
        fails = [OSError(24, "too many open files")] * 2
        listener = made.relay._listener

        class Failing:
            def accept(self) -> Any:
                if fails:
                    raise fails.pop()
                return listener.accept()

            def fileno(self) -> int:
                return listener.fileno()

        monkeypatch.setattr(made.relay, "_listener", Failing())
        _, writer = await made.connect()
        assert not fails
        writer.close()

    played(play)


def test_a_client_of_a_library_that_has_ended_is_ended() -> None:
    async def play(made: Scene) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            made.relay._port = free.getsockname()[1]
            reader, writer = await asyncio.open_connection(*made._place)
            assert await reader.read() == b""
            writer.close()
        await eventually(lambda: made.relay.connections == 0)

    played(play)
