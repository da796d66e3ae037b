"""A process that hands over to another: whoever it has let in, however late, is answered by it."""

import asyncio
import random
import socket
from threading import Event, Thread
from time import sleep

import pytest

from freehold.domain.errors import FreeholdError
from freehold.endpoint.listening import bound
from freehold.endpoint.message import Answer, Asking
from freehold.endpoint.server import Server
from freehold.endpoint.waiting_room import WaitingRoom
from freehold.serving.admission import AdmissionSettings
from freehold.serving.request import Limits

MOMENT = 0.0008
"""Seconds within which somebody comes and it is told to retire."""


class Application:
    """Answers a while later, as who has to ask the other processes first."""

    draining = False

    def waits(self, asking: Asking) -> bool:
        return False

    async def answer(self, asking: Asking) -> Answer:
        await asyncio.sleep(0.02)
        return Answer(200, b"{}")

    def refusal(self, error: FreeholdError, path: str) -> Answer:
        return Answer(500, error.code.encode())


def retired(chance: random.Random) -> str:
    """What became of one who came just then: `waits` for the process that takes over, or what the
    one that retires said."""
    settings, started = AdmissionSettings(), Event()
    server = Server(Application(), Limits(), settings, WaitingRoom(settings), 5.0)  # type: ignore[arg-type]
    with bound("127.0.0.1", 0) as listener, socket.socket() as client:

        def run() -> None:
            server.run(listener.dup(), on_started=started.set)

        def retire(after: float = chance.uniform(0, MOMENT)) -> None:
            sleep(after)
            server.retire()

        # A loop does not close as long as somebody keeps a connection that it left open.
        threads = Thread(target=run, daemon=True), Thread(target=retire)
        threads[0].start()
        started.wait(30)
        sleep(0.003)
        threads[1].start()
        sleep(chance.uniform(0, MOMENT))
        client.connect(listener.getsockname())
        client.sendall(b"GET / HTTP/1.1\r\nhost: here\r\n\r\n")
        for one in threads:
            one.join(15)
            if one.is_alive():
                return "lost"
        listener.setblocking(False)
        try:
            taken, _ = listener.accept()
        except BlockingIOError:
            client.settimeout(10)
            try:
                return client.recv(1000).partition(b"\r\n")[0].decode()
            except OSError:
                return "lost"
        taken.close()
        return "waits"


@pytest.mark.parametrize("rounds", [150, pytest.param(1_000, marks=pytest.mark.long)])
def test_who_was_let_in_is_answered(rounds: int) -> None:
    chance = random.Random(rounds)
    found = set()
    for _ in range(rounds):
        found.add(retired(chance))
        assert "lost" not in found
    assert found == {"waits", "HTTP/1.1 200 OK"}
