"""A server of whatever kind: started, asked until it answers as LightGBM does, and ended."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from benchmarks.peers.setup import PeerFailed, environment
from benchmarks.serving.family import memory, spent_together, stop
from benchmarks.serving.questions import SHAPES, agrees, body

START = 180.0
"""Seconds that a server may take until it answers."""
PAUSE = 0.01


@dataclass(frozen=True)
class Server:
    """How one is started; `{port}` stands for the port."""

    name: str
    python: Path
    arguments: Sequence[str]
    route: str
    form: str = "tensor"
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Standing:
    """A server that answers."""

    name: str
    url: str
    form: str
    pid: int
    ready: float
    """Seconds from the start of its process to the first correct answer."""
    spent: float
    """Seconds of the processor until then, of all its processes."""
    idle: float
    """Megabytes of memory then, of all its processes."""


@contextmanager
def standing(
    server: Server, state: Path, expected: Mapping[int, Sequence[float]]
) -> Iterator[Standing]:
    """`state`: a folder for its files and what it says; `expected`: by rows, LightGBM's scores.

    Raises PeerFailed if it ends, does not answer in time, or answers otherwise.
    """
    state.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = [str(server.python), *(one.format(port=port) for one in server.arguments)]
    with (state / "said.txt").open("wb") as said:
        begun = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=state,
            env=variables(server, state),
            stdin=subprocess.PIPE,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            url = f"http://127.0.0.1:{port}{server.route}"
            answer = _first_answer(process, url, body(1, server.form), server.name, state)
            ready = time.perf_counter() - begun
            used = spent_together(process.pid)
            _check(server.name, answer, expected[1])
            idle = memory(process.pid)
            for rows, _ in SHAPES:
                _check(server.name, asked(url, body(rows, server.form)), expected[rows])
            yield Standing(server.name, url, server.form, process.pid, ready, used, idle)
        finally:
            stop(process.pid)
            process.wait()
            assert process.stdin is not None
            process.stdin.close()


def variables(server: Server, state: Path) -> dict[str, str]:
    """One thread for the model: more would take the load's core."""
    path = f"{server.python.parent}{os.pathsep}{os.environ['PATH']}"
    return environment(state) | {"PATH": path, "OMP_NUM_THREADS": "1"} | dict(server.variables)


def free_port() -> int:
    """Which two that follow are free as well, as MLServer wants it."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as first:
            port = int(first.getsockname()[1])
            try:
                for more in (1, 2):
                    socket.create_server(("127.0.0.1", port + more)).close()
            except OSError:
                continue
        return port


def asked(url: str, data: bytes | None) -> bytes:
    """None: nothing is sent. Raises OSError, HTTPError among them."""
    with urlopen(Request(url, data, {"content-type": "application/json"}), timeout=30) as answer:
        told: bytes = answer.read()
    return told


def _first_answer(
    process: "subprocess.Popen[bytes]", url: str, data: bytes, name: str, state: Path
) -> bytes:
    until, fault = time.monotonic() + START, ""
    while time.monotonic() < until:
        try:
            return asked(url, data)
        except HTTPError as error:
            fault = f"{error}: {error.read()[:300]!r}"
        except OSError as error:
            fault = str(error)
        if process.poll() is not None:
            raise PeerFailed(f"{name} ended with {process.returncode}: {_end(state)}")
        time.sleep(PAUSE)
    raise PeerFailed(f"{name} did not answer within {START:.0f} s: {fault}; {_end(state)}")


def _check(name: str, answer: bytes, expected: Sequence[float]) -> None:
    try:
        is_right = agrees(answer, expected)
    except ValueError as error:
        raise PeerFailed(f"{name} gives {error}") from error
    if not is_right:
        raise PeerFailed(f"{name} does not give LightGBM's scores: {answer[:300]!r}")


def _end(state: Path) -> str:
    return (state / "said.txt").read_text(errors="replace")[-1500:]
