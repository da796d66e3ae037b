"""A client by gRPC that is asked to go, over a real socket: what it began is answered whole,
however much of it the system still holds when all was said."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
import uvloop

from freehold.domain.errors import FreeholdError
from freehold.endpoint.grpc.call import Call, Message
from freehold.endpoint.grpc.connection import Connection
from freehold.endpoint.grpc.door import Door
from freehold.endpoint.grpc.headers import Headers
from freehold.endpoint.listening import bound
from freehold.endpoint.refusal import as_error
from freehold.serving.request import Limits

CALLS = 64


class Service:
    """Host, keeper and method: it answers when all have asked."""

    is_stream, counts, limits, now = False, True, Limits(), 0.0

    def __init__(self) -> None:
        self.connections: list[Connection] = []
        self.waiting: list[Call] = []

    def opened(self, connection: Connection) -> None:
        self.connections.append(connection)

    def closed(self, connection: Connection) -> None:
        self.connections.remove(connection)

    def begin(self, connection: Connection, stream: int, headers: Headers) -> Call:
        return Call(connection, stream, headers, self, self)

    def hold(self, call: Call, size: int) -> None:
        call.held = size

    def require_room(self) -> None:
        """There is."""

    def later(self, piece: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_soon(piece)

    def counted(self, exc: Exception) -> FreeholdError:
        return as_error(exc)

    def over(self, call: Call) -> None:
        """It is not counted."""

    def message(self, call: Call, message: Message) -> None:
        self.waiting.append(call)

    def ended(self, call: Call) -> None:
        """It was answered by its message."""


def ask(address: str) -> list[int]:
    """How long each answer is."""
    options = [("grpc.enable_retries", 0), ("grpc.max_receive_message_length", -1)]
    with grpc.insecure_channel(address, options) as channel:
        asked = channel.unary_unary("/any/Method")
        answers = [asked.future(b"x", timeout=60) for _ in range(CALLS)]
        return [len(one.result()) for one in answers]


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not happened():
            await asyncio.sleep(0.01)


async def farewell(size: int) -> list[int]:
    service = Service()
    with bound("127.0.0.1", 0) as listener, ThreadPoolExecutor(1) as threads:
        door = Door(listener, lambda: Connection(service))
        door.open()
        loop = asyncio.get_running_loop()
        asking = loop.run_in_executor(threads, ask, f"127.0.0.1:{listener.getsockname()[1]}")
        await until(lambda: len(service.waiting) == CALLS)
        (connection,) = service.connections
        connection.dismiss()
        await until(lambda: connection._has_heard)
        door.close()
        for call in service.waiting:
            call.answer(bytes(size))
        found = await asking
        await until(lambda: door.is_quiet and not service.connections)
        return found


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("size", [10, 60_000, 300_000])
def test_what_was_begun_is_answered_whole(run: Callable[..., Any], size: int) -> None:
    for _ in range(3):
        assert run(farewell(size)) == [size] * CALLS
